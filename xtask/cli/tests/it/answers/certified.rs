//! What `feeway-certify` finds out about a processor, fronts believe.

use std::process::Command;
use std::time::Duration;

use serde_json::json;

use super::{DEFAULT, FALLBACK, accept_new, seen, set_rules, until_all_are, up};

#[test]
fn a_processor_that_was_certified_lets_go_of_the_first_payment_that_it_declines() {
    let stack = up(&["--patience", "1s", "--absence-after", "2s"]);
    let url = format!("http://127.0.0.1:{}", stack.simulator_port);
    let certified = Command::new(stack.dir.join("bin/feeway-certify"))
        .args([&url, "--yes", "--lag-max=2s", "--absence-after=2s"])
        .args(["--vouch", "default"])
        .env("FEEWAY_REDIS", stack.redis())
        .output()
        .expect("up built it");
    let said = stack.describe(&certified);
    assert!(certified.status.success(), "{said}");
    assert!(said.contains("vouched: "), "{said}");
    // Fronts read it at their start, and then once a minute.
    for front in ["front-1", "front-2"] {
        let restarted = stack.xtask("restart", &[front]);
        assert!(restarted.status.success(), "{}", stack.describe(&restarted));
    }

    // No front has ever seen this processor hold a payment.
    set_rules(&stack, DEFAULT, &[json!({ "post": { "status": 402 } })]);
    let id = accept_new(&stack);
    let ids = [id.clone()];
    until_all_are(&stack, Duration::from_secs(15), &ids, "settled at fallback");
    assert!(!seen(&stack, DEFAULT, &id).is_held);
    assert_eq!(seen(&stack, FALLBACK, &id).posts, 1);
}
