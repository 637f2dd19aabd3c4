//! Processors that give no usable answer to anything.

use std::thread::sleep;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::{DEFAULT, FALLBACK, accept_new, fate, gain_trust, seen, set_document, up};
use crate::stack::{Stack, eventually};

const PATIENCE: Duration = Duration::from_secs(2);

/// What a payment may take longer than its patience until the other processor gets it.
const SLACK: Duration = Duration::from_secs(20);

fn now_us() -> i64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = since_epoch.expect("it is later").as_micros();
    i64::try_from(now).expect("63 bits")
}

#[test]
fn behind_a_dead_proxy_each_front_leaves_what_it_had_sent_and_the_rest_is_soon_elsewhere() {
    let stack = up(&["--patience", "2s", "--absence-after", "4s"]);
    gain_trust(&stack, 2);
    set_document(&stack, DEFAULT, &json!({ "preset": "deadProxy" }));
    let mut sent = Vec::new();
    for _ in 0..40 {
        let at_us = now_us();
        sent.push((accept_new(&stack), at_us));
        sleep(Duration::from_millis(250));
    }
    // Payments this far apart linger alone: one for each of the two fronts.
    let left = || -> Vec<&String> {
        let ids = sent.iter().map(|(id, _)| id);
        ids.filter(|id| fate(&stack, id) != "settled at fallback")
            .collect()
    };
    eventually(PATIENCE + SLACK, "at most two are left", || {
        let left = left();
        left.len() <= 2
            && left
                .into_iter()
                .all(|id| fate(&stack, id) == "open at default")
    });
    for (id, accepted_us) in &sent {
        let posted = seen(&stack, FALLBACK, id).posted_at_us;
        if let Some(posted) = posted.first() {
            let took = u64::try_from(posted - accepted_us).expect("it is later");
            let took = Duration::from_micros(took);
            assert!(took <= PATIENCE + SLACK, "{id} took {took:?}");
        }
    }

    set_document(&stack, DEFAULT, &json!({}));
    eventually(SLACK, "nothing stays open", || {
        let ids = sent.iter().map(|(id, _)| id);
        ids.map(|id| fate(&stack, id))
            .all(|fate| fate.starts_with("settled"))
    });
    stack.assert_books_agree();
}

/// Payments at ten a second, for so long.
fn pay_for(stack: &Stack, time: Duration) -> Vec<String> {
    let begin = SystemTime::now();
    let mut sent = Vec::new();
    while begin.elapsed().unwrap_or_default() < time {
        sent.push(accept_new(stack));
        sleep(Duration::from_millis(100));
    }
    sent
}

/// Whether this is told of at least half of the payments.
fn has_half(stack: &Stack, ids: &[String], expected: &str) -> bool {
    let those = ids.iter().filter(|id| fate(stack, id) == expected);
    2 * those.count() >= ids.len()
}

#[test]
fn half_of_the_traffic_is_back_seven_seconds_after_a_processor_stops_hanging() {
    let stack = up(&["--patience", "2s"]);
    gain_trust(&stack, 2);
    let hangs = json!({ "ends": "hang", "stores": false });
    let document = json!({
        "rules": [{ "post": hangs, "lookUp": { "ends": "hang" } }],
        "health": { "ends": "hang" },
    });
    set_document(&stack, DEFAULT, &document);
    let during = pay_for(&stack, Duration::from_secs(12));
    eventually(PATIENCE + SLACK, "the traffic is elsewhere", || {
        has_half(&stack, &during[during.len() / 2..], "settled at fallback")
    });

    set_document(&stack, DEFAULT, &json!({}));
    pay_for(&stack, Duration::from_secs(7));
    let after = pay_for(&stack, Duration::from_secs(3));
    eventually(SLACK, "they settle", || {
        after
            .iter()
            .all(|id| fate(&stack, id).starts_with("settled"))
    });
    assert!(has_half(&stack, &after, "settled at default"));
}
