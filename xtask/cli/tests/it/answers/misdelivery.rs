//! A processor that answers one request twice, so that the next gets the answer of the one
//! before.

use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use super::{
    DEFAULT, accept, accept_new, fate, gain_trust, id_of, rule, seen, set_rules, told,
    until_all_are, up,
};
use crate::stack::eventually;

const NOTICED: &str = "the processor sent an unrequested answer";
const NAMED: &str = "compare it with the processor's books";

/// 30 payments a second.
const PACE: Duration = Duration::from_millis(33);

#[test]
fn what_a_late_second_answer_settled_is_named_and_from_then_on_it_settles_nothing_more() {
    let stack = up(&["--fronts", "1", "--absence-after", "3s"]);
    gain_trust(&stack, 1);
    // The first is answered twice; the second is on its way when the late answer comes, and
    // gets its own no afterwards.
    let (twice, refused) = (0, 1);
    set_rules(
        &stack,
        DEFAULT,
        &[
            rule(twice, &json!({ "againAfterMs": 500 }), &json!({})),
            rule(
                refused,
                &json!({ "status": 400, "delayMs": 900 }),
                &json!({}),
            ),
        ],
    );
    let (first, second) = (id_of(twice), id_of(refused));
    accept(&stack, &first);
    let settled = |id: &String| {
        let within = Duration::from_secs(10);
        until_all_are(
            &stack,
            within,
            std::slice::from_ref(id),
            "settled at default",
        );
    };
    settled(&first);
    accept(&stack, &second);
    settled(&second);
    assert!(!seen(&stack, DEFAULT, &second).is_held);
    eventually(Duration::from_secs(10), "it is noticed", || {
        told(&stack, NOTICED).len() == 1
    });

    // As a processor would go on: half of the payments are answered twice, and the others are
    // refused while the second answer comes.
    set_rules(
        &stack,
        DEFAULT,
        &[
            json!({ "share": 0.5, "post": { "againAfterMs": 36 } }),
            json!({ "post": { "status": 400, "delayMs": 20 } }),
        ],
    );
    let mut later = Vec::new();
    eventually(Duration::from_secs(15), "it is named", || {
        later.push(accept_new(&stack));
        sleep(PACE);
        !told(&stack, NAMED).is_empty()
    });
    eventually(Duration::from_secs(20), "the others end", || {
        later
            .iter()
            .all(|id| fate(&stack, id).starts_with("settled"))
    });
    let mut held = 0;
    for id in &later {
        let is_held = seen(&stack, DEFAULT, id).is_held;
        let expected = if is_held { "default" } else { "fallback" };
        assert_eq!(fate(&stack, id), format!("settled at {expected}"), "{id}");
        held += usize::from(is_held);
    }
    assert!(0 < held && held < later.len(), "{held} of {}", later.len());
    let named = told(&stack, NAMED);
    assert_eq!(named.len(), 1, "{named:?}");
    assert_eq!(named[0]["level"], "ERROR");
    assert_eq!(named[0]["id"], second.as_str());
    assert_eq!(named[0]["processor"], "default");
    assert_eq!(told(&stack, NOTICED).len(), 1);
}
