//! A processor that answers 429.

use std::thread::sleep;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::{DEFAULT, FALLBACK, accept_new, fate, gain_trust, seen, set_rules, until_all_are, up};
use crate::stack::{Stack, eventually};

const PATIENCE: Duration = Duration::from_secs(2);

/// 20 payments a second.
const PACE: Duration = Duration::from_millis(50);

/// While a processor answers 429, payments come in for as long as this.
const LIMITED: Duration = Duration::from_secs(4);

/// Payments with the instants before they were sent.
fn pay_for(stack: &Stack, time: Duration) -> Vec<(String, SystemTime)> {
    let begin = SystemTime::now();
    let mut sent = Vec::new();
    while begin.elapsed().unwrap_or_default() < time {
        let at = SystemTime::now();
        sent.push((accept_new(stack), at));
        sleep(PACE);
    }
    sent
}

/// Has payments settle at the fallback while the default processor answers so. Returns when
/// it was asked to take them, in microseconds since 1970.
fn limit(stack: &Stack, post: &Value) -> Vec<i64> {
    set_rules(stack, DEFAULT, &[json!({ "post": post })]);
    let sent = pay_for(stack, LIMITED);
    let ids: Vec<String> = sent.iter().map(|(id, _)| id.clone()).collect();
    let within = PATIENCE + Duration::from_secs(20);
    until_all_are(stack, within, &ids, "settled at fallback");
    let mut posted_at_us = Vec::new();
    for (id, at) in sent {
        posted_at_us.extend(seen(stack, DEFAULT, &id).posted_at_us);
        let there = seen(stack, FALLBACK, &id).posted_at_us[0];
        let since_epoch = at.duration_since(SystemTime::UNIX_EPOCH);
        let at_us = since_epoch.expect("it is later").as_micros();
        let waited = Duration::from_micros(
            u64::try_from(there).expect("later") - u64::try_from(at_us).expect("64 bits"),
        );
        assert!(waited >= PATIENCE, "{id} waited for {waited:?} only");
    }
    posted_at_us.sort_unstable();
    posted_at_us
}

#[test]
fn a_processor_that_answers_429_is_asked_as_seldom_as_it_wants_and_payments_leave_after_patience() {
    let stack = up(&["--fronts", "1", "--patience", "2s"]);
    gain_trust(&stack, 1);
    let posted_at_us = limit(&stack, &json!({ "status": 429 }));
    let is_spread = posted_at_us
        .windows(6)
        .all(|six| six[5] - six[0] >= 1_000_000);
    assert!(is_spread, "at most five a second: {posted_at_us:?}");
    let pauses: Vec<i64> = posted_at_us.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(pauses.len() >= 2, "{posted_at_us:?}");
    let grow = pauses.windows(2).all(|two| two[1] > two[0]);
    assert!(grow, "ever longer pauses: {pauses:?}");

    set_rules(&stack, DEFAULT, &[]);
    let mut ids = Vec::new();
    eventually(Duration::from_secs(20), "it gets payments again", || {
        ids.push(accept_new(&stack));
        ids.iter()
            .any(|id| fate(&stack, id) == "settled at default")
    });

    let a_minute = json!({ "status": 429, "headers": { "Retry-After": "60" } });
    let posted_at_us = limit(&stack, &a_minute);
    assert_eq!(posted_at_us.len(), 1, "{posted_at_us:?}");
    stack.assert_books_agree();
}
