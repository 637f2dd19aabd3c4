//! No process needs another to start: each says what it waits for, in whatever order.

use std::time::Duration;

use crate::by_hand::ByHand;
use crate::http::Connection;
use crate::stack::{Stack, eventually};

/// The reverse of how `up` starts them.
const REVERSED: [&str; 9] = [
    "haproxy",
    "front-2",
    "front-1",
    "leader-2",
    "leader-1",
    "simulator-fallback",
    "simulator-default",
    "nats",
    "redis",
];

/// Servers in the middle, and in the other order.
const SHUFFLED: [&str; 9] = [
    "leader-1",
    "front-1",
    "redis",
    "simulator-fallback",
    "haproxy",
    "front-2",
    "nats",
    "leader-2",
    "simulator-default",
];

const AWAY: [(&str, &str); 2] = [
    ("redis", "no connection to Redis"),
    ("nats", "no connection to NATS"),
];

fn is_ours(name: &str) -> bool {
    name.starts_with("front") || name.starts_with("leader")
}

/// Starts them one after another, each when the last one has said what it waits for, and pays.
fn check(by_hand: &ByHand<'_>, order: [&str; 9]) {
    by_hand.afresh();
    let mut running = Vec::new();
    for (place, name) in order.into_iter().enumerate() {
        running.push(by_hand.start(name));
        eventually(Duration::from_secs(10), name, || by_hand.listens(name));
        if name == "haproxy" && place == 0 {
            says_that_no_front_is_there(by_hand);
        }
        if !is_ours(name) {
            continue;
        }
        if name.starts_with("front") {
            let waiting = "waiting for Redis, to register in its journal";
            eventually(Duration::from_secs(10), name, || {
                by_hand.logged(name, waiting) == 1
            });
        }
        for (server, away) in AWAY {
            if !order[..place].contains(&server) {
                let what = format!("{name} says: {away}");
                eventually(Duration::from_secs(10), &what, || {
                    by_hand.logged(name, away) == 1
                });
            }
        }
        if !order[..place].contains(&"redis") {
            assert_eq!(by_hand.logged(name, r#""ready""#), 0, "{name}");
        }
    }
    takes_payments(by_hand);
    for (place, name) in order.into_iter().enumerate() {
        for (server, away) in AWAY {
            let missed = is_ours(name) && !order[..place].contains(&server);
            assert_eq!(
                by_hand.logged(name, away),
                usize::from(missed),
                "{name}: {away}"
            );
        }
    }
}

/// The entrance tells its clients, too, and to come again.
fn says_that_no_front_is_there(by_hand: &ByHand<'_>) {
    eventually(Duration::from_secs(10), "its log says so", || {
        by_hand.logged("haproxy", "no server available") == 1
    });
    let answer = by_hand.stack.ask("POST", "/payments", "{}");
    answer.assert_problem(503);
    assert_eq!(answer.header("retry-after"), Some("1"));
}

fn takes_payments(by_hand: &ByHand<'_>) {
    let stack = by_hand.stack;
    eventually(Duration::from_secs(20), "every part is ready", || {
        let fronts = ["front-1", "front-2"];
        let leaders = ["leader-1", "leader-2"];
        let holds = |leader| by_hand.logged(leader, "holding the lease");
        let stands_by = |leader| by_hand.logged(leader, "standing by");
        fronts.map(|front| by_hand.logged(front, r#""ready""#)) == [1, 1]
            && leaders.map(holds).iter().sum::<usize>() == 1
            && leaders.map(stands_by).iter().sum::<usize>() == 1
            && [fronts, leaders]
                .concat()
                .iter()
                .all(|name| by_hand.logged(name, "connected to NATS") > 0)
            && stack.ask("GET", "/payments-summary", "").status == 200
    });
    let mut connection: Connection = stack.connect();
    for _ in 0..20 {
        stack.pay(&mut connection);
    }
    eventually(Duration::from_secs(10), "every payment settles", || {
        let (default, fallback) = stack.summary("");
        default.0 + fallback.0 == 20
    });
    stack.assert_books_agree();
}

#[test]
fn every_order_of_starting_ends_with_a_stack_that_takes_payments() {
    let stack = Stack::up(&[]);
    let by_hand = ByHand::take_over(&stack);
    for order in [REVERSED, SHUFFLED] {
        check(&by_hand, order);
    }
}
