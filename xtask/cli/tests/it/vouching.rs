//! An operator knows from a processor's statement that it holds a payment, and says so.

use std::fs;

use jiff::Timestamp;

use crate::readme::pin;
use crate::stack::{Stack, new_id};

/// What the tool says, and whether all is well.
#[track_caller]
fn ctl(stack: &Stack, arguments: &[&str]) -> (bool, String) {
    let output = stack.ctl(arguments);
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{}",
        stack.describe(&output)
    );
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into());
    let [out, err]: [String; 2] = said;
    (output.status.success(), out + &err)
}

/// Compares an export of one line with the ledger.
fn reconcile(stack: &Stack, id: &str, amount: &str, at: &str) -> (bool, String) {
    let file = stack.dir.join("silent.jsonl");
    let line = format!(r#"{{"correlationId":"{id}","amount":{amount},"requestedAt":"{at}"}}"#);
    fs::write(&file, line).expect("room for a file");
    let file = file.to_str().expect("a name in UTF-8");
    ctl(stack, &["reconcile", file, "--processor", "silent"])
}

#[test]
fn what_an_operator_vouches_for_is_settled_and_agrees_with_the_statement() {
    let stack = Stack::reserve();
    let id = new_id();
    let silent = pin(&stack, &id);
    let at = format!("{:.6}", Timestamp::now());
    let held = ["resolve", &id, "--held", "silent", "--requested-at", &at];
    let with_fee = [&held[..], &["--fee", "0.05", "--by", "ann"]].concat();
    let (equal, said) = reconcile(&stack, &id, "19.90", &at);
    assert!(!equal && said.contains("here open at silent"), "{said}");

    drop(silent);
    let (done, said) = ctl(&stack, &held);
    assert!(!done && said.contains("give --fee"), "{said}");
    let other = ["resolve", &id, "--held", "other", "--requested-at", &at];
    let (done, said) = ctl(&stack, &other);
    assert!(!done && said.contains("pinned to silent"), "{said}");
    let (done, said) = ctl(&stack, &with_fee);
    assert!(done && said.starts_with("settled"), "{said}");
    // Nothing was let go, so the fronts need not stand back any longer.
    assert_eq!(ctl(&stack, &["stand-back"]), (true, String::new()));
    let found = stack.ask("GET", &format!("/payments/{id}"), "").json();
    assert_eq!(found["status"], "settled", "{found}");
    assert_eq!(found["processor"], "silent", "{found}");
    assert_eq!(found["requestedAt"], at.as_str(), "{found}");
    let window = format!("/payments-summary?from={at}&to={at}");
    let summary = stack.ask("GET", &window, "").json();
    assert_eq!(summary["silent"]["totalRequests"], 1, "{summary}");
    assert_eq!(summary["silent"]["totalAmount"], 19.9, "{summary}");

    let (_, said) = ctl(&stack, &["resolutions"]);
    assert!(
        said.contains(&id) && said.contains("fee 0.05; by ann"),
        "{said}"
    );
    let (equal, said) = reconcile(&stack, &id, "19.90", &at);
    assert!(equal, "{said}");
    let (equal, said) = reconcile(&stack, &id, "19.91", &at);
    assert!(!equal && said.contains("amount 1"), "{said}");
}
