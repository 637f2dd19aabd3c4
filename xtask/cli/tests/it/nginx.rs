//! The other entrance: `--lb nginx`.

use std::time::Duration;

use crate::http::Answer;
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

/// What nginx says to a head that it does not pass on.
#[track_caller]
fn refused(stack: &Stack, head: &str, status: u16) -> Answer {
    let mut connection = stack.connect();
    connection.send(format!("{head}\r\n").as_bytes());
    let answer = connection.answer();
    answer.assert_problem(status);
    answer
}

#[test]
fn what_nginx_answers_itself_is_a_problem_too() {
    let stack = Stack::up(&["--lb", "nginx"]);
    for path in ["/readyz", "/healthz", "/metrics"] {
        stack.ask("GET", path, "").assert_problem(404);
    }
    let long = payment(&new_id(), &"1".repeat(17 * 1024));
    stack.ask("POST", "/payments", &long).assert_problem(413);
    refused(&stack, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", 400);
    let long = "x".repeat(20_000);
    refused(&stack, &format!("GET /{long} HTTP/1.1\r\nHost: a\r\n"), 414);
    refused(
        &stack,
        &format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n"),
        431,
    );
    let chunked = "Host: a\r\nTransfer-Encoding: gzip, chunked\r\n";
    refused(
        &stack,
        &format!("POST /payments HTTP/1.1\r\n{chunked}"),
        501,
    );
    refused(&stack, "GET / HTTP/2.0\r\nHost: a\r\n", 505);
    let trace = refused(&stack, "TRACE /payments HTTP/1.1\r\nHost: a\r\n", 405);
    assert_eq!(trace.header("allow"), Some("GET, HEAD, POST"));
    let mut connection = stack.connect();
    for path in ["/payments-summary", "/payments-summary?From=1", "/readyz"] {
        let head = connection.head(path);
        let get = connection.request("GET", path, "");
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.header("content-length"), get.header("content-length"));
    }
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
