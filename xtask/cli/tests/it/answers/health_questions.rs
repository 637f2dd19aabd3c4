//! Questions for the health that a processor cannot or will not answer.

use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use super::{DEFAULT, FALLBACK, accept_new, seen, set_document, told, until_all_are, up};
use crate::stack::eventually;

/// 20 payments a second, so that some are always on their way.
const PACE: Duration = Duration::from_millis(50);

#[test]
fn no_answer_to_a_health_question_sends_a_payment_to_the_dearer_processor() {
    // Whatever the board learns has its effect at once.
    let stack = up(&["--patience", "0s"]);
    let delay = "/admin/configurations/delay";
    stack.admin(DEFAULT, "PUT", delay, "{\"delay\":150}");
    let asked = || {
        let asks = stack.admin(DEFAULT, "GET", "/admin/asks", "").json();
        asks.as_array().expect("a list").len()
    };
    let mut ids = Vec::new();
    for health in [
        json!({ "status": 404 }),
        json!({ "ends": "hang" }),
        json!({ "status": 500 }),
        json!({ "body": "failing: no", "contentType": "text/plain" }),
    ] {
        set_document(&stack, DEFAULT, &json!({ "health": health }));
        let before = asked();
        eventually(Duration::from_secs(20), "it is asked", || {
            ids.push(accept_new(&stack));
            sleep(PACE);
            asked() > before
        });
        // What came of the question, or that nothing did within 2 s, is known before they end.
        for _ in 0..50 {
            ids.push(accept_new(&stack));
            sleep(PACE);
        }
    }
    until_all_are(&stack, Duration::from_secs(10), &ids, "settled at default");
    for id in &ids {
        assert_eq!(seen(&stack, FALLBACK, id).posts, 0, "{id}");
    }
    assert_eq!(
        told(&stack, "report changed what is known of a processor").len(),
        0
    );
    assert_eq!(told(&stack, "breaker changed").len(), 0);
    stack.assert_books_agree();
}
