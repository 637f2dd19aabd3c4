//! Clients that are slow, greedy or talk nonsense.

use std::time::Duration;

use feeway_front::{Limits, open_files};
use tokio::time::{sleep, timeout};

use crate::front::{Front, short_limits};
use crate::wire::{Client, payment, post};

async fn front() -> Front {
    Front::start_with(short_limits(), false, true).await
}

const CHUNKED: &str = "POST /payments HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";

fn chunks<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let chunks = parts
        .into_iter()
        .map(|part| format!("{:x}\r\n{part}\r\n", part.len()));
    chunks.collect::<String>() + "0\r\n\r\n"
}

#[tokio::test]
async fn a_head_that_does_not_arrive_ends_the_connection() {
    let front = front().await;
    let mut silent = Client::tcp(&front).await;
    let mut slow = Client::unix(&front).await;
    slow.write("POST /payments HT").await;
    silent.expect_close().await;
    slow.expect_close().await;
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_answered_with_408() {
    let front = front().await;
    let mut client = Client::tcp(&front).await;
    client
        .write("POST /payments HTTP/1.1\r\nhost: x\r\ncontent-length: 70\r\n\r\n{")
        .await;
    let reply = client.reply().await;
    reply.detail(408);
    assert_eq!(reply.header("connection"), Some("close"));
    client.expect_close().await;

    let mut client = Client::unix(&front).await;
    client.write(CHUNKED).await;
    client.write("1\r\n{\r\n").await;
    client.reply().await.detail(408);
    client.expect_close().await;
    assert!(front.submitted_cents().is_empty());
}

#[tokio::test]
async fn slow_clients_do_not_disturb_the_others() {
    let front = front().await;
    let mut slow = Vec::new();
    for number in 0..200 {
        let mut client = Client::tcp(&front).await;
        client.write(&post(&payment("1"))[..number % 120]).await;
        slow.push(client);
    }
    let mut client = Client::unix(&front).await;
    for _ in 0..50 {
        assert_eq!(client.post(&payment("2")).await.status, 202);
    }
}

#[tokio::test]
async fn two_thousand_idle_and_two_hundred_slow_clients_are_cut_off_and_leave_room() {
    open_files::allow_many();
    let front = front().await;
    let mut idle = Vec::new();
    for _ in 0..2000 {
        idle.push(Client::unix(&front).await);
    }
    let mut slow = Vec::new();
    for _ in 0..200 {
        slow.push(Client::tcp(&front).await);
    }
    let mut client = Client::tcp(&front).await;
    let request = post(&payment("1"));
    // A byte each, again and again: the time-out is for the whole, not for each byte.
    let mut bytes = request.as_bytes().iter().cycle();
    let mut cut_off = 0;
    while cut_off < slow.len() {
        assert_eq!(client.post(&payment("2")).await.status, 202);
        let byte = [*bytes.next().unwrap()];
        cut_off = 0;
        for each in &mut slow {
            cut_off += usize::from(each.try_write(&byte).await.is_err());
        }
        sleep(Duration::from_millis(20)).await;
    }
    for each in &mut idle {
        each.expect_close().await;
    }
    let submitted = front.submitted_cents();
    assert!(
        submitted.iter().all(|cents| *cents == 200),
        "no slow one was whole"
    );
}

#[tokio::test]
async fn a_hundred_megabytes_are_not_read_whatever_says_their_length() {
    let front = front().await;
    for (head, piece) in [
        (
            "POST /payments HTTP/1.1\r\nhost: x\r\ncontent-length: 104857600\r\n\r\n".to_owned(),
            vec![b'x'; 1 << 20],
        ),
        (
            CHUNKED.to_owned(),
            [
                b"100000\r\n".to_vec(),
                vec![b'x'; 1 << 20],
                b"\r\n".to_vec(),
            ]
            .concat(),
        ),
    ] {
        let mut client = Client::tcp(&front).await;
        client.write(&head).await;
        let mut written = 0;
        while written < 100 && client.try_write(&piece).await.is_ok() {
            written += 1;
        }
        // What was written lies in the buffers of the kernel.
        assert!(written < 50, "{written} MiB");
    }
    assert!(front.submitted_cents().is_empty());
}

#[tokio::test]
async fn a_body_over_16_kib_is_refused_before_it_is_sent() {
    let front = front().await;
    for expect in ["", "expect: 100-continue\r\n"] {
        let mut client = Client::tcp(&front).await;
        let head =
            format!("POST /payments HTTP/1.1\r\nhost: x\r\n{expect}content-length: 16385\r\n\r\n");
        client.write(&head).await;
        let reply = client.reply().await;
        assert!(reply.detail(413).contains("16384"));
        assert_eq!(reply.header("connection"), Some("close"));
    }
}

#[tokio::test]
async fn a_client_that_sends_its_refused_body_before_it_reads_gets_the_refusal() {
    let front = front().await;
    let mut client = Client::tcp(&front).await;
    let request = post(&"x".repeat(500_000));
    for piece in request.as_bytes().chunks(100_000) {
        // The front has answered the first piece before the second is sent.
        client
            .try_write(piece)
            .await
            .expect("the connection is not reset");
        client.until_readable().await;
    }
    client.reply().await.detail(413);
    client.expect_close().await;
}

#[tokio::test]
async fn a_refused_body_without_an_end_is_read_for_a_bounded_time_only() {
    let front = front().await;
    let mut client = Client::tcp(&front).await;
    client
        .write("POST /payments HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999\r\n\r\n")
        .await;
    let flood = async { while client.try_write(&[b'x'; 10_000]).await.is_ok() {} };
    timeout(Duration::from_secs(10), flood)
        .await
        .expect("the front stops reading and closes");
}

#[tokio::test]
async fn a_body_of_exactly_16_kib_is_read() {
    let front = front().await;
    let mut client = Client::unix(&front).await;
    let payment = payment("1");
    let spaces = " ".repeat(16_384 - payment.len());
    assert_eq!(client.post(&format!("{payment}{spaces}")).await.status, 202);
    client
        .post(&format!("{payment}{spaces} "))
        .await
        .detail(413);
    client.expect_close().await;
    assert_eq!(front.submitted_cents(), [100]);
}

#[tokio::test]
async fn chunked_bodies_are_payments_too() {
    let front = front().await;
    let mut client = Client::tcp(&front).await;
    let payment = payment("19.90");
    let whole = [payment.as_str()];
    let letters: Vec<_> = payment.split_inclusive(|_| true).collect();
    for body in [chunks(whole), chunks(letters)] {
        client.write(&format!("{CHUNKED}{body}")).await;
        assert_eq!(client.reply().await.status, 202);
    }
    client.write(CHUNKED).await;
    for letter in payment.split_inclusive(|_| true) {
        client.write(&format!("1\r\n{letter}\r\n")).await;
        tokio::task::yield_now().await;
    }
    client.write("0\r\ntrailer: ignored\r\n\r\n").await;
    assert_eq!(client.reply().await.status, 202);
    assert_eq!(front.submitted_cents(), [1990, 1990, 1990]);
}

#[tokio::test]
async fn a_chunked_body_over_16_kib_is_refused_while_it_comes() {
    let front = front().await;
    let mut client = Client::tcp(&front).await;
    let kib = "x".repeat(1024);
    client.write(CHUNKED).await;
    for _ in 0..17 {
        client.write(&format!("400\r\n{kib}\r\n")).await;
    }
    let reply = client.reply().await;
    reply.detail(413);
    assert_eq!(reply.header("connection"), Some("close"));
    client.expect_close().await;
}

#[tokio::test]
async fn a_length_beside_chunks_is_ignored_and_the_connection_closed() {
    let front = front().await;
    let payment = payment("1");
    let body = chunks([payment.as_str()]);
    let smuggled = "GET /payments-summary HTTP/1.1\r\nhost: x\r\n\r\n";
    for headers in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
    ] {
        let mut client = Client::tcp(&front).await;
        let head = format!("POST /payments HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        client.write(&format!("{head}{body}{smuggled}")).await;
        let reply = client.reply().await;
        assert_eq!(reply.status, 202);
        assert_eq!(reply.header("connection"), Some("close"));
        client.expect_close().await;
    }
    assert!(front.script.windows.lock().unwrap().is_empty());
}

#[tokio::test]
async fn malformed_requests_are_refused_and_disconnected() {
    let front = front().await;
    let length = "POST /payments HTTP/1.1\r\nhost: x\r\ncontent-length: ";
    for (nonsense, status) in [
        ("\u{1}\u{2}\u{3}\r\n\r\n".to_owned(), 400),
        ("GET\r\n\r\n".to_owned(), 400),
        (format!("{length}-1\r\n\r\n"), 400),
        (format!("{length}1\r\ncontent-length: 2\r\n\r\nxx"), 400),
        (
            "POST /payments HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n".to_owned(),
            400,
        ),
        (
            format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(20_000)),
            431,
        ),
        (
            format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(101)),
            431,
        ),
    ] {
        let mut client = Client::tcp(&front).await;
        client
            .try_write(nonsense.as_bytes())
            .await
            .unwrap_or_default();
        if let Some(reply) = client.try_reply().await {
            assert_eq!(reply.status, status, "{nonsense}");
            client.expect_close().await;
        }
    }
    assert!(front.submitted_cents().is_empty());
    let mut client = Client::tcp(&front).await;
    assert_eq!(client.post(&payment("1")).await.status, 202);
}

