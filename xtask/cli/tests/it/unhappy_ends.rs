//! Payments that no processor takes, and one that two of them hold: what clients and operators
//! are told.

use std::collections::BTreeSet;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::own_process::OwnProcess;
use crate::scrape::sum;
use crate::stack::{Stack, eventually, new_id, payment, signal};

/// Slow, and long enough for a payment to be on its way when its front falls asleep.
const DELAY_MS: u64 = 4_000;

#[track_caller]
fn pay(stack: &Stack, id: &str) {
    let answer = stack.ask("POST", "/payments", &payment(id, "19.90"));
    assert_eq!(answer.status, 202, "{answer:?}");
}

/// What is told of a single payment.
fn find(stack: &Stack, id: &str) -> Value {
    stack.ask("GET", &format!("/payments/{id}"), "").json()
}

/// The page of a status, which the operator's tool has to list alike.
#[track_caller]
fn listed(stack: &Stack, status: &str) -> Vec<Value> {
    let answer = stack.ask("GET", &format!("/payments?status={status}"), "");
    assert_eq!(answer.status, 200, "{answer:?}");
    let page = answer.json();
    let lines = page["payments"].as_array().expect("a list").clone();
    let output = stack.ctl(&["list", status, "--json"]);
    assert!(output.status.success(), "{}", stack.describe(&output));
    let said = String::from_utf8_lossy(&output.stdout);
    let same: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(same, lines);
    let table = stack.ctl(&["list", status]);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert_eq!(table.lines().count(), 1 + lines.len(), "{table}");
    lines
}

/// A processor that is well, takes nothing and can look nothing up.
fn picky_processor(stack: &Stack, name: &str, port: u16) -> OwnProcess {
    let configuration = format!(
        r#"
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s

frontend processor
    bind 127.0.0.1:{port}
    http-request return status 200 content-type application/json string '{{"failing":false,"minResponseTime":0}}' if {{ path /payments/service-health }}
    http-request return status 404 if METH_GET
    http-request return status 400
"#
    );
    OwnProcess::haproxy(stack, name, port, &configuration)
}

