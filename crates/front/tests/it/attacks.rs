//! Requests whose end two readers could see in different places, for the tests straight at
//! the front and for those through the load balancer.

/// One of them. A reader that takes its framing otherwise finds a second payment in it.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    /// By the standard these are two requests, one behind the other: nothing is hidden.
    pub(crate) pipelined: bool,
}

/// Every attack, with `open` as the payment it shows and `hidden` as the one it smuggles.
pub(crate) fn attacks(open: &str, hidden: &str) -> Vec<Attack> {
    let smuggled = request("", hidden);
    let mut attacks = double_framing(open, &smuggled);
    attacks.extend(odd_headers(open, &smuggled));
    attacks.extend(other_versions(open, &smuggled));
    attacks.extend(odd_chunks(open, &smuggled));
    attacks.extend(unread_bodies(open, &smuggled));
    attacks
}

fn attack(name: &'static str, text: impl Into<Vec<u8>>) -> Attack {
    Attack {
        name,
        bytes: text.into(),
        pipelined: false,
    }
}

fn request(headers: &str, body: &str) -> String {
    let length = body.len();
    format!("{}content-length: {length}\r\n\r\n{body}", head(headers))
}

fn head(headers: &str) -> String {
    format!("POST /payments HTTP/1.1\r\nhost: feeway\r\n{headers}")
}

