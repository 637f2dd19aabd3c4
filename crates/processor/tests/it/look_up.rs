use feeway_domain::{Doubt, GetAnswer, Outcome, ProcessorClient};
use feeway_processor::{HttpProcessor, attempt};

use crate::scripted_server::{
    Act, ID, ScriptedServer, answer, id, instant, payment, quick, refused_url,
};

fn held(amount: &str, requested_at: &str) -> GetAnswer {
    GetAnswer::Held {
        amount: amount.parse().unwrap(),
        requested_at: requested_at.parse().unwrap(),
    }
}

#[tokio::test]
async fn a_look_up_reads_what_processors_write() {
    let body =
        |at: &str| format!(r#"{{"correlationId":"{ID}","amount":19.9,"requestedAt":"{at}"}}"#);
    let at = "2020-07-10T12:34:56.123456Z";
    let table = [
        (answer(200, &body(at)), held("19.90", at)),
        (
            answer(200, &body("2020-07-10T12:34:56.1234567")),
            held("19.90", at),
        ),
        (
            answer(200, &body("2020-07-10T12:34:56")),
            held("19.90", "2020-07-10T12:34:56Z"),
        ),
        (answer(404, ""), GetAnswer::Absent),
        (answer(404, "{}"), GetAnswer::Absent),
        (answer(429, ""), GetAnswer::Unclear),
        (answer(500, ""), GetAnswer::Unclear),
        (answer(204, ""), GetAnswer::Unclear),
        (answer(200, ""), GetAnswer::Unclear),
        (answer(200, "{"), GetAnswer::Unclear),
    ];
    let server = ScriptedServer::answering(table.iter().map(|(text, _)| text)).await;
    let client = server.client(quick());
    for (text, expected) in table {
        assert_eq!(client.get(id()).await, expected, "{text}");
    }
    assert!(server.requests()[0].starts_with(&format!("GET /payments/{ID} HTTP/1.1\r\n")));
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_look_up_without_a_usable_answer_is_unclear() {
    let huge = format!(r#"{{"x":"{}"}}"#, "x".repeat(20_000));
    for act in [
        Act::Silence,
        Act::AnswerAndReset(String::new()),
        Act::AnswerAndEnd("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{".to_owned()),
        Act::AnswerAndEnd("HTTP/1.1 404 Not".to_owned()),
        Act::AnswerAndEnd(answer(200, &huge)),
    ] {
        let server = ScriptedServer::start([act.clone()]).await;
        let client = server.client(quick());
        assert_eq!(client.get(id()).await, GetAnswer::Unclear, "{act:?}");
        assert_eq!(server.requests().len(), 1);
    }
    let client = HttpProcessor::new(&refused_url().await, quick()).unwrap();
    assert_eq!(client.get(id()).await, GetAnswer::Unclear);
}

#[tokio::test]
async fn a_duplicate_is_held_at_the_instant_of_the_processor() {
    let body =
        format!(r#"{{"correlationId":"{ID}","amount":19.90,"requestedAt":"2020-07-10T12:00:00"}}"#);
    let server = ScriptedServer::start([
        Act::Answer(answer(422, "")),
        Act::Answer(answer(429, "")),
        Act::Answer(answer(200, &body)),
    ])
    .await;
    let client = server.client(quick());
    assert_eq!(
        attempt(&client, &payment(), instant()).await,
        Outcome::Held("2020-07-10T12:00:00Z".parse().unwrap())
    );
}

#[tokio::test]
async fn a_failure_that_nobody_confirms_is_unknown() {
    let server = ScriptedServer::start([
        Act::Answer(answer(500, "")),
        Act::Answer(answer(429, "")),
        Act::Answer(answer(429, "")),
        Act::Answer(answer(429, "")),
    ])
    .await;
    let client = server.client(quick());
    assert_eq!(
        attempt(&client, &payment(), instant()).await,
        Outcome::Unknown(Doubt::Unconfirmed)
    );
}