#[tokio::test]
async fn a_body_that_ends_early_or_is_framed_wrongly_is_no_payment() {
    let front = front().await;
    let payment = payment("1");
    let cut = format!(
        "POST /payments HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{payment}",
        payment.len() + 1
    );
    for request in [
        cut,
        format!("{CHUNKED}zz\r\n{payment}\r\n0\r\n\r\n"),
        format!("{CHUNKED}{:x}\r\n{payment}\r\n", payment.len()),
    ] {
        let mut client = Client::tcp(&front).await;
        client.write(&request).await;
        client.finish().await;
        if let Some(reply) = client.try_reply().await {
            reply.detail(400);
            client.expect_close().await;
        }
    }
    assert!(front.submitted_cents().is_empty());
}

#[tokio::test]
async fn a_client_that_never_reads_is_cut_off_and_its_place_is_free_again() {
    let limits = Limits {
        connections: 1,
        ..short_limits()
    };
    let front = Front::start_with(limits, false, true).await;
    let mut deaf = Client::unix(&front).await;
    let requests = "GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000);
    // It writes until the front has enough of it.
    let flood = async { while deaf.try_write(requests.as_bytes()).await.is_ok() {} };
    timeout(Duration::from_secs(10), flood)
        .await
        .expect("the front cuts it off");
    let mut client = Client::unix(&front).await;
    assert_eq!(client.post(&payment("1")).await.status, 202);
}
