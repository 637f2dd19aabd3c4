use std::time::{Duration, SystemTime};

use crate::load::Load;
use crate::stack::{Stack, eventually};

/// Long enough before, between and after the restarts to see what comes of each.
const CALM: Duration = Duration::from_secs(2);

#[test]
fn a_rolling_restart_of_both_fronts_under_load_fails_no_request() {
    let stack = Stack::up(&[]);
    let load = Load::start(stack.port, 500);
    let begin = SystemTime::now();
    std::thread::sleep(CALM);
    for name in ["front-1", "front-2"] {
        let old = stack.pid(name);
        let output = stack.xtask("restart", &[name]);
        assert!(output.status.success(), "{}", stack.describe(&output));
        assert_ne!(stack.pid(name), old);
        std::thread::sleep(CALM);
    }
    let rest = Duration::from_secs(10).saturating_sub(begin.elapsed().unwrap_or_default());
    std::thread::sleep(rest);
    let took = begin.elapsed().unwrap_or_default();
    let sent = load.end();
    let p99 = sent.latencies[sent.latencies.len() * 99 / 100];
    println!(
        "{} payments in {took:?}, {} failed, p99 {p99:?}, slowest {:?}",
        sent.accepted,
        sent.failed.len(),
        sent.latencies.last()
    );
    assert_eq!(sent.failed, Vec::<String>::new());
    let least = i64::try_from(took.as_millis()).expect("a small number") * 500 / 1000 * 9 / 10;
    assert!(sent.accepted > least, "{} < {least}", sent.accepted);

    eventually(Duration::from_secs(20), "every payment settles", || {
        let (default, fallback) = stack.summary("");
        default.0 + fallback.0 == sent.accepted
    });
    stack.assert_books_agree();
}
