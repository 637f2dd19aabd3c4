//! What rules do to look-ups and to the health, and how they are set.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::Client;
use crate::running::{AT, Running, id, payment, start, until};
use crate::wire::Wire;

const HEALTH: &str = "/payments/service-health";

/// A simulator that holds one payment and has one rule for every look-up.
async fn look_ups(rule: &str) -> Running {
    let simulator = start().await;
    assert_eq!(simulator.pay(id(1)).await, 200);
    simulator.rules(&format!(r#"{{"rules":[{{"lookUp":{rule}}}]}}"#));
    simulator
}

fn path(number: u128) -> String {
    format!("/payments/{}", id(number))
}

#[tokio::test]
async fn a_payment_is_found_as_told() {
    let found = |amount: &str, at: &str| {
        let id = id(1);
        format!(r#"{{"correlationId":"{id}","amount":{amount},"requestedAt":"{at}"}}"#)
    };
    let usual = found("19.90", "2025-07-15T12:34:56");
    for (rule, status, text) in [
        ("{}", 200, usual.clone()),
        (r#"{"status":404}"#, 404, String::new()),
        (r#"{"status":503,"body":"sorry"}"#, 503, "sorry".to_owned()),
        (r#"{"lagMs":3600000}"#, 404, String::new()),
        (r#"{"lagMs":0}"#, 200, usual.clone()),
        (
            r#"{"instant":"offsetTwo","amount":"string"}"#,
            200,
            found("\"19.90\"", "2025-07-15T14:34:56.000000+02:00"),
        ),
        (
            r#"{"wrappedIn":"data"}"#,
            200,
            format!("{{\"data\":{usual}}}"),
        ),
        (
            r#"{"adds":{"status":"pending"}}"#,
            200,
            usual.replace("56\"}", "56\",\"status\":\"pending\"}"),
        ),
        (r#"{"bodyBytes":20000}"#, 200, format!("{usual:<20000}")),
    ] {
        let simulator = look_ups(rule).await;
        let reply = simulator.get(&path(1)).await;
        assert_eq!((reply.status, reply.text), (status, text), "{rule}");
        assert!(simulator.holds(id(1)), "{rule}");
    }
}

#[tokio::test]
async fn an_unknown_payment_is_not_found_unless_a_rule_says_otherwise() {
    for (rule, status) in [
        ("{}", 404),
        (r#"{"status":503}"#, 503),
        (r#"{"status":200}"#, 200),
    ] {
        let reply = look_ups(rule).await.get(&path(2)).await;
        assert_eq!((reply.status, reply.text.as_str()), (status, ""), "{rule}");
    }
    let simulator = look_ups(r#"{"ifAbsent":410}"#).await;
    assert_eq!(simulator.get(&path(2)).await.status, 410);
    assert_eq!(simulator.get(&path(1)).await.status, 200);
}

#[tokio::test]
async fn some_look_ups_of_a_held_payment_may_miss_it() {
    let simulator = look_ups(r#"{"missesEvery":3}"#).await;
    for expected in [200, 200, 404, 200, 200, 404] {
        assert_eq!(simulator.get(&path(1)).await.status, expected);
    }
}

#[tokio::test]
async fn what_is_no_payment_or_no_id_is_answered_as_told() {
    let simulator = start().await;
    assert_eq!(simulator.get("/payments/seven").await.status, 400);
    simulator.rules(r#"{"malformed":{"status":422,"body":"no"}}"#);
    let replies = [
        simulator.post("/payments", "{").await,
        simulator.post("/payments", &payment(id(1), "-1", AT)).await,
        simulator.get("/payments/seven").await,
    ];
    for reply in replies {
        assert_eq!((reply.status, reply.text.as_str()), (422, "no"));
    }
    assert_eq!(simulator.pay(id(2)).await, 200);
    assert!(!simulator.holds(id(1)));
}

#[tokio::test]
async fn a_payment_is_found_when_the_lag_is_over_and_the_books_have_it_at_once() {
    let simulator = look_ups(r#"{"lagMs":200}"#).await;
    let started = Instant::now();
    assert_eq!(simulator.pay(id(2)).await, 200);
    assert_eq!(simulator.get(&path(2)).await.status, 404);
    assert_eq!(simulator.get("/admin/dump").await.text.lines().count(), 2);
    while simulator.get(&path(2)).await.status == 404 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(started.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_look_up_is_late_or_never_answered() {
    let simulator = look_ups(r#"{"delayMs":100,"first":1}"#).await;
    let started = Instant::now();
    assert_eq!(simulator.get(&path(1)).await.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(100));

    let simulator = look_ups(r#"{"ends":"hang"}"#).await;
    let mut wire = Wire::connect(simulator.address).await;
    wire.get(&path(1)).await;
    assert!(wire.is_silent(Duration::from_millis(50)).await);
    assert_eq!(simulator.control.working(), 0);

    let simulator = look_ups(r#"{"raw":"nonsense","ends":"close"}"#).await;
    let mut wire = Wire::connect(simulator.address).await;
    wire.get(&path(1)).await;
    assert_eq!(wire.rest().await, "nonsense");
}

#[tokio::test]
async fn the_health_is_answered_as_told_and_everybody_s() {
    for (rule, status, text) in [
        ("{}", 200, r#"{"failing":false,"minResponseTime":0}"#),
        (r#"{"status":404}"#, 404, ""),
        (r#"{"status":503,"body":{"a":1}}"#, 503, r#"{"a":1}"#),
        (
            r#"{"body":{"failing":true,"minResponseTime":9}}"#,
            200,
            r#"{"failing":true,"minResponseTime":9}"#,
        ),
    ] {
        let simulator = start().await;
        simulator.rules(&format!(r#"{{"health":{rule}}}"#));
        for _ in 0..4 {
            let reply = simulator.get(HEALTH).await;
            assert_eq!(
                (reply.status, reply.text.as_str()),
                (status, text),
                "{rule}"
            );
        }
        assert_eq!(simulator.control.asks().len(), 4);
    }
}

#[tokio::test]
async fn the_health_is_late_or_never_answered() {
    let simulator = start().await;
    simulator.rules(r#"{"health":{"delayMs":100}}"#);
    let started = Instant::now();
    assert_eq!(simulator.get(HEALTH).await.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(100));
    simulator.rules(r#"{"health":{"ends":"hang"}}"#);
    let mut wire = Wire::connect(simulator.address).await;
    wire.get(HEALTH).await;
    assert!(wire.is_silent(Duration::from_millis(50)).await);
    simulator.rules(r#"{"health":{"raw":"\u00ff","ends":"reset"}}"#);
    let mut client = Client::connect(simulator.address).await;
    client.get(HEALTH).await.unwrap_err();
}

#[tokio::test]
async fn a_preset_is_a_whole_processor() {
    for (preset, status, retry_after) in
        [("deadProxy", 503, None), ("rateLimited", 429, Some("60"))]
    {
        let simulator = start().await;
        let reply = simulator
            .put("/admin/rules", &format!(r#"{{"preset":"{preset}"}}"#))
            .await;
        assert_eq!(reply.status, 200);
        let replies = [
            simulator.post("/payments", &payment(id(1), "1", AT)).await,
            simulator.get(&path(1)).await,
            simulator.get(HEALTH).await,
        ];
        for reply in replies {
            assert_eq!(reply.status, status, "{preset}");
            let told = reply.headers.get("retry-after");
            assert_eq!(told.map(|value| value.to_str().unwrap()), retry_after);
        }
        assert!(!simulator.holds(id(1)));
    }
}

#[tokio::test]
async fn rules_are_told_replaced_and_refused() {
    let simulator = start().await;
    let told = || async { simulator.get("/admin/rules").await.json() };
    assert_eq!(told().await, json!({}));
    let rules = json!({"rules": [{"share": 0.5, "post": {"status": 402}}]});
    let reply = simulator.put("/admin/rules", &rules.to_string()).await;
    assert_eq!((reply.status, reply.json()), (200, rules.clone()));
    let wrong = r#"{"rules":[{"post":{"status":"402"}}]}"#;
    let reply = simulator.put("/admin/rules", wrong).await;
    assert_eq!(reply.status, 400);
    let message = reply.json()["message"].to_string();
    assert!(message.contains("rules[0].post.status"), "{message}");
    assert_eq!(told().await, rules, "nothing was changed");
    assert_eq!(simulator.put("/admin/rules", "{}").await.json(), json!({}));
    assert_eq!(told().await, json!({}));
    assert_eq!(simulator.pay(id(1)).await, 200);
}

#[tokio::test]
async fn the_requests_for_an_id_are_told() {
    let simulator = start().await;
    let raw = r#"{"rules":[{"post":{"status":500,"stores":true,"first":1}},
                           {"lookUp":{"raw":"x","ends":"close"}}]}"#;
    simulator.rules(raw);
    assert_eq!(simulator.pay(id(1)).await, 500);
    assert_eq!(simulator.pay(id(1)).await, 422);
    let mut wire = Wire::connect(simulator.address).await;
    wire.get(&path(1)).await;
    assert_eq!(wire.rest().await, "x");
    until(|| simulator.control.requests(id(1)) == (2, 1)).await;
    simulator.rules("{}");
    assert_eq!(simulator.get(&path(2)).await.status, 404);

    let told = simulator.get(&format!("/admin{}", path(1))).await.json();
    assert_eq!(told["correlationId"], id(1).to_string());
    let counts = [&told["posts"], &told["lookUps"], &told["held"]];
    assert_eq!(counts, [&json!(2), &json!(1), &json!(true)]);
    let requests = told["requests"].as_array().unwrap();
    let seen = |request: &Value| (request["method"].clone(), request["status"].clone());
    let expected = [
        ("POST", json!(500)),
        ("POST", json!(422)),
        ("GET", Value::Null),
    ];
    let seen: Vec<_> = requests.iter().map(seen).collect();
    assert_eq!(
        seen,
        expected.map(|(method, status)| (json!(method), status))
    );
    assert!(requests[0]["atUs"].as_i64().unwrap() > 1_700_000_000_000_000);

    let line = |number, posts, look_ups, held| {
        let id = id(number);
        format!(
            "{{\"correlationId\":\"{id}\",\"posts\":{posts},\"lookUps\":{look_ups},\"held\":{held}}}\n"
        )
    };
    let list = simulator.get("/admin/payments").await;
    assert_eq!(list.headers["content-type"], "application/x-ndjson");
    assert_eq!(list.text, line(1, 2, 1, true) + &line(2, 0, 1, false));

    simulator.control.purge();
    assert_eq!(simulator.get("/admin/payments").await.text, "");
    let told = simulator.get(&format!("/admin{}", path(1))).await.json();
    assert_eq!((&told["posts"], &told["requests"]), (&json!(0), &json!([])));
    assert_eq!(simulator.get("/admin/payments/1").await.status, 400);
}
