//! A no after which the processor holds the payment all the same, and look-ups that lag.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    DEFAULT, FALLBACK, accept, fate, gain_trust, id_of, rule, seen, set_rules, told, until_all_are,
    until_posted, up,
};
use crate::scrape;
use crate::stack::eventually;

/// Payments of each kind: there are two fronts.
const OF_EACH: usize = 4;

/// So long that all payments of a test are on their way before the first answer opens a
/// breaker.
const DELAY_MS: u64 = 400;

/// It stores the payment and answers so, however often it is asked.
fn answered(status: u16) -> Value {
    json!({ "status": status, "delayMs": DELAY_MS, "stores": true, "ifHeld": "sameRule" })
}

#[test]
fn what_a_processor_stores_and_does_not_admit_is_charged_there_alone_however_late_it_is_found() {
    let stack = up(&[
        "--patience",
        "2s",
        "--absence-after",
        "5s",
        "--attempt-timeout",
        "2s",
    ]);
    gain_trust(&stack, 2);
    let late = json!({ "status": 504, "delayMs": DELAY_MS, "stores": true, "storesAfterMs": 3000 });
    let kinds: [(&str, Value); 7] = [
        ("500", answered(500)),
        ("503", answered(503)),
        ("400", answered(400)),
        ("402", answered(402)),
        ("no answer", json!({ "ends": "close", "delayMs": DELAY_MS })),
        ("504, and stores later", late),
        (
            "an answer too late, and stores later",
            json!({ "delayMs": 4000, "storesAfterMs": 3500 }),
        ),
    ];
    let lag = json!({ "lagMs": 4000 });
    let rules: Vec<Value> = (kinds.iter().enumerate())
        .map(|(row, (_, post))| rule(row, post, &lag))
        .collect();
    set_rules(&stack, DEFAULT, &rules);
    let ids: Vec<String> = (0..OF_EACH * kinds.len())
        .map(|number| id_of(number % kinds.len()))
        .collect();
    for id in &ids {
        accept(&stack, id);
    }
    until_posted(&stack, DEFAULT, &ids);
    // From now on nothing speaks for staying there but what the look-ups will say.
    let gone = json!({ "post": { "status": 503 }, "lookUp": lag });
    set_rules(&stack, DEFAULT, &[gone]);

    until_all_are(&stack, Duration::from_secs(30), &ids, "settled at default");
    for (id, (kind, _)) in ids.iter().zip(kinds.iter().cycle()) {
        assert!(seen(&stack, DEFAULT, id).is_held, "{kind}: {id}");
        assert_eq!(seen(&stack, FALLBACK, id).posts, 0, "{kind}: {id}");
    }
    stack.assert_books_agree();
    assert_eq!(scrape::sum(&stack, "feeway_conflicts_total", ""), 0.0);
}

#[test]
fn a_payment_stays_at_a_processor_whose_look_ups_have_never_found_one() {
    let stack = up(&["--patience", "1s", "--absence-after", "2s"]);
    let kinds = [500, 503, 400, 402, 410];
    let rules: Vec<Value> = (kinds.iter().enumerate())
        .map(|(row, status)| rule(row, &answered(*status), &json!({ "status": 404 })))
        .collect();
    set_rules(&stack, DEFAULT, &rules);
    let ids: Vec<String> = (0..2 * kinds.len())
        .map(|number| id_of(number % kinds.len()))
        .collect();
    for id in &ids {
        accept(&stack, id);
    }
    until_posted(&stack, DEFAULT, &ids);
    let lines = |id: &str| {
        let lines = told(
            &stack,
            "its look-ups have never found any: the payment stays pinned to it",
        );
        lines.iter().filter(|line| line["id"] == id).count()
    };
    let late = Duration::from_secs(20);
    eventually(late, "their absence is late, and not believed", || {
        ids.iter().all(|id| lines(id) > 0)
    });
    let before: Vec<u64> = (ids.iter())
        .map(|id| seen(&stack, DEFAULT, id).look_ups)
        .collect();
    eventually(late, "they are looked up again", || {
        (ids.iter().zip(&before)).all(|(id, before)| seen(&stack, DEFAULT, id).look_ups > *before)
    });
    for id in &ids {
        assert_eq!(fate(&stack, id), "open at default");
        assert_eq!(seen(&stack, FALLBACK, id).posts, 0, "{id}");
        assert_eq!(lines(id), 1, "{id}");
    }

    set_rules(&stack, DEFAULT, &[]);
    until_all_are(&stack, Duration::from_secs(40), &ids, "settled at default");
    stack.assert_books_agree();
}
