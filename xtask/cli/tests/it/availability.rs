use std::time::Duration;

use crate::stack::{Stack, eventually, new_id, payment, signal};

#[test]
fn a_full_journal_refuses_and_an_open_payment_keeps_the_ledger_from_being_purged() {
    let stack = Stack::up(&["--max-open", "5", "--allow-purge"]);
    stack.set_failing(0, true);
    stack.set_failing(1, true);
    let mut connection = stack.connect();
    for _ in 0..5 {
        stack.pay(&mut connection);
    }
    let full = connection.request("POST", "/payments", &payment(&new_id(), "19.90"));
    full.assert_problem(503);
    assert!(full.header("retry-after").is_some(), "{full:?}");
    connection
        .request("POST", "/purge-payments", "")
        .assert_problem(409);

    stack.set_failing(0, false);
    stack.set_failing(1, false);
    eventually(Duration::from_secs(15), "the five are settled", || {
        let (default, fallback) = stack.summary("");
        default.0 + fallback.0 == 5
    });
    let purged = connection.request("POST", "/purge-payments", "");
    assert_eq!(purged.status, 200, "{purged:?}");
    assert_eq!(stack.summary(""), ((0, 0), (0, 0)));
}

#[test]
fn a_payment_is_refused_while_redis_does_not_answer_and_taken_afterwards() {
    let stack = Stack::up(&[]);
    let redis = stack.pid("redis");
    let body = payment(&new_id(), "19.90");
    signal(redis, "STOP");
    let answer = stack.ask("POST", "/payments", &body);
    signal(redis, "CONT");
    answer.assert_problem(503);
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    eventually(Duration::from_secs(10), "the same payment is taken", || {
        stack.ask("POST", "/payments", &body).status == 202
    });
    eventually(Duration::from_secs(15), "it is settled once", || {
        stack.summary("").0 == (1, 1990)
    });
    assert_eq!(stack.books(0, ""), (1, 1990));
}

#[test]
fn clients_notice_nothing_when_a_front_is_killed_and_comes_back() {
    let stack = Stack::up(&[]);
    let mut connection = stack.connect();
    let mut paid = 0;
    // The first kills are followed by so quick a start that HAProxy never sees the front down:
    // payments reach it before it is ready.
    for _ in 0..3 {
        let pid = stack.pid("front-1");
        signal(pid, "KILL");
        let came_back = || stack.running_pid("front-1").is_some_and(|now| now != pid);
        let mut after_it_came_back = 0;
        while after_it_came_back < 200 {
            stack.pay(&mut connection);
            paid += 1;
            after_it_came_back += i64::from(came_back());
        }
    }
    eventually(Duration::from_secs(15), "every payment settles", || {
        stack.summary("").0.0 == paid
    });
    assert_eq!(stack.summary(""), ((paid, paid * 1990), (0, 0)));
    assert_eq!(stack.books(0, ""), (paid, paid * 1990));
}
