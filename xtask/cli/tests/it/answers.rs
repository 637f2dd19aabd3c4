//! What becomes of payments at processors of every kind: whole stacks, whose simulated
//! processors follow rules. Each row of a table is one kind of answer; its ids begin alike.

mod absence;
mod certified;
mod declines;
mod health_questions;
mod look_ups;
mod misdelivery;
mod outages;
mod poison;
mod rate_limits;
mod receipts;
mod rejection_heals;
mod way_back;

use std::fs;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::stack::{Stack, eventually, new_id, payment};

/// The simulated processors, as [`Stack::admin`] knows them.
pub(crate) const DEFAULT: u16 = 0;
pub(crate) const FALLBACK: u16 = 1;

/// A stack whose simulated processors count the requests for each payment, which they do from
/// the first document on.
fn up(options: &[&str]) -> Stack {
    let stack = Stack::up(options);
    count_requests(&stack);
    stack
}

fn count_requests(stack: &Stack) {
    for processor in [DEFAULT, FALLBACK] {
        set_document(stack, processor, &json!({}));
    }
}

/// How the ids of one row of a table begin. No id of another test begins so.
fn prefix(row: usize) -> String {
    format!("{:08x}", 0xa000_0000 + row)
}

/// A new id that belongs to this row.
fn id_of(row: usize) -> String {
    format!("{}{}", prefix(row), &new_id()[8..])
}

/// One rule for each row: what is said of its POSTs and look-ups.
fn rule(row: usize, post: &Value, look_up: &Value) -> Value {
    json!({ "prefix": prefix(row), "post": post, "lookUp": look_up })
}

/// Puts rules in force at a simulated processor, in the place of those before.
#[track_caller]
fn set_rules(stack: &Stack, processor: u16, rules: &[Value]) {
    set_document(stack, processor, &json!({ "rules": rules }));
}

#[track_caller]
pub(crate) fn set_document(stack: &Stack, processor: u16, document: &Value) {
    stack.admin(processor, "PUT", "/admin/rules", &document.to_string());
}

/// Has a payment of 19.90 accepted.
#[track_caller]
fn accept(stack: &Stack, id: &str) {
    let answer = stack.ask("POST", "/payments", &payment(id, "19.90"));
    assert_eq!(answer.status, 202, "{answer:?}");
}

/// Has a payment with a new id accepted.
#[track_caller]
pub(crate) fn accept_new(stack: &Stack) -> String {
    let id = new_id();
    accept(stack, &id);
    id
}

/// What is told of a payment, such as `settled at default`, `open` or `rejected`.
#[track_caller]
pub(crate) fn fate(stack: &Stack, id: &str) -> String {
    let answer = stack.ask("GET", &format!("/payments/{id}"), "");
    assert_eq!(answer.status, 200, "{answer:?}");
    let told = answer.json();
    let status = told["status"].as_str().expect("a status");
    match told["processor"].as_str() {
        Some(processor) => format!("{status} at {processor}"),
        None => status.to_owned(),
    }
}

/// Waits until this is told of each of the payments.
#[track_caller]
pub(crate) fn until_all_are(stack: &Stack, within: Duration, ids: &[String], expected: &str) {
    let begin = SystemTime::now();
    let mut others: Vec<&String> = ids.iter().collect();
    loop {
        others.retain(|id| fate(stack, id) != expected);
        if others.is_empty() {
            return;
        }
        if begin.elapsed().unwrap_or_default() > within {
            let fates: Vec<_> = others.iter().map(|id| (id, fate(stack, id))).collect();
            panic!("not {expected} within {within:?}: {fates:?}");
        }
        sleep(Duration::from_millis(20));
    }
}

/// What a simulated processor has to do with one payment.
pub(crate) struct Seen {
    pub(crate) posts: u64,
    look_ups: u64,
    is_held: bool,
    /// When each POST came that has an answer, in microseconds since 1970.
    posted_at_us: Vec<i64>,
}

#[track_caller]
pub(crate) fn seen(stack: &Stack, processor: u16, id: &str) -> Seen {
    let path = format!("/admin/payments/{id}");
    let told = stack.admin(processor, "GET", &path, "").json();
    let requests = told["requests"].as_array().expect("a list");
    let posts = requests
        .iter()
        .filter(|request| request["method"] == "POST");
    Seen {
        posts: told["posts"].as_u64().expect("a count"),
        look_ups: told["lookUps"].as_u64().expect("a count"),
        is_held: told["held"].as_bool().expect("yes or no"),
        posted_at_us: posts
            .map(|request| request["atUs"].as_i64().expect("an instant"))
            .collect(),
    }
}

/// Waits until a processor has been asked to take each of the payments.
#[track_caller]
fn until_posted(stack: &Stack, processor: u16, ids: &[String]) {
    eventually(Duration::from_secs(10), "all are posted", || {
        ids.iter().all(|id| seen(stack, processor, id).posts > 0)
    });
}

/// The lines of the fronts' logs that say this.
pub(crate) fn told(stack: &Stack, text: &str) -> Vec<Value> {
    let logs = ["front-1", "front-2"].map(|front| {
        let log = stack.dir.join(format!("logs/{front}.log"));
        fs::read_to_string(log).unwrap_or_default()
    });
    let lines = logs.iter().flat_map(|log| log.lines());
    lines
        .filter(|line| line.contains(text))
        // The last one may be half written.
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Pays until so many fronts know that look-ups at the default processor find what it holds:
/// only then does an absence there prove anything. All is settled then.
#[track_caller]
pub(crate) fn gain_trust(stack: &Stack, fronts: usize) {
    let mut ids = Vec::new();
    eventually(Duration::from_secs(10), "look-ups are trusted", || {
        ids.push(accept_new(stack));
        told(stack, "look-ups find what the processor holds").len() >= fronts
    });
    until_all_are(stack, Duration::from_secs(10), &ids, "settled at default");
}
