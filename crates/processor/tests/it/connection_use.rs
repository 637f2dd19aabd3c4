use std::time::Duration;

use feeway_domain::{PostAnswer, ProcessorClient};
use feeway_processor::HttpProcessorConfig;
use tokio::time::Instant;

use crate::scripted_server::{Act, ScriptedServer, answer, instant, payment, quick};

#[tokio::test]
async fn one_connection_serves_one_request_after_another() {
    let acts = (0..30).map(|n| match n % 2 {
        0 => Act::Answer(answer(200, "")),
        _ => Act::Answer(answer(200, r#"{"message":"ok"}"#)),
    });
    let server = ScriptedServer::start(acts).await;
    let client = server.client(quick());
    for _ in 0..30 {
        assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn an_answer_in_chunks_keeps_its_connection() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    let server = ScriptedServer::start(vec![Act::Answer(chunked.to_owned()); 10]).await;
    // The end of the chunks is read beside the next request, which waits for it when it
    // may not have another connection.
    let config = HttpProcessorConfig {
        max_connections: 1,
        ..quick()
    };
    let client = server.client(config);
    for _ in 0..10 {
        assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_body_that_comes_late_is_waited_for_and_keeps_its_connection() {
    let parts = vec![
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n".to_owned(),
        "{}".to_owned(),
        "  ".to_owned(),
    ];
    let pause = Duration::from_millis(40);
    let server = ScriptedServer::start([
        Act::AnswerInParts(parts, pause),
        Act::Answer(answer(200, "")),
    ])
    .await;
    let client = server.client(quick());
    let start = Instant::now();
    assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
    assert!(start.elapsed() >= 3 * pause);
    assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
    assert_eq!(server.connections(), 1);
}

/// Where the status says all, nobody waits for the body.
#[tokio::test]
async fn a_body_that_nobody_needs_delays_nobody_and_keeps_its_connection() {
    let parts = vec![
        "HTTP/1.1 202 Accepted\r\ncontent-length: 4\r\n\r\n".to_owned(),
        "{}".to_owned(),
        "  ".to_owned(),
    ];
    let pause = Duration::from_millis(100);
    let server = ScriptedServer::start([
        Act::AnswerInParts(parts, pause),
        Act::Answer(answer(200, "")),
    ])
    .await;
    let config = HttpProcessorConfig {
        max_connections: 1,
        attempt_timeout: Duration::from_secs(2),
        ..quick()
    };
    let client = server.client(config);
    let start = Instant::now();
    let post = client.post(&payment(), instant()).await;
    assert_eq!(post, PostAnswer::Inconclusive);
    assert!(start.elapsed() < 2 * pause, "{:?}", start.elapsed());
    // With one connection allowed, the next request waits until the body is through.
    assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
    assert!(start.elapsed() >= 3 * pause);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_body_without_end_costs_its_connection_and_proves_nothing() {
    let announced = "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n".to_owned();
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned()
        + &format!("1000\r\n{}\r\n", "x".repeat(0x1000)).repeat(5);
    let closed = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(40_000));
    for endless in [announced, chunked, closed] {
        let server =
            ScriptedServer::start([Act::Answer(endless), Act::Answer(answer(200, ""))]).await;
        let client = server.client(quick());
        let post = client.post(&payment(), instant()).await;
        assert_eq!(post, PostAnswer::Inconclusive);
        server.until_ended(1).await;
        assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
        assert_eq!(server.connections(), 2);
    }
}

#[tokio::test]
async fn a_connection_is_replaced_after_512_payments() {
    let server = ScriptedServer::start(vec![Act::Answer(answer(200, "{}")); 520]).await;
    let client = server.client(quick());
    for number in 0..520 {
        // Look-ups and other questions do not count.
        assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
        let expected = if number < 512 { 1 } else { 2 };
        assert_eq!(server.connections(), expected, "{number}");
    }
}

/// Also when it is never without use.
#[tokio::test]
async fn a_connection_is_replaced_when_its_time_is_over() {
    let server = ScriptedServer::start(vec![Act::Answer(answer(200, "{}")); 1_000]).await;
    let life = Duration::from_millis(400);
    let config = HttpProcessorConfig {
        connection_life: life,
        ..quick()
    };
    let client = server.client(config);
    let start = Instant::now();
    while server.connections() < 3 {
        assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Up to a quarter is taken off.
    assert!(start.elapsed() >= 2 * life * 3 / 4, "{:?}", start.elapsed());
    // One that rested until then carries nothing more either, whatever it is asked for.
    tokio::time::sleep(life).await;
    client.get(payment().id).await;
    assert_eq!(server.connections(), 4);
}

#[tokio::test]
async fn connections_are_limited_and_requests_beyond_wait() {
    let slow = || Act::AnswerInParts(vec![answer(200, "")], Duration::from_millis(50));
    let server = ScriptedServer::start((0..12).map(|_| slow())).await;
    let config = HttpProcessorConfig {
        max_connections: 3,
        ..quick()
    };
    let client = server.client(config);
    let posts: Vec<_> = (0..12)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.post(&payment(), instant()).await })
        })
        .collect();
    for post in posts {
        assert_eq!(post.await.unwrap(), PostAnswer::Stored);
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn a_request_that_gets_no_turn_in_time_sends_nothing() {
    let server = ScriptedServer::start([Act::Silence]).await;
    let config = HttpProcessorConfig {
        max_connections: 1,
        attempt_timeout: Duration::from_secs(5),
        ..quick()
    };
    let client = server.client(config);
    let hanging = client.clone();
    let hanging = tokio::spawn(async move { hanging.post(&payment(), instant()).await });
    while server.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    // A look-up has the shorter time-out.
    assert_eq!(
        client.get(payment().id).await,
        feeway_domain::GetAnswer::Unclear
    );
    assert_eq!(server.connections(), 1);
    hanging.abort();
}

#[tokio::test]
async fn a_connection_that_the_server_closed_between_requests_is_replaced() {
    let server = ScriptedServer::start([
        Act::AnswerAndEnd(answer(200, "{}")),
        Act::Answer(answer(200, "{}")),
    ])
    .await;
    let client = server.client(quick());
    assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
    server.until_ended(1).await;
    assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
    assert_eq!(server.connections(), 2);
    assert_eq!(server.requests().len(), 2);
}

/// The moment of the reset varies against that of the next POST; whatever happens, a
/// request is read at most once, and a success means that it was.
#[tokio::test]
async fn a_connection_reset_between_requests_never_doubles_one() {
    for _ in 0..50 {
        let server = ScriptedServer::start([
            Act::AnswerAndReset(answer(200, "{}")),
            Act::Answer(answer(200, "{}")),
        ])
        .await;
        let client = server.client(quick());
        let first = client.post(&payment(), instant()).await;
        let read_before = server.requests().len();
        assert_eq!(read_before, 1);
        if first != PostAnswer::Stored {
            // The reset overtook the answer.
            continue;
        }
        let second = client.post(&payment(), instant()).await;
        match (second, server.requests().len() - read_before) {
            (PostAnswer::Stored, 1) | (PostAnswer::Lost(_), 0) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_connection_without_use_is_closed() {
    let server =
        ScriptedServer::start([Act::Answer(answer(200, "")), Act::Answer(answer(200, ""))]).await;
    let config = HttpProcessorConfig {
        idle_timeout: Duration::from_millis(100),
        ..quick()
    };
    let client = server.client(config);
    for connections in 1..=2 {
        let start = Instant::now();
        assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
        server.until_ended(connections).await;
        assert!(start.elapsed() >= Duration::from_millis(100));
        assert_eq!(server.connections(), connections);
    }
}

#[tokio::test]
async fn a_warm_connection_is_the_one_that_is_used() {
    let server = ScriptedServer::start([Act::Answer(answer(200, ""))]).await;
    let client = server.client(quick());
    client.warm_up().await;
    client.warm_up().await;
    assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
    assert_eq!(server.connections(), 1);
}
