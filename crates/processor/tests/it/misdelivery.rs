//! Answers that come to the wrong request, or to none.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use feeway_domain::{CorrelationId, Doubt, GetAnswer, PostAnswer, ProcessorClient, Unreadable};
use feeway_processor::HttpProcessor;
use feeway_testing::CaughtLog;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use crate::scripted_server::{Act, ScriptedServer, answer, instant, nth_id, payment_with, quick};

/// Long enough for the first answer to be read before.
const LATE: Duration = Duration::from_millis(100);

/// As processors answer: it does not say whose payment it is.
fn ok() -> String {
    answer(200, r#"{"message":"payment processed successfully"}"#)
}

fn ok_with(id: CorrelationId) -> String {
    answer(200, &format!(r#"{{"correlationId":"{id}"}}"#))
}

/// An answer, and another one later.
fn twice() -> Act {
    Act::AnswerInParts(vec![ok(), ok()], LATE)
}

async fn post(client: &HttpProcessor, number: u16) -> PostAnswer {
    client.post(&payment_with(nth_id(number)), instant()).await
}

async fn misdelivered(client: &HttpProcessor) -> Vec<CorrelationId> {
    let ids = timeout(Duration::from_secs(5), client.misdelivered()).await;
    ids.expect("the second answer is noticed")
}

async fn assert_nothing_misdelivered(client: &HttpProcessor) {
    let ids = timeout(LATE, client.misdelivered()).await;
    assert!(ids.is_err(), "{ids:?}");
}

#[tokio::test]
async fn an_answer_that_a_later_request_got_is_noticed_by_what_is_left_over() {
    let log = CaughtLog::start();
    let acts = [
        Act::AnswerAgain(ok(), Duration::from_millis(36)),
        Act::Answer(ok()),
        Act::Answer(ok()),
        Act::Answer(ok_with(nth_id(4))),
        Act::Answer(answer(204, "")),
    ];
    let server = ScriptedServer::start(acts).await;
    let client = server.client(quick());
    assert_eq!(post(&client, 1).await, PostAnswer::Stored);
    // It gets the second answer to the first, 36 ms late.
    assert_eq!(post(&client, 2).await, PostAnswer::Stored);
    assert_eq!(misdelivered(&client).await, [nth_id(1), nth_id(2)]);
    assert_eq!(server.connections(), 1);
    server.until_ended(1).await;

    // From now on each has a connection of its own, and only its id shows whose an answer is.
    assert_eq!(post(&client, 3).await, PostAnswer::Inconclusive);
    assert_eq!(post(&client, 4).await, PostAnswer::Stored);
    assert_eq!(post(&client, 5).await, PostAnswer::Inconclusive);
    assert_eq!(server.connections(), 4);
    server.until_ended(4).await;
    assert_nothing_misdelivered(&client).await;

    let errors = log.lines("ERROR", &server.url);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("payments=2"), "{errors:?}");
}

#[tokio::test]
async fn two_answers_in_one_segment_are_noticed() {
    let acts = [
        Act::Answer(ok()),
        Act::Answer(ok() + &ok()),
        Act::Answer(ok()),
    ];
    let server = ScriptedServer::start(acts).await;
    let client = server.client(quick());
    assert_eq!(post(&client, 1).await, PostAnswer::Stored);
    // It is known before the answer is read.
    assert_eq!(post(&client, 2).await, PostAnswer::Inconclusive);
    assert_eq!(misdelivered(&client).await, [nth_id(1)]);
    assert_eq!(post(&client, 3).await, PostAnswer::Inconclusive);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn an_answer_with_our_id_counts_also_where_two_came() {
    let two = ok_with(nth_id(1)) + &ok_with(nth_id(1));
    let server = ScriptedServer::start([Act::Answer(two), Act::Answer(ok())]).await;
    let client = server.client(quick());
    assert_eq!(post(&client, 1).await, PostAnswer::Stored);
    assert_eq!(post(&client, 2).await, PostAnswer::Inconclusive);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_second_answer_on_a_connection_that_rests_is_noticed() {
    let acts = [Act::Answer(ok()), twice(), Act::Answer(ok())];
    let server = ScriptedServer::start(acts).await;
    let client = server.client(quick());
    assert_eq!(post(&client, 1).await, PostAnswer::Stored);
    assert_eq!(post(&client, 2).await, PostAnswer::Stored);
    assert_eq!(misdelivered(&client).await, [nth_id(1), nth_id(2)]);
    assert_eq!(post(&client, 3).await, PostAnswer::Inconclusive);
    assert_eq!(server.connections(), 2);
}

/// The runtime has not seen the bytes when the connection is taken: it stands still meanwhile.
#[tokio::test]
async fn a_second_answer_is_noticed_at_the_moment_when_the_connection_is_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (go, gone) = mpsc::channel::<()>();
    let (wrote, written) = mpsc::channel();
    let server = thread::spawn(move || {
        let (mut first, _) = listener.accept().unwrap();
        read_post(&mut first);
        first.write_all(ok().as_bytes()).unwrap();
        gone.recv().unwrap();
        first.write_all(ok().as_bytes()).unwrap();
        wrote.send(()).unwrap();
        let (mut second, _) = listener.accept().unwrap();
        read_post(&mut second);
        second.write_all(ok_with(nth_id(2)).as_bytes()).unwrap();
        let mut rest = Vec::new();
        // A reset says the same: the second answer was not read to its end.
        first.read_to_end(&mut rest).ok();
        String::from_utf8(rest).unwrap()
    });
    let client = HttpProcessor::new(&url, quick()).unwrap();
    assert_eq!(post(&client, 1).await, PostAnswer::Stored);
    go.send(()).unwrap();
    written.recv().unwrap();
    assert_eq!(post(&client, 2).await, PostAnswer::Stored);
    assert_eq!(misdelivered(&client).await, [nth_id(1)]);
    drop(client);
    assert_eq!(server.join().unwrap(), "", "sent on the first connection");
}

fn read_post(stream: &mut TcpStream) {
    let mut read = Vec::new();
    let mut byte = [0];
    // The body of a payment ends with its only bracket.
    while !read.ends_with(b"Z\"}") {
        stream.read_exact(&mut byte).unwrap();
        read.extend(byte);
    }
}

#[tokio::test]
async fn a_second_answer_on_a_connection_that_is_full_is_noticed() {
    let mut acts = vec![Act::Answer(ok()); 511];
    acts.extend([twice(), Act::Answer(ok())]);
    let server = ScriptedServer::start(acts).await;
    let client = server.client(quick());
    for number in 1..=512 {
        assert_eq!(post(&client, number).await, PostAnswer::Stored, "{number}");
    }
    let ids: Vec<_> = (1..=512).map(nth_id).collect();
    assert_eq!(misdelivered(&client).await, ids);
    assert_eq!(post(&client, 513).await, PostAnswer::Inconclusive);
    assert_eq!(server.connections(), 2);
}

/// The answers of both begin to come at the same time, so both connections exist by then.
#[tokio::test]
async fn every_connection_that_was_open_is_watched_further() {
    let slow = |answers: usize| Act::AnswerInParts(vec![ok(); answers], LATE);
    let server = ScriptedServer::start([slow(2), slow(3), Act::Answer(ok())]).await;
    let client = server.client(quick());
    let both = tokio::join!(post(&client, 1), post(&client, 2));
    assert_eq!(both, (PostAnswer::Stored, PostAnswer::Stored));
    let mut ids = misdelivered(&client).await;
    ids.extend(misdelivered(&client).await);
    ids.sort_unstable();
    assert_eq!(ids, [nth_id(1), nth_id(2)]);
    assert_eq!(server.connections(), 2);
    assert_eq!(post(&client, 3).await, PostAnswer::Inconclusive);
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn an_answer_to_another_payment_is_noticed_by_its_id() {
    let acts = [
        Act::Answer(ok()),
        Act::Answer(ok_with(nth_id(1))),
        Act::Answer(ok()),
    ];
    let server = ScriptedServer::start(acts).await;
    let client = server.client(quick());
    assert_eq!(post(&client, 1).await, PostAnswer::Stored);
    assert_eq!(post(&client, 2).await, PostAnswer::Inconclusive);
    assert_eq!(misdelivered(&client).await, [nth_id(1), nth_id(2)]);
    server.until_ended(1).await;
    assert_eq!(post(&client, 3).await, PostAnswer::Inconclusive);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_look_up_of_another_payment_is_noticed_too() {
    let other = format!(
        r#"{{"correlationId":"{}","amount":19.9,"requestedAt":"2020-07-10T12:34:56Z"}}"#,
        nth_id(1)
    );
    let acts = [Act::Answer(ok()), Act::Answer(answer(200, &other))];
    let server = ScriptedServer::start(acts).await;
    let client = server.client(quick());
    assert_eq!(post(&client, 1).await, PostAnswer::Stored);
    let expected = Unreadable {
        field: "correlationId",
        reason: "is another payment's",
    };
    assert_eq!(client.get(nth_id(2)).await, GetAnswer::Unreadable(expected));
    assert_eq!(misdelivered(&client).await, [nth_id(1)]);
}

#[tokio::test]
async fn every_payment_that_was_answered_is_handed_out_and_no_look_up() {
    let acts = [
        Act::Answer(ok()),
        Act::Answer(answer(402, "{}")),
        Act::Answer(answer(200, r#"{"status":"pending"}"#)),
        Act::Answer(answer(404, "")),
        Act::Answer(answer(500, "{}")),
        twice(),
    ];
    let server = ScriptedServer::start(acts).await;
    let client = server.client(quick());
    for number in 1..=3 {
        post(&client, number).await;
    }
    client.get(nth_id(9)).await;
    for number in 4..=5 {
        post(&client, number).await;
    }
    let expected = [1, 2, 3, 4, 5].map(nth_id);
    assert_eq!(misdelivered(&client).await, expected);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn health_and_look_ups_are_watched_as_well() {
    for (acts, look_up) in [(200, true), (429, false)].map(|(status, look_up)| {
        let once = Act::Answer(ok());
        let twice = vec![answer(status, "{}"), answer(status, "{}")];
        ([once, Act::AnswerInParts(twice, LATE)], look_up)
    }) {
        let server = ScriptedServer::start(acts).await;
        let client = server.client(quick());
        assert_eq!(post(&client, 1).await, PostAnswer::Stored);
        if look_up {
            client.get(nth_id(1)).await;
        } else {
            client.health().await;
        }
        assert_eq!(misdelivered(&client).await, [nth_id(1)]);
    }
}

/// Load balancers say so before they close what has rested too long.
#[tokio::test]
async fn a_closing_408_is_not_an_unrequested_answer() {
    let farewell = "HTTP/1.1 408 Request Time-out\r\nconnection: close\r\n\r\n".to_owned();
    let acts = [
        Act::AnswerInParts(vec![ok(), farewell], LATE),
        Act::Answer(ok()),
        Act::Answer(ok()),
    ];
    let server = ScriptedServer::start(acts).await;
    let client = server.client(quick());
    assert_eq!(post(&client, 1).await, PostAnswer::Stored);
    server.until_ended(1).await;
    assert_eq!(post(&client, 2).await, PostAnswer::Stored);
    assert_eq!(post(&client, 3).await, PostAnswer::Stored);
    assert_eq!(server.connections(), 2);
    assert_nothing_misdelivered(&client).await;
}

/// What comes before the first request has been taken for nobody's answer.
#[tokio::test]
async fn a_greeting_is_not_an_unrequested_answer() {
    let log = CaughtLog::start();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream
                .write_all(b"220 mail.example ESMTP\r\n")
                .await
                .unwrap();
            open.push(stream);
        }
    });
    let client = HttpProcessor::new(&url, quick()).unwrap();
    client.warm_up().await;
    assert_nothing_misdelivered(&client).await;
    // The greeting is there before the request is written, or taken for its answer.
    let answer = post(&client, 1).await;
    assert!(
        matches!(
            answer,
            PostAnswer::Unreachable | PostAnswer::Lost(Doubt::Unclear)
        ),
        "{answer:?}"
    );
    assert_nothing_misdelivered(&client).await;
    assert_eq!(log.lines("ERROR", ""), Vec::<String>::new());
    server.abort();
}

#[tokio::test]
async fn an_answer_that_breaks_off_or_comes_too_late_is_none_of_these() {
    let acts = [
        Act::Answer(ok()),
        Act::AnswerInParts(
            vec![ok()[..60].to_owned(), ok()],
            Duration::from_millis(280),
        ),
        Act::Answer(ok()),
        Act::AnswerAndEnd(ok()[..70].to_owned()),
        Act::Answer(ok()),
        Act::Answer("nonsense\r\n\r\n and more".to_owned()),
        Act::Answer(ok()),
    ];
    let server = ScriptedServer::start(acts).await;
    let client = server.client(quick());
    for number in 1..=7 {
        let is_stored = post(&client, number).await == PostAnswer::Stored;
        assert_eq!(is_stored, number % 2 == 1, "{number}");
    }
    assert_nothing_misdelivered(&client).await;
    assert_eq!(server.connections(), 4);
}
