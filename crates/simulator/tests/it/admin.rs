use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::Client;
use crate::running::{id, payment, start, until};

const REQUESTS: [(&str, &str); 14] = [
    ("GET", "/admin/payments-summary"),
    ("GET", "/admin/dump"),
    ("GET", "/admin/stats"),
    ("GET", "/admin/asks"),
    ("GET", "/admin/chaos"),
    ("PUT", "/admin/chaos"),
    ("GET", "/admin/rules"),
    ("PUT", "/admin/rules"),
    ("GET", "/admin/payments"),
    (
        "GET",
        "/admin/payments/00000000-0000-0000-0000-000000000001",
    ),
    ("PUT", "/admin/configurations/token"),
    ("PUT", "/admin/configurations/delay"),
    ("PUT", "/admin/configurations/failure"),
    ("POST", "/admin/purge-payments"),
];

#[tokio::test]
async fn without_the_token_nothing_is_told_or_changed() {
    let simulator = start().await;
    assert_eq!(simulator.pay(id(1)).await, 200);
    for token in ["", "1234", "12"] {
        for (method, path) in REQUESTS {
            let mut client = Client::connect(simulator.address).await;
            client.token = token;
            let reply = client.send(method, path, "{}").await.unwrap();
            assert_eq!(reply.status, 401, "{method} {path} {token}");
            assert_eq!(reply.text, "");
        }
    }
    assert!(simulator.holds(id(1)));
}

#[tokio::test]
async fn the_token_can_be_changed() {
    let simulator = start().await;
    let reply = simulator
        .put("/admin/configurations/token", r#"{"token":"other"}"#)
        .await;
    assert_eq!(reply.status, 204);
    assert_eq!(simulator.get("/admin/asks").await.status, 401);
    let mut client = Client::connect(simulator.address).await;
    client.token = "other";
    assert_eq!(client.get("/admin/asks").await.unwrap().status, 200);
}

#[tokio::test]
async fn delay_and_failure_can_be_switched() {
    let simulator = start().await;
    let delay = simulator
        .put("/admin/configurations/delay", r#"{"delay":7}"#)
        .await;
    let failure = simulator
        .put("/admin/configurations/failure", r#"{"failure":true}"#)
        .await;
    assert_eq!((delay.status, failure.status), (200, 200));
    assert_eq!(simulator.pay(id(1)).await, 500);
    let health = simulator.get("/payments/service-health").await;
    assert_eq!(
        health.json(),
        json!({"failing": true, "minResponseTime": 7})
    );
}

#[tokio::test]
async fn a_malformed_change_is_refused_and_changes_nothing() {
    let simulator = start().await;
    for (path, body) in [
        ("/admin/configurations/delay", r#"{"delay":-1}"#),
        ("/admin/configurations/delay", r#"{"delay":3600001}"#),
        ("/admin/configurations/delay", ""),
        ("/admin/configurations/failure", r#"{"failure":1}"#),
        ("/admin/configurations/token", "{}"),
        ("/admin/chaos", r#"{"refuse":2}"#),
        ("/admin/chaos", r#"{"hang":1}"#),
    ] {
        assert_eq!(simulator.put(path, body).await.status, 400, "{path} {body}");
    }
    let health = simulator.get("/payments/service-health").await;
    assert_eq!(
        health.json(),
        json!({"failing": false, "minResponseTime": 0})
    );
}

#[tokio::test]
async fn a_purge_empties_the_books() {
    let simulator = start().await;
    assert_eq!(simulator.pay(id(1)).await, 200);
    assert_eq!(
        simulator.post("/admin/purge-payments", "").await.status,
        200
    );
    assert!(!simulator.holds(id(1)));
    assert_eq!(simulator.get("/admin/dump").await.text, "");
    assert_eq!(simulator.pay(id(1)).await, 200, "the id is free again");
}

#[tokio::test]
async fn a_dump_lists_every_payment_of_a_large_book_once() {
    let simulator = start().await;
    let mut client = Client::connect(simulator.address).await;
    for number in 0..1_500 {
        let body = payment(id(number), "19.9", "2025-07-15T12:34:56.001Z");
        assert_eq!(
            client
                .send("POST", "/payments", &body)
                .await
                .unwrap()
                .status,
            200
        );
    }
    let dump = simulator.get("/admin/dump").await;
    assert_eq!(dump.headers["content-type"], "application/x-ndjson");
    let lines: BTreeSet<&str> = dump.text.lines().collect();
    assert_eq!(lines.len(), 1_500);
    assert_eq!(dump.text.lines().count(), 1_500);
    for (number, line) in lines.into_iter().enumerate() {
        let id = id(number as u128);
        assert_eq!(
            line,
            format!(
                r#"{{"correlationId":"{id}","amount":19.90,"requestedAt":"2025-07-15T12:34:56.001000Z"}}"#
            )
        );
    }
}

#[tokio::test]
async fn a_dump_of_exactly_one_page_ends() {
    let simulator = start().await;
    let mut client = Client::connect(simulator.address).await;
    for number in 0..500 {
        client.pay(id(number)).await.unwrap();
    }
    assert_eq!(
        client
            .get("/admin/dump")
            .await
            .unwrap()
            .text
            .lines()
            .count(),
        500
    );
    assert_eq!(client.get("/admin/asks").await.unwrap().text, "[]");
}

#[tokio::test]
async fn the_stats_count_posts_by_their_end_and_by_second() {
    let simulator = start().await;
    for number in [1, 2, 2] {
        simulator.pay(id(number)).await;
    }
    simulator.post("/payments", "").await;
    simulator.control.set_failing(true);
    simulator.pay(id(3)).await;
    let stats = simulator.get("/admin/stats").await.json();
    for (name, count) in [
        ("posts", 5),
        ("duplicates", 1),
        ("malformed", 1),
        ("failed", 1),
        ("busy", 0),
        ("payments", 2),
        ("working", 0),
        ("queued", 0),
    ] {
        assert_eq!(stats[name], count, "{name}");
    }
    let seconds = stats["perSecond"].as_array().unwrap();
    assert_eq!(seconds.len(), 120);
    let posts = |second: &Value| second["posts"].as_u64().unwrap();
    assert_eq!(seconds.iter().map(posts).sum::<u64>(), 5);
    let instants: Vec<_> = seconds.iter().map(|s| s["second"].as_i64()).collect();
    assert!(instants.is_sorted());
    until(|| simulator.control.posts() == 5).await;
}
