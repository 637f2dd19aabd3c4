//! HTTP/1.1 as a load generator speaks it: one kept connection, one request at a time.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use jiff::Timestamp;

/// Longer than any answer should take, so that a server which hangs is counted.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// An answer to a payment is a head; more than this is not one.
const MAX_ANSWER_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 32;

/// Whom payments are sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Recipient {
    /// A gateway: id and amount.
    Gateway,
    /// A processor: also `requestedAt`.
    Processor,
}

/// A connection that is opened when needed and kept while it works.
pub struct Connection {
    address: SocketAddr,
    open: Option<TcpStream>,
    answer: Vec<u8>,
}

impl Connection {
    /// Opens nothing yet.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            open: None,
            answer: Vec::with_capacity(MAX_ANSWER_BYTES),
        }
    }

    /// Opens it, unless it is open.
    pub fn open(&mut self) -> io::Result<()> {
        if self.open.is_none() {
            let stream = TcpStream::connect_timeout(&self.address, ANSWER_TIMEOUT)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
            stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
            self.open = Some(stream);
        }
        Ok(())
    }

    /// Sends a request and reads the whole answer. Returns its status. After an error the
    /// next request has a new connection.
    pub fn ask(&mut self, request: &[u8]) -> io::Result<u16> {
        self.open()?;
        let mut stream = self.open.take().ok_or(io::ErrorKind::NotConnected)?;
        stream.write_all(request)?;
        let answer = read_answer(&mut stream, &mut self.answer)?;
        if !answer.closes {
            self.open = Some(stream);
        }
        Ok(answer.status)
    }
}

/// The bytes of a request that pays 19.90 under a new id.
pub fn payment(to: Recipient, id: u128) -> Vec<u8> {
    // Version 4, variant 1, as a shop's UUIDs are.
    let id = id & !(0xf << 76) & !(0b11 << 62) | 0x4 << 76 | 0b10 << 62;
    let hex = format!("{id:032x}");
    let [a, b, c, d, e] = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    let time = match to {
        Recipient::Gateway => String::new(),
        Recipient::Processor => format!(r#","requestedAt":"{:.6}""#, Timestamp::now()),
    };
    let body = format!(r#"{{"correlationId":"{a}-{b}-{c}-{d}-{e}","amount":19.90{time}}}"#);
    let length = body.len();
    format!(
        "POST /payments HTTP/1.1\r\nHost: feeway\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    closes: bool,
}

fn read_answer(from: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Answer> {
    buffer.clear();
    loop {
        if let Some((answer, length)) = read_head(buffer)?
            && buffer.len() >= length
        {
            return Ok(answer);
        }
        let filled = buffer.len();
        if filled == MAX_ANSWER_BYTES {
            return Err(malformed("the answer is too long"));
        }
        buffer.resize(MAX_ANSWER_BYTES, 0);
        let read = from.read(&mut buffer[filled..]);
        buffer.truncate(filled + *read.as_ref().unwrap_or(&0));
        if read? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The answer and how many bytes it has in all, once its head is there.
fn read_head(bytes: &[u8]) -> io::Result<Option<(Answer, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let parsed = head.parse(bytes).map_err(malformed)?;
    let httparse::Status::Complete(head_bytes) = parsed else {
        return Ok(None);
    };
    let value = |name: &str| {
        let header = head
            .headers
            .iter()
            .find(|h| h.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok()
    };
    let length = value("content-length").map_or(Ok(0), str::parse::<usize>);
    let status = head.code.ok_or_else(|| malformed("no status"))?;
    let closes = value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let answer = Answer { status, closes };
    Ok(Some((answer, head_bytes + length.map_err(malformed)?)))
}

fn malformed(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wire: &str, expected: Option<(u16, bool)>) {
        let answer = read_answer(&mut wire.as_bytes(), &mut Vec::new()).ok();
        let found = answer.map(|answer| (answer.status, answer.closes));
        assert_eq!(found, expected, "{wire}");
    }

    #[test]
    fn whole_answers_are_read_and_cut_ones_are_errors() {
        check(
            "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n",
            Some((202, false)),
        );
        check(
            "HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
            Some((503, true)),
        );
        check("HTTP/1.1 503 No\r\nContent-Length: 3\r\n\r\n{}", None);
        check("HTTP/1.1 202 Acc", None);
        check("nonsense\r\n\r\n", None);
    }

    #[test]
    fn a_payment_is_a_body_that_the_gateway_takes() {
        let mut parser = feeway_front::PaymentParser::default();
        for id in [0, 1, u128::MAX, 0x0123_4567_89ab_cdef << 64] {
            let wire = payment(Recipient::Gateway, id);
            let body = wire.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
            let read = parser.parse(&wire[body..]).unwrap();
            assert_eq!(read.amount.cents(), 1990);
            let id = read.id.as_bytes();
            assert_eq!((id[6] >> 4, id[8] >> 6), (4, 2));
        }
        let wire = payment(Recipient::Processor, 7);
        let text = String::from_utf8(wire).unwrap();
        assert!(
            text.contains(r#","requestedAt":"20"#) && text.ends_with("Z\"}"),
            "{text}"
        );
    }
}
