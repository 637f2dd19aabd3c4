use std::time::Duration;

use crate::stack::{Stack, eventually, signal};

/// A processor takes one question in 5 s; a twentieth of a second is for a jittery network.
const LEAST_GAP_MICROS: i64 = 5_050_000;
const LONGEST_GAP_MICROS: i64 = 5_500_000;

/// Two of the asks before, and two with another leader.
const ASKS: usize = 4;

#[test]
fn a_killed_leader_is_followed_by_the_other_neither_too_early_nor_too_late() {
    let stack = Stack::up(&[]);
    let mut kills = ["leader-1", "leader-2"].into_iter();
    for asks in 1..=ASKS {
        eventually(Duration::from_secs(12), "the next ask", || {
            (0..2).all(|processor| asks_of(&stack, processor).len() >= asks)
        });
        // Whichever of the two holds the lease, one of these kills hits it.
        if asks > 1
            && let Some(name) = kills.next()
        {
            signal(stack.pid(name), "KILL");
        }
    }
    for processor in 0..2 {
        let asks = asks_of(&stack, processor);
        for pair in asks.windows(2) {
            let gap = pair[1] - pair[0];
            assert!(gap >= LEAST_GAP_MICROS, "too early: {gap} µs in {asks:?}");
            assert!(gap <= LONGEST_GAP_MICROS, "too late: {gap} µs in {asks:?}");
        }
    }
}

/// When a processor was asked for its health, in microseconds since 1970.
fn asks_of(stack: &Stack, processor: u16) -> Vec<i64> {
    let answer = stack.admin(processor, "GET", "/admin/asks", "");
    serde_json::from_str(&answer.body).expect("a list of numbers")
}
