//! From a start without anything to lean on to an end with work in hand.

use std::time::Duration;

use feeway_domain::{Ledger as _, Status};
use feeway_store::{RedisConfig, RedisStore};
use rustix::process::Signal;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};

use crate::front::until;
use crate::process::Started;

const UNREACHABLE: &str = "http://127.0.0.1:9";

async fn readyz(started: &Started) -> (u16, Value) {
    let mut operator = started.operator().await;
    let reply = operator.ask("GET", "/readyz").await;
    (reply.status, reply.json())
}

#[tokio::test]
async fn a_front_that_starts_first_says_what_it_waits_for_and_is_ready_once_redis_is() {
    let started = Started::with_processor(UNREACHABLE);
    let (status, body) = readyz(&started).await;
    assert_eq!(status, 503);
    let detail = body["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("this front is waiting for Redis: "),
        "{detail}"
    );
    assert_eq!(
        (&body["ready"], &body["accepting"]),
        (&false.into(), &false.into())
    );
    let reason = body["reason"].as_str().unwrap();
    assert!(reason.starts_with("no connection to Redis: "), "{reason}");
    assert_eq!(body["redis"], "away");
    assert_eq!(body["clockOffsetMs"], Value::Null);
    let healthz = started.operator().await.ask("GET", "/healthz").await;
    assert_eq!(healthz.status, 200);

    // Long enough for thirty attempts to connect.
    sleep(Duration::from_secs(3)).await;
    assert_eq!(started.logged("waiting for Redis"), 1);
    assert_eq!(started.logged("no connection to Redis"), 1);
    assert_eq!(started.logged("no connection to NATS"), 1);
    assert_eq!(started.logged(r#""ready""#), 0);

    let mut redis = started.start_redis_with(&[]);
    started.until_ready(200).await;
    assert_eq!(started.logged(r#""ready""#), 1);
    // The offset is known with the first heartbeat, just after the front is ready.
    let (status, body) = loop {
        let (status, body) = readyz(&started).await;
        if !body["clockOffsetMs"].is_null() {
            break (status, body);
        }
    };
    assert_eq!(status, 200);
    assert_eq!(
        (&body["ready"], &body["accepting"]),
        (&true.into(), &true.into())
    );
    assert_eq!(body["reason"], Value::Null);
    assert_eq!(body["redis"], "up");
    assert_eq!(body["nats"], "away");
    let offset = body["clockOffsetMs"].as_f64().unwrap();
    assert!(offset.abs() < 1000.0, "one machine, one clock: {offset} ms");

    // An absence of Redis must not take every front out at once.
    redis.send(Signal::KILL);
    redis.end().await;
    let away = async {
        loop {
            let (status, body) = readyz(&started).await;
            assert_eq!(status, 200);
            if body["redis"] == "away" {
                return;
            }
        }
    };
    timeout(Duration::from_secs(5), away).await.unwrap();
    assert_eq!(started.logged("connected to Redis"), 1);
}

#[tokio::test]
async fn a_redis_that_refuses_our_functions_is_named_and_tried_again() {
    let started = Started::with_processor(UNREACHABLE);
    until(|| started.logged("no connection to Redis") == 1).await;
    let mut redis = started.start_redis_with(&["--rename-command", "FUNCTION", ""]);
    until(|| started.logged("unknown command") == 1).await;
    let (status, body) = readyz(&started).await;
    assert_eq!((status, &body["redis"]), (503, &Value::from("away")));
    redis.send(Signal::KILL);
    redis.end().await;
    let _redis = started.start_redis_with(&[]);
    started.until_ready(200).await;
    assert_eq!(started.logged("unknown command"), 1);
}

#[tokio::test]
async fn sigterm_with_attempts_in_flight_leaves_them_in_the_journal_within_ten_seconds() {
    // It takes every connection and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let mut started = Started::with_processor(&format!("http://{address}"));
    let _redis = started.start_redis_with(&[]);
    started.until_ready(200).await;
    let id = |number: u32| format!("4a7901b8-7d26-4d9d-aa19-{number:012x}");
    let mut client = started.client().await;
    let mut held = Vec::new();
    for number in 0..20 {
        let body = format!(r#"{{"correlationId":"{}","amount":19.9}}"#, id(number));
        assert_eq!(client.post(&body).await.status, 202);
        held.push(silent.accept().await.unwrap());
    }
    // A request in hand whose body never comes to an end.
    let mut unfinished = started.client().await;
    unfinished
        .write("POST /payments HTTP/1.1\r\nhost: x\r\ncontent-length: 70\r\n\r\n{")
        .await;

    let told = Instant::now();
    started.front.send(Signal::TERM);
    started.until_ready(503).await;
    assert_eq!(started.front.end().await, Some(0));
    assert!(told.elapsed() < Duration::from_secs(10));
    assert!(!started.socket.exists());

    let redis = format!("unix://{}", started.redis_socket.display());
    let store = RedisStore::new(RedisConfig::new(redis.parse().unwrap()));
    store.redis().ready().await.unwrap();
    for number in 0..20 {
        let found = store.find(id(number).parse().unwrap()).await.unwrap();
        let status = found.map(|state| state.status);
        let processor = Some("default".parse().unwrap());
        assert_eq!(status, Some(Status::Open { processor }), "{number}");
    }
}