fn chunked(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

/// A length and chunks, or two lengths, in one head.
fn double_framing(open: &str, smuggled: &str) -> Vec<Attack> {
    let (shown, chunks) = (open.len(), chunked(open));
    let (all, long) = (chunks.len() + smuggled.len(), shown + smuggled.len());
    let te = "transfer-encoding: chunked\r\n";
    let chunk_attack = |name, headers: String| {
        let head = head(&headers);
        attack(name, format!("{head}\r\n{chunks}{smuggled}"))
    };
    let length_attack = |name, headers: String| {
        let head = head(&headers);
        attack(name, format!("{head}\r\n{open}{smuggled}"))
    };
    vec![
        chunk_attack(
            "a length over all, then chunks",
            format!("content-length: {all}\r\n{te}"),
        ),
        chunk_attack(
            "chunks, then a length over all",
            format!("{te}content-length: {all}\r\n"),
        ),
        chunk_attack(
            "a length of 4 beside chunks",
            format!("content-length: 4\r\n{te}"),
        ),
        length_attack(
            "two lengths, the short one first",
            format!("content-length: {shown}\r\ncontent-length: {long}\r\n"),
        ),
        length_attack(
            "two lengths, the long one first",
            format!("content-length: {long}\r\ncontent-length: {shown}\r\n"),
        ),
        length_attack(
            "two lengths in one line",
            format!("content-length: {long}, {shown}\r\n"),
        ),
        length_attack(
            "a length that is to be dropped on the way",
            format!("connection: content-length\r\ncontent-length: {long}\r\n"),
        ),
    ]
}

/// Headers of which one reader makes chunks, and another a length.
fn odd_headers(open: &str, smuggled: &str) -> Vec<Attack> {
    let shown = open.len();
    let chunks = chunked(open);
    [
        (
            "a space before the colon",
            "transfer-encoding : chunked\r\n",
        ),
        ("a tab before the value", "transfer-encoding:\tchunked\r\n"),
        ("a folded line", "transfer-encoding:\r\n chunked\r\n"),
        (
            "a folded line in another header",
            "x: y\r\n transfer-encoding: chunked\r\n",
        ),
        ("a line feed alone", "x: y\ntransfer-encoding: chunked\r\n"),
        (
            "a carriage return alone",
            "x: y\rtransfer-encoding: chunked\r\n",
        ),
        ("a zero byte", "x: y\0\r\ntransfer-encoding: chunked\r\n"),
        ("a coding that is none", "transfer-encoding: xchunked\r\n"),
        (
            "chunks before another coding",
            "transfer-encoding: chunked, identity\r\n",
        ),
        (
            "the coding twice",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        ),
        (
            "another coding in a line of its own",
            "transfer-encoding: chunked\r\ntransfer-encoding: x\r\n",
        ),
        ("a quoted coding", "transfer-encoding: \"chunked\"\r\n"),
        ("a vertical tab", "transfer-encoding: \x0bchunked\r\n"),
        (
            "an upgrade",
            "connection: upgrade\r\nupgrade: h2c\r\ntransfer-encoding: chunked\r\n",
        ),
    ]
    .into_iter()
    .map(|(name, headers)| {
        let head = head(&format!("{headers}content-length: {shown}\r\n"));
        attack(name, format!("{head}\r\n{chunks}{smuggled}"))
    })
    .chain(
        ["+", "-", "0x", " 1 ", "1e", "99999999999999999999"].map(|sign| {
            let head = head(&format!("content-length: {sign}{shown}\r\n"));
            attack(
                "a length that is no number",
                format!("{head}\r\n{open}{smuggled}"),
            )
        }),
    )
    .collect()
}

/// Requests whose version knows no chunks, or no such request.
fn other_versions(open: &str, smuggled: &str) -> Vec<Attack> {
    let chunks = chunked(open);
    vec![
        attack(
            "chunks in HTTP/1.0",
            format!(
                "{}\r\n{chunks}{smuggled}",
                head("transfer-encoding: chunked\r\n").replace("HTTP/1.1", "HTTP/1.0")
            ),
        ),
        attack(
            "no length at all",
            format!("{}\r\n{open}{smuggled}", head("")),
        ),
        attack(
            "the preface of HTTP/2",
            format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{smuggled}"),
        ),
    ]
}

/// Chunk sizes that readers take differently, and chunks that are not as long as they say.
fn odd_chunks(open: &str, smuggled: &str) -> Vec<Attack> {
    let head = head("transfer-encoding: chunked\r\n");
    let length = open.len();
    [
        format!("0x{length:x}\r\n{open}\r\n0\r\n\r\n"),
        format!("+{length:x}\r\n{open}\r\n0\r\n\r\n"),
        format!("-{length:x}\r\n{open}\r\n0\r\n\r\n"),
        format!("1000000000000000{length:x}\r\n{open}\r\n0\r\n\r\n"),
        format!("{length:x};\n{open}\r\n0\r\n\r\n"),
        format!("{:x}\r\n{open}\r\n0\r\n\r\n", length - 1),
        format!("{:x}\r\n{open}\r\n0\r\n\r\n", length + 1),
        format!("{length:x}\r\n{open}xx0\r\n\r\n"),
        format!("{length:x}\r\n{open}\r\n0\r\n : \r\n\r\n"),
        format!("\r\n{length:x}\r\n{open}\r\n0\r\n\r\n"),
    ]
    .map(|chunks| attack("odd chunks", format!("{head}\r\n{chunks}{smuggled}")))
    .into_iter()
    .chain([attack(
        "line feeds alone between chunks",
        format!("{head}\r\n{length:x}\n{open}\n0\n\n{smuggled}"),
    )])
    .chain(
        [
            // An extension ends with its line, whatever it says, and is ignored.
            format!("{length:x};a=\"\r\n{open}\r\n0\r\n\r\n"),
            format!("{length:x}\r\n{open}\r\n0\r\ncontent-length: 9\r\n\r\n"),
        ]
        .map(|chunks| Attack {
            pipelined: true,
            ..attack("sound chunks", format!("{head}\r\n{chunks}{smuggled}"))
        }),
    )
    .collect()
}

/// Requests that are answered without a look at their body, in which a payment lies.
fn unread_bodies(open: &str, smuggled: &str) -> Vec<Attack> {
    let length = smuggled.len();
    let with_body = |method: &str, path: &str| {
        let line = format!("{method} {path} HTTP/1.1\r\nhost: feeway\r\n");
        format!("{line}content-length: {length}\r\n\r\n{smuggled}")
    };
    vec![
        attack("a body of a GET", with_body("GET", "/payments-summary")),
        attack("a body of a HEAD", with_body("HEAD", "/payments-summary")),
        attack("a body of no route", with_body("POST", "/nothing")),
        attack("a body of a wrong method", with_body("PUT", "/payments")),
        attack(
            "a body that is expected and too large",
            format!(
                "{}\r\n{smuggled}",
                head("expect: 100-continue\r\ncontent-length: 20000\r\n")
            ),
        ),
        attack(
            "a payment behind a refused one, within its length",
            request("", &format!("{{}}{smuggled}{open}")),
        ),
    ]
}
