use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::answers::gain_trust;
use crate::stack::{Stack, eventually};

const FRONTS: [&str; 2] = ["front-1", "front-2"];

#[test]
fn payments_make_no_line_in_the_log_and_what_is_there_is_json() {
    let stack = Stack::up(&[]);
    let logs = || FRONTS.map(|name| fs::read_to_string(stack.dir.join(format!("logs/{name}.log"))));
    // Each front says once that it has seen look-ups work.
    gain_trust(&stack, 2);
    let (held, _) = stack.summary("");
    let before = logs().map(|log| log.expect("a log"));
    let mut connection = stack.connect();
    for _ in 0..100 {
        stack.pay(&mut connection);
    }
    eventually(Duration::from_secs(10), "all settle", || {
        stack.summary("").0.0 == held.0 + 100
    });
    let after = logs().map(|log| log.expect("a log"));
    assert_eq!(before, after);
    for line in after.iter().flat_map(|log| log.lines()) {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        for member in ["timestamp", "level", "target", "message"] {
            assert!(line[member].is_string(), "{line}");
        }
    }
}
