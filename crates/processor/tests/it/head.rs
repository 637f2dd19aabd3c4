//! What is read of an answer's head, and what is not.

use feeway_domain::{Doubt, PostAnswer, ProcessorClient};

use crate::scripted_server::{Act, ScriptedServer, answer, instant, payment, quick};

#[tokio::test]
async fn a_head_that_is_too_long_is_unclear() {
    let text = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(64 * 1024));
    let server = ScriptedServer::start([Act::AnswerAndReset(text)]).await;
    let client = server.client(quick());
    let got = client.post(&payment(), instant()).await;
    assert!(
        matches!(got, PostAnswer::Lost(Doubt::Unclear | Doubt::Reset)),
        "{got:?}"
    );
}

/// What a person could read is read, unless it may be about where the body ends.
#[tokio::test]
async fn a_head_is_read_leniently_but_its_framing_is_not_guessed() {
    use PostAnswer::{Inconclusive, Lost, Stored};
    let unclear = Lost(Doubt::Unclear);
    let failed = r#"{"status":"failed"}"#;
    for (lines, body, expected) in [
        ("content-length : 19", failed, Inconclusive),
        ("content-length\t: 2", "{}", Stored),
        ("content-length:\r\n 2", "{}", Stored),
        ("content-length: 2\r\n ", "{}", Stored),
        (
            "transfer-encoding :\r\n chunked",
            "13\r\n{\"status\":\"failed\"}\r\n0\r\n\r\n",
            Inconclusive,
        ),
        ("x: a\r\n folded line\r\ncontent-length: 2", "{}", Stored),
        ("x : a\r\ncontent-length: 2", "{}", Stored),
        ("x: \u{e9}\r\ncontent-length: 2", "{}", Stored),
        ("content-length: 2\r\n 3", "{}", unclear),
        ("content-length: 2\r\ncontent-length: 3", "{} ", unclear),
        ("content-length: two", "{}", unclear),
        ("content-length 2", "{}", unclear),
        ("content length: 2", "{}", unclear),
        ("content-length\u{0}: 2", "{}", unclear),
        ("transfer-encoding chunked", "2\r\n{}\r\n0\r\n\r\n", unclear),
        ("no header at all\r\ncontent-length: 2", "{}", unclear),
        (": 7\r\ncontent-length: 2", "{}", unclear),
    ] {
        let text = format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n{body}");
        let server = ScriptedServer::start([Act::Answer(text), Act::Answer(answer(200, ""))]).await;
        let client = server.client(quick());
        let got = client.post(&payment(), instant()).await;
        assert_eq!(got, expected, "{lines:?}");
        // Where the head is read, so is exactly its body.
        assert_eq!(client.post(&payment(), instant()).await, Stored);
        let connections = if expected == unclear { 2 } else { 1 };
        assert_eq!(server.connections(), connections, "{lines:?}");
    }
}
