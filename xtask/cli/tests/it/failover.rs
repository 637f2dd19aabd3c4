use std::time::Duration;

use crate::answers::gain_trust;
use crate::stack::{Stack, eventually};

#[test]
fn payments_go_to_fallback_while_default_fails_and_to_default_again_afterwards() {
    // Those that show that default fails leave it once they were absent there for long enough.
    let stack = Stack::up(&["--patience", "0s", "--absence-after", "1s"]);
    gain_trust(&stack, 2);
    let (held, _) = stack.summary("");
    let mut connection = stack.connect();
    stack.set_failing(0, true);
    for _ in 0..50 {
        stack.pay(&mut connection);
    }
    eventually(Duration::from_secs(10), "fallback has them all", || {
        stack.summary("").1.0 == 50
    });
    assert_eq!(stack.summary(""), (held, (50, 50 * 1990)));

    stack.set_failing(0, false);
    let mut paid = held.0 + 50;
    eventually(Duration::from_secs(15), "default is tried again", || {
        stack.pay(&mut connection);
        paid += 1;
        stack.summary("").0.0 > held.0
    });
    eventually(Duration::from_secs(5), "nothing is open", || {
        let (default, fallback) = stack.summary("");
        default.0 + fallback.0 == paid
    });
    let before = stack.summary("");
    for _ in 0..20 {
        stack.pay(&mut connection);
    }
    eventually(Duration::from_secs(2), "default has the next ones", || {
        stack.summary("").0.0 == before.0.0 + 20
    });
    let after = stack.summary("");
    assert_eq!(after.1, before.1);
    assert_eq!(after.0, stack.books(0, ""));
    assert_eq!(after.1, stack.books(1, ""));
}
