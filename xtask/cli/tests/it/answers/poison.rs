//! A payment that one processor always fails with, while it works for everybody else.

use std::time::Duration;

use serde_json::json;

use super::{
    DEFAULT, FALLBACK, accept, accept_new, fate, gain_trust, id_of, rule, seen, set_rules, told,
    until_all_are, up,
};
use crate::stack::eventually;

#[test]
fn a_payment_that_always_fails_rests_ever_longer_leaves_after_patience_and_disturbs_nobody() {
    let stack = up(&["--patience", "4s", "--absence-after", "2s"]);
    gain_trust(&stack, 2);
    let kinds = [500, 503];
    let rules: Vec<_> = (kinds.iter().enumerate())
        .map(|(row, status)| rule(row, &json!({ "status": status }), &json!({})))
        .collect();
    set_rules(&stack, DEFAULT, &rules);
    let poison: Vec<String> = (0..kinds.len()).map(id_of).collect();
    for id in &poison {
        accept(&stack, id);
    }
    let mut others = Vec::new();
    eventually(Duration::from_secs(24), "they leave", || {
        others.push(accept_new(&stack));
        poison
            .iter()
            .all(|id| fate(&stack, id) == "settled at fallback")
    });
    until_all_are(
        &stack,
        Duration::from_secs(10),
        &others,
        "settled at default",
    );
    for (id, status) in poison.iter().zip(kinds) {
        let (here, there) = (seen(&stack, DEFAULT, id), seen(&stack, FALLBACK, id));
        // Rests of 200 ms and longer, each twice the one before, and one at once when the
        // breaker opens.
        assert!((2..=7).contains(&here.posts), "{status}: {}", here.posts);
        assert_eq!(there.posts, 1, "{status}");
        let last = here.posted_at_us.last().expect("it was posted");
        let apart = there.posted_at_us[0] - last;
        assert!(apart >= 2_000_000, "{status}: after {apart} µs");
    }
    for id in &others {
        assert_eq!(seen(&stack, DEFAULT, id).posts, 1, "{id}");
        assert_eq!(seen(&stack, FALLBACK, id).posts, 0, "{id}");
    }
    // The first failure of each opens its front's breaker, and the next success of another
    // closes it.
    let changes = told(&stack, "breaker changed").len();
    assert!(changes <= 2 * poison.len(), "{changes} changes");
    stack.assert_books_agree();
}
