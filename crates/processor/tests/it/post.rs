use std::time::Duration;

use feeway_domain::{Doubt, PostAnswer, ProcessorClient};
use feeway_processor::HttpProcessor;
use tokio::time::Instant;

use crate::scripted_server::{Act, ScriptedServer, answer, instant, payment, quick, refused_url};

#[tokio::test]
async fn a_post_is_written_as_processors_read_it() {
    let server = ScriptedServer::start([Act::Answer(answer(200, r#"{"message":"ok"}"#))]).await;
    let client = server.client(quick());
    assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);

    let requests = server.requests();
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    assert_eq!(
        body,
        r#"{"correlationId":"4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3","amount":19.90,"requestedAt":"2020-07-10T12:34:56.000001Z"}"#
    );
    let mut lines: Vec<_> = head.split("\r\n").collect();
    assert_eq!(lines.remove(0), "POST /payments HTTP/1.1");
    lines.sort_unstable();
    let host = server.url.strip_prefix("http://").unwrap();
    assert_eq!(
        lines,
        [
            format!("content-length: {}", body.len()).as_str(),
            "content-type: application/json",
            format!("host: {host}").as_str(),
        ]
    );
}

#[tokio::test]
async fn every_status_is_told_apart() {
    let table = [
        (200, PostAnswer::Stored),
        (201, PostAnswer::Stored),
        (302, PostAnswer::Lost(Doubt::Unclear)),
        (400, PostAnswer::Malformed),
        (401, PostAnswer::Misconfigured { status: 401 }),
        (403, PostAnswer::Misconfigured { status: 403 }),
        (404, PostAnswer::Misconfigured { status: 404 }),
        (405, PostAnswer::Misconfigured { status: 405 }),
        (408, PostAnswer::Lost(Doubt::Unclear)),
        (409, PostAnswer::Lost(Doubt::Unclear)),
        (422, PostAnswer::Duplicate),
        (429, PostAnswer::Overloaded),
        (500, PostAnswer::Failing),
        (501, PostAnswer::Lost(Doubt::Unclear)),
        (502, PostAnswer::Lost(Doubt::Unclear)),
        (503, PostAnswer::Lost(Doubt::Unclear)),
        (504, PostAnswer::Lost(Doubt::Unclear)),
        (999, PostAnswer::Lost(Doubt::Unclear)),
    ];
    let acts = table.map(|(status, _)| Act::Answer(answer(status, "{}")));
    let server = ScriptedServer::start(acts).await;
    let client = server.client(quick());
    for (status, expected) in table {
        let got = client.post(&payment(), instant()).await;
        assert_eq!(got, expected, "{status}");
    }
    assert_eq!(
        server.connections(),
        1,
        "any whole answer keeps the connection"
    );
}

#[tokio::test]
async fn an_interim_answer_is_passed_over() {
    let text = format!("HTTP/1.1 100 Continue\r\n\r\n{}", answer(200, ""));
    let server = ScriptedServer::start([Act::Answer(text)]).await;
    let client = server.client(quick());
    assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
}

#[tokio::test]
async fn a_switch_of_protocols_is_unclear_and_ends_the_connection() {
    let text = "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
    let server =
        ScriptedServer::start([Act::Answer(text.to_owned()), Act::Answer(answer(200, ""))]).await;
    let client = server.client(quick());
    assert_eq!(
        client.post(&payment(), instant()).await,
        PostAnswer::Lost(Doubt::Unclear)
    );
    assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_refused_connection_sends_nothing() {
    let client = HttpProcessor::new(&refused_url().await, quick()).unwrap();
    assert_eq!(
        client.post(&payment(), instant()).await,
        PostAnswer::Unreachable
    );
}

#[tokio::test]
async fn a_name_that_is_not_known_sends_nothing() {
    let client = HttpProcessor::new("http://processor.invalid:8001", quick()).unwrap();
    assert_eq!(
        client.post(&payment(), instant()).await,
        PostAnswer::Unreachable
    );
}

#[tokio::test]
async fn a_connection_reset_before_reading_never_counts_as_an_answer() {
    for _ in 0..20 {
        let server = ScriptedServer::start(vec![Act::ResetUnread; 3]).await;
        let client = server.client(quick());
        let got = client.post(&payment(), instant()).await;
        // Which of the two depends on whether the reset or the write came first.
        assert!(
            matches!(
                got,
                PostAnswer::Unreachable | PostAnswer::Lost(Doubt::Reset)
            ),
            "{got:?}"
        );
        assert_eq!(server.requests().len(), 0);
        assert!(server.connections() <= 3);
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_leaves_a_doubt() {
    for (text, doubt) in [
        ("", Doubt::Reset),
        ("HTTP/1.1 200", Doubt::Reset),
        ("HTTP/1.1 200 OK\r\ncontent-le", Doubt::Reset),
        ("SSH-2.0-OpenSSH\r\n\r\n", Doubt::Unclear),
        ("HTTP/1.1 abc OK\r\n\r\n", Doubt::Unclear),
    ] {
        for act in [
            Act::AnswerAndEnd(text.to_owned()),
            Act::AnswerAndReset(text.to_owned()),
        ] {
            let server = ScriptedServer::start([act.clone()]).await;
            let client = server.client(quick());
            let got = client.post(&payment(), instant()).await;
            // A reset may overtake the bytes before it.
            let overtaken =
                matches!(act, Act::AnswerAndReset(_)) && got == PostAnswer::Lost(Doubt::Reset);
            assert!(
                overtaken || got == PostAnswer::Lost(doubt),
                "{act:?}: {got:?}"
            );
            assert_eq!(server.requests().len(), 1, "nothing is sent twice");
        }
    }
}

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

#[tokio::test]
async fn a_status_counts_even_when_the_body_breaks_off() {
    let text = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_owned();
    let server =
        ScriptedServer::start([Act::AnswerAndEnd(text), Act::Answer(answer(200, ""))]).await;
    let client = server.client(quick());
    assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
    assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn no_answer_in_time_is_a_doubt_and_ends_the_connection() {
    let server = ScriptedServer::start([Act::Silence, Act::Answer(answer(200, ""))]).await;
    let client = server.client(quick());
    let start = Instant::now();
    assert_eq!(
        client.post(&payment(), instant()).await,
        PostAnswer::Lost(Doubt::TimedOut)
    );
    assert!(start.elapsed() >= Duration::from_millis(300));
    server.until_ended(1).await;
    assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_caller_that_gives_up_closes_the_connection() {
    let server = ScriptedServer::start([Act::Silence]).await;
    let client = server.client(quick());
    let payment = payment();
    let post = client.post(&payment, instant());
    let given_up = tokio::time::timeout(Duration::from_millis(50), post);
    assert!(given_up.await.is_err());
    server.until_ended(1).await;
}

#[tokio::test]
async fn a_slow_answer_within_the_time_counts() {
    let whole = answer(200, r#"{"message":"ok"}"#);
    let parts = vec![whole[..20].to_owned(), whole[20..].to_owned()];
    let server =
        ScriptedServer::start([Act::AnswerInParts(parts, Duration::from_millis(50))]).await;
    let client = server.client(quick());
    assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
}
