//! How processors write what they hold, and what nobody can read.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    DEFAULT, FALLBACK, accept, fate, id_of, rule, seen, set_rules, told, until_all_are,
    until_posted, up,
};
use crate::scrape;
use crate::stack::eventually;

/// So long that all payments are on their way before the first answer.
const DELAY_MS: u64 = 400;

/// The answer is doubtful, so a look-up decides.
fn doubtful() -> Value {
    json!({ "status": 202, "stores": true, "delayMs": DELAY_MS })
}

#[test]
fn however_a_processor_writes_what_it_holds_it_settles_with_that_instant() {
    let stack = up(&[]);
    // How much of the instant is told.
    let (second, milli, micro) = (1_000_000, 1_000, 1);
    let spellings = [
        (json!({ "instant": "seconds" }), second),
        (json!({ "instant": "milli" }), milli),
        (json!({ "instant": "micro" }), micro),
        (json!({ "instant": "seven" }), micro),
        (json!({ "instant": "nano" }), micro),
        (json!({ "instant": "offset" }), micro),
        (json!({ "instant": "offsetTwo" }), micro),
        (json!({ "instant": "lowerCase" }), micro),
        (json!({ "instant": "noOffset" }), micro),
        (json!({ "amount": "string" }), micro),
        (json!({ "amount": "floatNoise" }), micro),
        (json!({ "amount": "fourDecimals" }), micro),
        (json!({ "wrappedIn": "data" }), micro),
        (
            json!({ "adds": { "status": "processed", "more": [1] } }),
            micro,
        ),
        (
            json!({ "instant": "offset", "amount": "string", "wrappedIn": "payment" }),
            micro,
        ),
    ];
    let rules: Vec<Value> = (spellings.iter().enumerate())
        .map(|(row, (look_up, _))| rule(row, &doubtful(), look_up))
        .collect();
    set_rules(&stack, DEFAULT, &rules);
    let ids: Vec<String> = (0..spellings.len()).map(id_of).collect();
    for id in &ids {
        accept(&stack, id);
    }
    until_all_are(&stack, Duration::from_secs(15), &ids, "settled at default");

    set_rules(
        &stack,
        DEFAULT,
        &[json!({ "lookUp": { "instant": "micro" } })],
    );
    for (id, (look_up, unit_us)) in ids.iter().zip(&spellings) {
        let path = format!("/payments/{id}");
        let told = stack.ask("GET", &path, "").json();
        let theirs = crate::http::Connection::open(stack.simulator_port).request("GET", &path, "");
        let [ours, theirs] = [told, theirs.json()].map(|payment| -> Timestamp {
            let at = payment["requestedAt"].as_str().expect("an instant");
            at.parse().expect("it is written as RFC 3339 has it")
        });
        let [ours, theirs] = [ours, theirs].map(|at| at.as_microsecond() / unit_us);
        assert_eq!(ours, theirs, "{look_up}");
        assert_eq!(seen(&stack, FALLBACK, id).posts, 0, "{look_up}");
    }
    stack.assert_books_agree();
    assert_eq!(
        scrape::sum(&stack, "feeway_unreadable_answers_total", ""),
        0.0
    );
}

/// What a processor answers to a POST and to look-ups, and what is said of field and reason.
type Kind = (Value, Value, Option<(&'static str, &'static str)>);

fn unreadable_kinds() -> [Kind; 6] {
    let waf = "X Waf: 1\r\nX-\u{0}: 2";
    [
        (
            doubtful(),
            json!({ "bodyBytes": 20_000 }),
            Some(("body", "is longer than 16384 bytes")),
        ),
        (
            json!({ "rawHeader": waf, "delayMs": DELAY_MS }),
            json!({ "rawHeader": waf }),
            Some((
                "head",
                "is not that of an HTTP/1 answer, or longer than 16384 bytes",
            )),
        ),
        (
            doubtful(),
            json!({ "body": "<p>", "contentType": "text/html" }),
            Some(("body", "is not a JSON object")),
        ),
        (
            doubtful(),
            json!({ "adds": { "amount": "about twenty" } }),
            Some(("amount", "is not a decimal number")),
        ),
        (
            doubtful(),
            json!({ "adds": { "requestedAt": "yesterday" } }),
            Some(("requestedAt", "is not an RFC 3339 instant")),
        ),
        // This can be read: it says to wait.
        (doubtful(), json!({ "adds": { "status": "pending" } }), None),
    ]
}

#[test]
fn what_nobody_can_read_is_said_once_for_each_payment_with_field_and_reason() {
    let stack = up(&[]);
    let kinds = unreadable_kinds();
    let rules: Vec<Value> = (kinds.iter().enumerate())
        .map(|(row, (post, look_up, _))| rule(row, post, look_up))
        .collect();
    set_rules(&stack, DEFAULT, &rules);
    let ids: Vec<String> = (0..2 * kinds.len())
        .map(|number| id_of(number % kinds.len()))
        .collect();
    for id in &ids {
        accept(&stack, id);
    }
    until_posted(&stack, DEFAULT, &ids);
    eventually(Duration::from_secs(20), "all are looked up again", || {
        ids.iter().all(|id| seen(&stack, DEFAULT, id).look_ups >= 4)
    });
    let mut unreadable = 0.0;
    for (id, (_, look_up, expected)) in ids.iter().zip(kinds.iter().cycle()) {
        assert_eq!(fate(&stack, id), "open at default", "{look_up}");
        let lines = told(&stack, &format!("\"{id}\""));
        let Some((field, reason)) = expected else {
            assert!(lines.is_empty(), "{lines:?}");
            continue;
        };
        unreadable += 1.0;
        assert_eq!(lines.len(), 1, "{look_up}: {lines:?}");
        for (member, value) in [
            ("level", "ERROR"),
            ("processor", "default"),
            ("field", field),
            ("reason", reason),
        ] {
            assert_eq!(lines[0][member], value, "{look_up}");
        }
    }
    let counted = |labels| scrape::sum(&stack, "feeway_unreadable_answers_total", labels);
    assert_eq!(counted(r#""default""#), unreadable);
    assert_eq!(counted(""), unreadable);

    set_rules(&stack, DEFAULT, &[]);
    until_all_are(&stack, Duration::from_secs(20), &ids, "settled at default");
    stack.assert_books_agree();
}
