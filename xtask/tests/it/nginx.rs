//! The other entrance: `--lb nginx`.

use std::time::Duration;

use crate::stack::{Stack, eventually, new_id, payment, signal};

#[test]
fn payments_go_through_nginx_also_while_a_front_dies() {
    let stack = Stack::up(&["--lb", "nginx"]);
    let mut connection = stack.connect();
    for number in 0..200 {
        if number == 50 {
            signal(stack.pid("front-1"), "KILL");
        }
        stack.pay(&mut connection);
    }
    eventually(Duration::from_secs(20), "all are settled", || {
        stack.summary("").0.0 == 200
    });
    assert_eq!(stack.summary("").0, stack.books(0, ""));
}

#[test]
fn what_nginx_answers_itself_is_a_problem_too() {
    let stack = Stack::up(&["--lb", "nginx"]);
    for path in ["/readyz", "/healthz", "/metrics"] {
        stack.ask("GET", path, "").assert_problem(404);
    }
    let long = payment(&new_id(), &"1".repeat(17 * 1024));
    stack.ask("POST", "/payments", &long).assert_problem(413);
    let mut connection = stack.connect();
    connection.send(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    connection.answer().assert_problem(400);
    for front in ["front-1", "front-2"] {
        signal(stack.pid(front), "STOP");
    }
    stack
        .ask("GET", "/payments-summary", "")
        .assert_problem(504);
    for front in ["front-1", "front-2"] {
        signal(stack.pid(front), "CONT");
    }
}
