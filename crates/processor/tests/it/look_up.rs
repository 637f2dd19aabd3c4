use feeway_attempt::attempt;
use feeway_domain::{Doubt, GetAnswer, No, Outcome, ProcessorClient, Refusal, Unreadable};
use feeway_processor::HttpProcessor;

use crate::scripted_server::{
    Act, ID, ScriptedServer, answer, id, instant, nth_id, payment, quick, refused_url,
};

fn held(amount: &str, requested_at: &str) -> GetAnswer {
    GetAnswer::Held {
        amount: amount.parse().unwrap(),
        requested_at: requested_at.parse().unwrap(),
    }
}

fn unreadable(field: &'static str, reason: &'static str) -> GetAnswer {
    GetAnswer::Unreadable(Unreadable { field, reason })
}

#[tokio::test]
async fn a_look_up_reads_what_processors_write() {
    let body =
        |at: &str| format!(r#"{{"correlationId":"{ID}","amount":19.9,"requestedAt":"{at}"}}"#);
    let at = "2020-07-10T12:34:56.123456Z";
    let pending = format!(r#"{{"status":"pending","data":{}}}"#, body(at));
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
        (
            answer(200, &format!(r#"{{"payment":{}}}"#, body(at))),
            held("19.90", at),
        ),
        (answer(200, &pending), GetAnswer::Pending),
        (answer(404, ""), GetAnswer::Absent),
        (answer(404, "{}"), GetAnswer::Absent),
        (answer(410, ""), GetAnswer::Unclear),
        (answer(429, ""), GetAnswer::Unclear),
        (answer(500, ""), GetAnswer::Unclear),
        (answer(302, ""), GetAnswer::Unclear),
        (answer(204, ""), GetAnswer::Unclear),
        (answer(200, ""), unreadable("body", "is not a JSON object")),
        (answer(200, "{"), unreadable("body", "is not a JSON object")),
        (
            answer(200, &body("noon")),
            unreadable("requestedAt", "is not an RFC 3339 instant"),
        ),
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
async fn what_cannot_be_read_is_told_apart_from_no_answer() {
    let huge = format!(r#"{{"x":"{}"}}"#, "x".repeat(20_000));
    let too_long = unreadable("body", "is longer than 16384 bytes");
    let broken = unreadable("body", "broke off");
    let garbled = unreadable(
        "head",
        "is not that of an HTTP/1 answer, or longer than 16384 bytes",
    );
    let long_head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(64 * 1024));
    let late = "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{".to_owned();
    for (act, expected) in [
        (Act::Silence, GetAnswer::Unclear),
        (Act::AnswerAndReset(String::new()), GetAnswer::Unclear),
        (
            Act::AnswerAndEnd("HTTP/1.1 404 Not".to_owned()),
            GetAnswer::Unclear,
        ),
        (Act::Answer(late.clone()), GetAnswer::Unclear),
        (Act::AnswerAndEnd(late), broken),
        (Act::AnswerAndEnd(answer(200, &huge)), too_long),
        (Act::AnswerAndEnd(long_head), garbled),
        (
            Act::AnswerAndEnd("SSH-2.0-OpenSSH\r\n\r\n".to_owned()),
            garbled,
        ),
    ] {
        let server = ScriptedServer::start([act.clone()]).await;
        let client = server.client(quick());
        assert_eq!(client.get(id()).await, expected, "{act:?}");
        assert_eq!(server.requests().len(), 1);
    }
    let client = HttpProcessor::new(&refused_url().await, quick()).unwrap();
    assert_eq!(client.get(id()).await, GetAnswer::Unreachable);
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
        attempt(&client, &payment(), instant(), true, false).await,
        Outcome::Held("2020-07-10T12:00:00Z".parse().unwrap())
    );
}

#[tokio::test]
async fn a_duplicate_that_nobody_confirms_is_unknown() {
    let acts = [422, 429, 429, 429].map(|status| Act::Answer(answer(status, "")));
    let server = ScriptedServer::start(acts).await;
    let client = server.client(quick());
    assert_eq!(
        attempt(&client, &payment(), instant(), false, false).await,
        Outcome::Unknown(Doubt::Unconfirmed)
    );
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn a_failure_is_looked_up_once() {
    let acts = [503, 429].map(|status| Act::Answer(answer(status, "")));
    let server = ScriptedServer::start(acts).await;
    let client = server.client(quick());
    assert_eq!(
        attempt(&client, &payment(), instant(), false, false).await,
        Outcome::Refused(Refusal::Failing { status: 503 })
    );
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_decline_that_is_vouched_for_is_not_looked_up() {
    let server = ScriptedServer::start([Act::Answer(answer(402, "{}"))]).await;
    let client = server.client(quick());
    assert_eq!(
        attempt(&client, &payment(), instant(), true, true).await,
        Outcome::NotHeld(No::Declined { status: 402 })
    );
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_look_up_that_lets_a_payment_go_has_a_connection_that_carried_nothing_before() {
    let server = ScriptedServer::start([(); 5].map(|()| Act::Answer(answer(404, "{}")))).await;
    let client = server.client(quick());
    assert_eq!(client.get(nth_id(1)).await, GetAnswer::Absent);
    assert_eq!(client.get(nth_id(2)).await, GetAnswer::Absent);
    assert_eq!(server.connections(), 1);
    assert_eq!(client.get_apart(nth_id(3)).await, GetAnswer::Absent);
    assert_eq!(client.get_apart(nth_id(4)).await, GetAnswer::Absent);
    assert_eq!(server.connections(), 3);
    assert_eq!(client.get(nth_id(5)).await, GetAnswer::Absent);
    assert_eq!(server.connections(), 3);
}
