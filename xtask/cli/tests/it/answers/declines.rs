//! Processors that refuse single payments for good.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    DEFAULT, FALLBACK, accept, accept_new, fate, gain_trust, id_of, rule, seen, set_rules, told,
    until_all_are, up,
};
use crate::own_process::OwnProcess;
use crate::stack::{Stack, eventually};

const ABSENCE_AFTER: Duration = Duration::from_secs(4);

const STATUSES: [u16; 5] = [400, 402, 409, 410, 422];

/// A rule for each status; what is refused is not stored.
fn refusals() -> Vec<Value> {
    let statuses = STATUSES.iter().enumerate();
    statuses
        .map(|(row, status)| rule(row, &json!({ "status": status }), &json!({})))
        .collect()
}

#[test]
fn what_one_processor_declines_settles_at_the_other_once_absent_for_long_enough_and_not_before() {
    let stack = up(&["--absence-after", "4s"]);
    gain_trust(&stack, 2);
    set_rules(&stack, DEFAULT, &refusals());
    let breaker_changed = || told(&stack, "breaker changed").len();
    let before = breaker_changed();
    let declined: Vec<String> = (0..2 * STATUSES.len())
        .map(|number| id_of(number % STATUSES.len()))
        .collect();
    for id in &declined {
        accept(&stack, id);
    }
    let mut others = Vec::new();
    eventually(Duration::from_secs(20), "the declined ones settle", || {
        others.push(accept_new(&stack));
        declined
            .iter()
            .all(|id| fate(&stack, id) == "settled at fallback")
    });
    until_all_are(
        &stack,
        Duration::from_secs(10),
        &others,
        "settled at default",
    );

    for (id, status) in declined.iter().zip(STATUSES.iter().cycle()) {
        let (here, there) = (seen(&stack, DEFAULT, id), seen(&stack, FALLBACK, id));
        assert_eq!((here.posts, there.posts), (1, 1), "{status}");
        let apart = there.posted_at_us[0] - here.posted_at_us[0];
        let apart = Duration::from_micros(u64::try_from(apart).expect("one after the other"));
        assert!(apart >= ABSENCE_AFTER, "{status}: after {apart:?}");
    }
    for id in &others {
        assert_eq!(seen(&stack, DEFAULT, id).posts, 1, "{id}");
        assert_eq!(seen(&stack, FALLBACK, id).posts, 0, "{id}");
    }
    assert_eq!(breaker_changed(), before, "nobody else is disturbed");
    stack.assert_books_agree();
}

#[test]
fn where_declines_are_final_a_payment_leaves_at_once_and_is_rejected_when_all_decline_it() {
    let stack = Stack::reserve();
    let option = |name: &str, processor: u16, fee: &str| {
        let port = stack.simulator_port + processor;
        format!("{name}=http://127.0.0.1:{port},fee={fee},declines=final")
    };
    let default = option("default", DEFAULT, "0.05");
    let fallback = option("fallback", FALLBACK, "0.15");
    // Whatever waits for its absence waits for longer than this test takes.
    let absence = ["--absence-after", "60s", "--patience", "2s"];
    let processors = ["--processor", &default, "--processor", &fallback];
    stack.start(&[&absence[..], &processors].concat());
    let _processors = [("default", DEFAULT), ("fallback", FALLBACK)].map(|(name, processor)| {
        OwnProcess::simulator(&stack, name, stack.simulator_port + processor)
    });
    let both = STATUSES.len();
    let mut rules = refusals();
    rules.push(rule(both, &json!({ "status": 402 }), &json!({})));
    set_rules(&stack, DEFAULT, &rules);
    let no = json!({ "status": 410 });
    set_rules(&stack, FALLBACK, &[rule(both, &no, &json!({}))]);

    let ids: Vec<String> = (0..=both).map(id_of).collect();
    for id in &ids {
        accept(&stack, id);
    }
    for (id, status) in ids.iter().zip(STATUSES) {
        let id = std::slice::from_ref(id);
        match status {
            400 | 402 | 410 => {
                until_all_are(&stack, Duration::from_secs(10), id, "settled at fallback");
            }
            // It may be the duplicate of a payment, so nobody can vouch for it.
            _ => assert_eq!(fate(&stack, &id[0]), "open at default", "{status}"),
        }
    }
    // Nothing but declines came from the first, so they count after three times the patience.
    let rejected = &ids[both..];
    until_all_are(&stack, Duration::from_secs(20), rejected, "rejected");
    let page = stack.ask("GET", "/payments?status=rejected", "").json();
    let lines = page["payments"].as_array().expect("a list");
    assert_eq!(lines.len(), 1, "{page}");
    assert_eq!(lines[0]["correlationId"], rejected[0].as_str());
    let reason = "default answered 402, fallback answered 410";
    assert_eq!(lines[0]["reason"], reason);
    stack.assert_books_agree();
}
