use std::time::Duration;

use feeway_processor::{HealthAnswer, HttpProcessor};

use crate::scripted_server::{Act, ScriptedServer, answer, quick, refused_url};

#[tokio::test]
async fn health_is_a_report_or_none() {
    let report = |failing, ms| HealthAnswer::Report {
        failing,
        min_response_time: Duration::from_millis(ms),
    };
    let table = [
        (
            answer(200, r#"{"failing":false,"minResponseTime":0}"#),
            report(false, 0),
        ),
        (
            answer(200, r#"{"failing":true,"minResponseTime":2000}"#),
            report(true, 2000),
        ),
        (answer(429, ""), HealthAnswer::TooEarly),
        (answer(500, ""), HealthAnswer::Unanswered),
        (answer(404, ""), HealthAnswer::NoEndpoint),
        (answer(405, "{}"), HealthAnswer::NoEndpoint),
        (answer(501, "{}"), HealthAnswer::NoEndpoint),
        (answer(401, "{}"), HealthAnswer::Unanswered),
        (answer(503, "{}"), HealthAnswer::Unanswered),
        (answer(200, "fine"), HealthAnswer::Unanswered),
    ];
    let server = ScriptedServer::answering(table.iter().map(|(text, _)| text)).await;
    let client = server.client(quick());
    for (text, expected) in table {
        assert_eq!(client.health().await, expected, "{text}");
    }
    assert!(server.requests()[0].starts_with("GET /payments/service-health HTTP/1.1\r\n"));
}

#[tokio::test]
async fn no_answer_is_unanswered_and_asked_only_once() {
    for act in [
        Act::Silence,
        Act::AnswerAndReset(String::new()),
        Act::AnswerAndEnd(
            r#"HTTP/1.1 200 OK
content-length: 99

{"failing":false"#
                .replace('\n', "\r\n"),
        ),
    ] {
        let server = ScriptedServer::start([act.clone()]).await;
        let client = server.client(quick());
        assert_eq!(client.health().await, HealthAnswer::Unanswered, "{act:?}");
        assert_eq!(server.requests().len(), 1);
    }
    let client = HttpProcessor::new(&refused_url().await, quick()).unwrap();
    assert_eq!(client.health().await, HealthAnswer::Unanswered);
}
