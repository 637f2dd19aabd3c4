//! "Backup and restore" of the operations document, command by command.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use feeway_machine::files::repository;
use serde_json::Value;

use crate::readme::{examples, shell, try_shell};
use crate::stack::{Stack, eventually, new_id, payment, signal};

type Ids = BTreeSet<String>;

/// The examples of the section, in the order of their steps.
struct Steps {
    copy: Vec<String>,
    restore: Vec<String>,
    compare: Vec<String>,
    settle: Vec<String>,
    start: Vec<String>,
}

impl Steps {
    fn read() -> Self {
        let document = repository().join("docs/operations.md");
        let document = fs::read_to_string(document).expect("it is in the repository");
        let (_, rest) = document
            .split_once("## Backup and restore\n")
            .expect("it tells how");
        let section = rest.split("\n## ").next().unwrap_or_default();
        let [copy, restore, compare, settle, start] = examples(section)
            .try_into()
            .expect("an example for the copy and one for each of four steps");
        Self {
            copy,
            restore,
            compare,
            settle,
            start,
        }
    }
}

#[track_caller]
fn run(commands: &[String], stack: &Stack) {
    for command in commands {
        shell(command, stack);
    }
}

/// Runs commands of which those that compare may find differences. Returns whether each of
/// these found none, and what all of them said.
fn run_comparing(commands: &[String], stack: &Stack) -> (Vec<bool>, String) {
    let mut equal = Vec::new();
    let mut said = String::new();
    for command in commands {
        let output = try_shell(command, stack);
        if command.contains(" reconcile ") {
            assert!(
                matches!(output.status.code(), Some(0 | 1)),
                "{command}: {}",
                stack.describe(&output)
            );
            equal.push(output.status.success());
        } else {
            assert!(output.status.success(), "{command}");
        }
        said.push_str(&String::from_utf8_lossy(&output.stdout));
    }
    (equal, said)
}

#[track_caller]
fn send(stack: &Stack, ids: &Ids) {
    let mut connection = stack.connect();
    for id in ids {
        let answer = connection.request("POST", "/payments", &payment(id, "19.90"));
        assert_eq!(answer.status, 202, "{answer:?}");
    }
}

#[track_caller]
fn pay(stack: &Stack, count: usize) -> Ids {
    let ids = (0..count).map(|_| new_id()).collect();
    send(stack, &ids);
    ids
}

/// Whose payments a simulated processor holds.
#[track_caller]
fn held(stack: &Stack, processor: u16) -> Ids {
    let port = stack.simulator_port + processor;
    let lines = shell(
        &format!("curl -sf -H 'X-Rinha-Token: 123' http://127.0.0.1:{port}/admin/dump"),
        stack,
    );
    let id = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        line["correlationId"].as_str().map(str::to_owned)
    };
    lines.lines().filter_map(id).collect()
}

/// The ids of the lines that hold this text.
fn told(said: &str, text: &str) -> Ids {
    let lines = said.lines().filter(|line| line.contains(text));
    lines
        .filter_map(|line| line.split_whitespace().nth(1).map(str::to_owned))
        .collect()
}

fn and(one: &Ids, other: &Ids) -> Ids {
    one & other
}

/// What is told of a payment, or the status code if nothing is known.
fn status(stack: &Stack, id: &str) -> Value {
    stack.ask("GET", &format!("/payments/{id}"), "").json()["status"].take()
}

fn nothing_is_open(stack: &Stack) -> bool {
    let answer = stack.ask("GET", "/payments?status=open", "");
    answer.status == 200 && answer.json()["payments"] == Value::Array(Vec::new())
}

/// What happens between the copy and the loss: the fallback processor works for a moment, in
/// which only one front gets rid of its payments.
fn settle_some(stack: &Stack, open: &Ids, later: &Ids) {
    let asleep = stack.pid("front-2");
    signal(asleep, "STOP");
    stack.set_failing(1, false);
    eventually(Duration::from_secs(10), "front-1's are settled", || {
        let fallback = held(stack, 1);
        !and(&fallback, open).is_empty() && !and(&fallback, later).is_empty()
    });
    stack.set_failing(1, true);
    signal(asleep, "CONT");
}

#[test]
fn a_restored_copy_catches_up_with_the_processors_and_nobody_is_charged_twice() {
    let steps = Steps::read();
    // A payment that was refused after its patience waits for as long before it is sent again.
    let stack = Stack::up(&["--patience", "1s", "--absence-after", "1s"]);
    let settled = pay(&stack, 10);
    eventually(Duration::from_secs(10), "they are settled", || {
        stack.summary("").0.0 == 10
    });
    stack.set_failing(0, true);
    stack.set_failing(1, true);
    let open = pay(&stack, 12);
    run(&steps.copy, &stack);
    let later = pay(&stack, 12);
    settle_some(&stack, &open, &later);

    run(&steps.restore, &stack);
    let (default, fallback) = (held(&stack, 0), held(&stack, 1));
    assert_eq!(default, settled);
    assert!(and(&fallback, &open).len() < open.len(), "some are open");
    assert!(and(&fallback, &later).len() < later.len(), "some are lost");
    let (equal, said) = run_comparing(&steps.compare, &stack);
    assert_eq!(equal, [true, false], "{said}");
    assert_eq!(told(&said, "here open"), and(&fallback, &open), "{said}");
    assert_eq!(
        told(&said, "here unknown"),
        and(&fallback, &later),
        "{said}"
    );
    assert_eq!(told(&said, "theirs-not-ours  "), fallback, "{said}");

    let (equal, said) = run_comparing(&steps.settle, &stack);
    assert_eq!(equal, [true, false], "{said}");
    let (equal, said) = run_comparing(&steps.settle, &stack);
    assert_eq!(equal, [true, true], "{said}");

    stack.set_failing(0, false);
    stack.set_failing(1, false);
    run(&steps.start, &stack);
    eventually(Duration::from_secs(20), "all are finished", || {
        nothing_is_open(&stack)
    });
    for id in settled.union(&open) {
        assert_eq!(status(&stack, id), "settled", "{id}");
    }
    for id in later.difference(&fallback) {
        assert_eq!(status(&stack, id), 404, "nobody knows {id}");
    }
    the_shop_sends_again(&stack, &later);

    let (default, fallback) = (held(&stack, 0), held(&stack, 1));
    assert_eq!(and(&default, &fallback), Ids::new(), "charged twice");
    assert_eq!(&default | &fallback, &(&settled | &open) | &later);
    stack.assert_books_agree();
    let (equal, said) = run_comparing(&steps.compare, &stack);
    assert_eq!(equal, [true, true], "{said}");
}

fn the_shop_sends_again(stack: &Stack, ids: &Ids) {
    send(stack, ids);
    eventually(Duration::from_secs(10), "all are settled", || {
        nothing_is_open(stack) && ids.iter().all(|id| status(stack, id) == "settled")
    });
}