#[test]
fn what_every_processor_calls_malformed_is_rejected_and_listed_with_the_reason() {
    let stack = Stack::reserve();
    let ports = [stack.simulator_port, stack.simulator_port + 1];
    let _processors = [
        picky_processor(&stack, "picky-a", ports[0]),
        picky_processor(&stack, "picky-b", ports[1]),
    ];
    let a = format!("a=http://127.0.0.1:{},fee=0.05,declines=final", ports[0]);
    let b = format!("b=http://127.0.0.1:{},fee=0.15,declines=final", ports[1]);
    // Nobody else is ever paid there, so that only time makes a decline final: three times the
    // patience.
    stack.start(&["--processor", &a, "--processor", &b, "--patience", "0s"]);
    let ids: BTreeSet<String> = (0..3).map(|_| new_id()).collect();
    for id in &ids {
        pay(&stack, id);
    }
    eventually(Duration::from_secs(10), "all are rejected", || {
        ids.iter()
            .all(|id| find(&stack, id)["status"] == "rejected")
    });
    let lines = listed(&stack, "rejected");
    let told: BTreeSet<String> = lines
        .iter()
        .filter_map(|line| line["correlationId"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(told, ids);
    for line in &lines {
        assert_eq!(line["amount"], 19.9);
        assert_eq!(line["reason"], "a answered 400, b answered 400");
        assert!(line["rejectedAt"].is_string(), "{line}");
    }
    // It is known by its id, and nobody tries again.
    for id in &ids {
        let answer = stack.ask("POST", "/payments", &payment(id, "19.90"));
        answer.assert_problem(422);
        assert!(
            answer.body.contains("a answered 400, b answered 400"),
            "{answer:?}"
        );
        assert_eq!(find(&stack, id)["status"], "rejected");
    }
    assert_eq!(sum(&stack, "feeway_payments_rejected_total", ""), 3.0);
    assert_eq!(sum(&stack, "feeway_attempts_total", ""), 6.0);
    let summary = stack.ask("GET", "/payments-summary", "").json();
    for processor in ["a", "b"] {
        assert_eq!(summary[processor]["totalRequests"], 0, "{summary}");
    }
}

/// A payment that the default processor takes its time for, of a front that falls asleep over
/// it. The other front sleeps too, so that the operator may speak.
fn sleep_over_a_payment(stack: &Stack) -> String {
    for _ in 0..3 {
        stack.admin(
            0,
            "PUT",
            "/admin/configurations/delay",
            &format!("{{\"delay\":{DELAY_MS}}}"),
        );
        let id = new_id();
        pay(stack, &id);
        if find(stack, &id)["processor"] == "default" {
            // It lingers in the front for 10 ms before it is sent.
            sleep(Duration::from_millis(200));
            for front in ["front-1", "front-2"] {
                signal(stack.pid(front), "STOP");
            }
            return id;
        }
        // The leader asked just then, so it went elsewhere.
        stack.admin(0, "PUT", "/admin/configurations/delay", "{\"delay\":0}");
        eventually(Duration::from_secs(30), "it is fast again", || {
            sum(stack, "feeway_processor_slow", r#""default""#) == 0.0
        });
    }
    panic!("three payments went elsewhere");
}

/// An operator vouches that a processor does not hold a payment which it does hold. The
/// README warns of it; this is what becomes of it.
#[test]
fn a_payment_that_two_processors_hold_is_a_conflict_for_everybody() {
    // With `always` a front names a processor as soon as it is there.
    let stack = Stack::up(&["--attempt-timeout", "120s", "--fsync", "always"]);
    let id = sleep_over_a_payment(&stack);
    let owner = owner_of(&stack, &id);
    let before = stack.books(1, "");
    eventually(Duration::from_secs(10), "the processor has it", || {
        stack.books(0, "") == (1, 1990)
    });
    eventually(Duration::from_secs(40), "nobody has it in hand", || {
        stack.ctl(&["resolve", &id, "--not-held"]).status.success()
    });

    // One front comes back in a new life and finds the payment free to go; default is slow.
    let sleepers = ["front-1", "front-2"].map(|front| stack.pid(front));
    let (sleeper, killed) = if owner == "front-1" {
        (sleepers[0], sleepers[1])
    } else {
        (sleepers[1], sleepers[0])
    };
    signal(killed, "KILL");
    let after = (before.0 + 1, before.1 + 1990);
    eventually(
        Duration::from_secs(30),
        "the other processor has it",
        || stack.books(1, "") == after,
    );
    eventually(Duration::from_secs(10), "it is settled", || {
        find(&stack, &id)["status"] == "settled"
    });
    assert_eq!(listed(&stack, "conflict"), Vec::<Value>::new());

    // The one that slept finds its answer.
    signal(sleeper, "CONT");
    eventually(Duration::from_secs(10), "both are told of", || {
        find(&stack, &id)["status"] == "conflict"
    });
    let lines = listed(&stack, "conflict");
    let holders: BTreeSet<&str> = lines
        .iter()
        .filter_map(|line| line["processor"].as_str())
        .collect();
    assert_eq!(holders, BTreeSet::from(["default", "fallback"]));
    for line in &lines {
        assert_eq!(line["correlationId"], id.as_str());
        assert_eq!(line["amount"], 19.9);
    }
    // It counts where it is held: the books agree with both processors'.
    assert_eq!(stack.summary(""), ((1, 1990), after));
    assert_eq!(stack.books(0, ""), (1, 1990));
    assert_eq!(sum(&stack, "feeway_conflicts_total", ""), 1.0);
    let adoptions = sum(&stack, "feeway_adoptions_total", "");
    assert!(adoptions >= 1.0, "the sleeper's payments were adopted");
    let told = ["front-1", "front-2"].map(|front| {
        let log = stack.dir.join(format!("logs/{front}.log"));
        let log = fs::read_to_string(log).expect("it logs");
        let lines = log
            .lines()
            .filter(|line| line.contains("two processors hold one payment"));
        lines
            .filter(|line| line.contains(&format!(r#""id":"{id}""#)))
            .count()
    });
    assert_eq!(told.iter().sum::<usize>(), 1, "{told:?}");
}

/// The front that accepted a payment.
fn owner_of(stack: &Stack, id: &str) -> String {
    let output = stack.ctl(&["show", id, "--json"]);
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let owner = shown["custody"]["owner"].as_str().expect("an owner");
    owner.split('.').next().unwrap_or_default().to_owned()
}
