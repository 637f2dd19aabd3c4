use std::time::Duration;

use feeway_domain::{Doubt, PostAnswer, ProcessorClient};
use feeway_processor::{HttpProcessor, HttpProcessorConfig};
use tokio::time::Instant;

use crate::scripted_server::{
    Act, ScriptedServer, answer, id, instant, payment, quick, refused_url,
};

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
async fn every_request_names_its_deployment() {
    let server = ScriptedServer::start([
        Act::Answer(answer(200, "")),
        Act::Answer(answer(404, "")),
        Act::Answer(answer(404, "")),
    ])
    .await;
    let config = HttpProcessorConfig {
        deployment: Some("eu-1".parse().unwrap()),
        ..quick()
    };
    let client = server.client(config);
    client.post(&payment(), instant()).await;
    client.get(id()).await;
    client.health().await;
    for request in server.requests() {
        assert!(request.contains("\r\nvia: feeway/eu-1\r\n"), "{request}");
    }
}

#[tokio::test]
async fn every_status_is_told_apart() {
    let misconfigured = |status| (status, PostAnswer::Misconfigured { status });
    let redirected = |status| (status, PostAnswer::Lost(Doubt::Redirected { status }));
    let declined = |status| (status, PostAnswer::Declined { status });
    let duplicate = |status| (status, PostAnswer::Duplicate { status });
    let failing = |status| (status, PostAnswer::Failing { status });
    let unclear = |status| (status, PostAnswer::Lost(Doubt::Unclear));
    let table = [
        (200, PostAnswer::Stored),
        (201, PostAnswer::Stored),
        (204, PostAnswer::Stored),
        (202, PostAnswer::Inconclusive),
        (203, PostAnswer::Inconclusive),
        (205, PostAnswer::Inconclusive),
        (206, PostAnswer::Inconclusive),
        (207, PostAnswer::Inconclusive),
        (299, PostAnswer::Inconclusive),
        redirected(300),
        redirected(302),
        redirected(304),
        redirected(307),
        redirected(399),
        declined(400),
        declined(402),
        declined(410),
        misconfigured(401),
        misconfigured(403),
        misconfigured(404),
        misconfigured(405),
        misconfigured(501),
        duplicate(409),
        duplicate(422),
        (429, PostAnswer::Overloaded { retry_after: None }),
        failing(500),
        failing(503),
        unclear(408),
        unclear(425),
        unclear(499),
        unclear(502),
        unclear(504),
        unclear(599),
        unclear(999),
    ];
    let acts = table.map(|(status, _)| {
        // These have no body, whatever their head says.
        let body = if matches!(status, 204 | 304) {
            ""
        } else {
            "{}"
        };
        Act::Answer(answer(status, body))
    });
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
async fn an_overloaded_processor_may_set_a_pause() {
    let table = [
        ("retry-after: 7", Some(7)),
        ("retry-after: 3600", Some(60)),
        ("retry-after: soon", None),
        (
            "date: Tue, 15 Jul 2025 12:34:50 GMT\r\n\
             retry-after: Tue, 15 Jul 2025 12:34:56 GMT",
            Some(6),
        ),
    ];
    let acts = table.map(|(lines, _)| {
        let head = format!("HTTP/1.1 429 Too Many\r\ncontent-length: 0\r\n{lines}\r\n\r\n");
        Act::Answer(head)
    });
    let server = ScriptedServer::start(acts).await;
    let client = server.client(quick());
    for (lines, seconds) in table {
        let retry_after = seconds.map(Duration::from_secs);
        let got = client.post(&payment(), instant()).await;
        assert_eq!(got, PostAnswer::Overloaded { retry_after }, "{lines}");
    }
}

#[tokio::test]
async fn a_body_may_contradict_its_success_status() {
    let html = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\ncontent-length: 2\r\n\r\nok";
    let chunked = "HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n\
        a\r\n{\"success\"\r\n7\r\n:false}\r\n0\r\n\r\n";
    let table = [
        (answer(200, "ok"), PostAnswer::Stored),
        (answer(201, r#"{"status":"approved"}"#), PostAnswer::Stored),
        (
            answer(200, r#"{"status":"Pending"}"#),
            PostAnswer::Inconclusive,
        ),
        (
            answer(201, r#"{"data":{"status":"FAILED"}}"#),
            PostAnswer::Inconclusive,
        ),
        (
            answer(200, r#"{"success":false}"#),
            PostAnswer::Inconclusive,
        ),
        (answer(200, "<html></html>"), PostAnswer::Inconclusive),
        (answer(200, "{"), PostAnswer::Inconclusive),
        (html.to_owned(), PostAnswer::Inconclusive),
        (chunked.to_owned(), PostAnswer::Inconclusive),
        (answer(200, ""), PostAnswer::Stored),
    ];
    let server = ScriptedServer::answering(table.iter().map(|(text, _)| text)).await;
    let client = server.client(quick());
    for (text, expected) in table {
        let got = client.post(&payment(), instant()).await;
        assert_eq!(got, expected, "{text}");
    }
    assert_eq!(server.connections(), 1);
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
async fn an_answer_that_breaks_off_leaves_the_outcome_unknown() {
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
async fn a_success_whose_body_breaks_off_proves_nothing() {
    for text in [
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n",
    ] {
        let server = ScriptedServer::start([
            Act::AnswerAndEnd(text.to_owned()),
            Act::Answer(answer(200, "")),
        ])
        .await;
        let client = server.client(quick());
        let post = client.post(&payment(), instant()).await;
        assert_eq!(post, PostAnswer::Inconclusive, "{text}");
        assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
        assert_eq!(server.connections(), 2);
    }
}

#[tokio::test]
async fn a_success_whose_body_is_late_proves_nothing_and_ends_the_connection() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_owned();
    // What is left of the attempt's time, but at most a second.
    for (attempt_timeout, expected_ms) in [(300, 300), (10_000, 1000)] {
        let server =
            ScriptedServer::start([Act::Answer(head.clone()), Act::Answer(answer(200, ""))]).await;
        let config = HttpProcessorConfig {
            attempt_timeout: Duration::from_millis(attempt_timeout),
            ..quick()
        };
        let client = server.client(config);
        let start = Instant::now();
        let post = client.post(&payment(), instant()).await;
        assert_eq!(post, PostAnswer::Inconclusive);
        assert!(start.elapsed() >= Duration::from_millis(expected_ms));
        assert!(start.elapsed() < Duration::from_millis(expected_ms + 5_000));
        server.until_ended(1).await;
        assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
        assert_eq!(server.connections(), 2);
    }
}

#[tokio::test]
async fn no_answer_in_time_leaves_the_outcome_unknown_and_ends_the_connection() {
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
