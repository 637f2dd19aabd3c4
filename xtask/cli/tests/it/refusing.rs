//! A Redis that answers and refuses: its memory is full, or it is a replica.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::http::Answer;
use crate::stack::{Stack, eventually, new_id, payment};

#[track_caller]
pub(crate) fn post(stack: &Stack, id: &str) -> Answer {
    stack.ask("POST", "/payments", &payment(id, "19.90"))
}

#[track_caller]
pub(crate) fn assert_refused(answer: &Answer, why: &str) {
    answer.assert_problem(503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    let problem = answer.json();
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("was not accepted because"), "{detail}");
    assert!(detail.contains(why), "{detail}");
}

#[track_caller]
pub(crate) fn assert_reads(stack: &Stack, settled: &str) {
    let one = format!("/payments/{settled}");
    for path in [
        "/payments-summary",
        &one,
        "/payments",
        "/payments?status=open",
    ] {
        let answer = stack.ask("GET", path, "");
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    for arguments in [
        &["list", "settled"][..],
        &["show", settled],
        &["resolutions"],
    ] {
        let output = stack.ctl(arguments);
        assert!(output.status.success(), "{output:?}");
    }
}

pub(crate) fn settled(stack: &Stack) -> String {
    let id = new_id();
    assert_eq!(post(stack, &id).status, 202);
    eventually(Duration::from_secs(10), "it settles", || {
        let found = stack.ask("GET", &format!("/payments/{id}"), "");
        found.json()["status"] == "settled"
    });
    id
}

#[test]
fn at_maxmemory_new_payments_alone_are_refused_and_it_is_said_why() {
    let stack = Stack::up(&[]);
    let known = settled(&stack);
    // Both fail, so that one is open when memory is full.
    (0..2).for_each(|processor| stack.set_failing(processor, true));
    let open = new_id();
    assert_eq!(post(&stack, &open).status, 202);
    stack.redis_cli(&["CONFIG", "SET", "maxmemory", "1"]);
    for _ in 0..4 {
        assert_refused(&post(&stack, &new_id()), "memory");
    }
    for id in [&known, &open] {
        assert_eq!(post(&stack, id).status, 202, "it is known");
    }
    let other = stack.ask("POST", "/payments", &payment(&open, "1"));
    assert_eq!(other.status, 409, "{other:?}");
    assert_reads(&stack, &known);
    for front in ["front-1", "front-2"] {
        let (status, body) = stack.readyz(front);
        assert_eq!(
            (status, &body["accepting"]),
            (200, &Value::from(false)),
            "{body}"
        );
        let reason = body["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("maxmemory"), "{body}");
    }
    (0..2).for_each(|processor| stack.set_failing(processor, false));
    eventually(
        Duration::from_secs(90),
        "what is open settles all the same",
        || {
            let found = stack.ask("GET", &format!("/payments/{open}"), "");
            found.json()["status"] == "settled"
        },
    );
    stack.redis_cli(&["CONFIG", "SET", "maxmemory", "0"]);
    stack.pay(&mut stack.connect());
    eventually(Duration::from_secs(20), "the reason goes", || {
        ["front-1", "front-2"]
            .iter()
            .all(|front| stack.readyz(front).1["accepting"] == true)
    });
    stack.assert_books_agree();
}

#[test]
fn a_demoted_redis_stops_fronts_until_it_is_promoted() {
    let stack = Stack::up(&[]);
    let known = settled(&stack);
    stack.redis_cli(&["REPLICAOF", "127.0.0.1", "1"]);
    eventually(Duration::from_secs(5), "both know", || {
        ["front-1", "front-2"].iter().all(|front| {
            let (status, body) = stack.readyz(front);
            let reason = body["reason"].as_str().unwrap_or_default();
            status == 503 && body["accepting"] == false && reason.contains("replica")
        })
    });
    for _ in 0..4 {
        // From a front, not from the entrance: HAProxy's check is not about the store.
        assert_refused(&post(&stack, &new_id()), "replica");
    }
    assert_reads(&stack, &known);
    let log = fs::read_to_string(stack.dir.join("logs/front-1.log")).expect("a log");
    let told = log.matches("Redis refuses writes").count();
    assert!((1..=2).contains(&told), "one line per change: {log}");
    stack.redis_cli(&["REPLICAOF", "NO", "ONE"]);
    let id = new_id();
    eventually(Duration::from_secs(2), "payments are accepted", || {
        post(&stack, &id).status == 202
    });
    eventually(Duration::from_secs(2), "and every front says so", || {
        ["front-1", "front-2"]
            .iter()
            .all(|front| stack.readyz(front).0 == 200)
    });
    eventually(Duration::from_secs(10), "it settles", || {
        stack.summary("").0.0 == 2
    });
    stack.assert_books_agree();
}
