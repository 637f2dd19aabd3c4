//! A Redis that is killed and comes back without its last moments.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::answers::{DEFAULT, set_document};
use crate::http::{Answer, Connection};
use crate::stack::{Stack, eventually, new_id, payment, signal};

/// After so long no front waits any longer for Redis to be unable to forget it.
const LASTING: Duration = Duration::from_secs(10);

/// How long a front is waited for that says nothing, and a little more.
const LAPSE: Duration = Duration::from_secs(5);
const SPARE: Duration = Duration::from_secs(3);

/// The machine of Redis loses its power: it comes back without what it wrote since a moment.
struct Forgetful<'a> {
    stack: &'a Stack,
    file: PathBuf,
    /// How long the file was at that moment.
    length: u64,
}

impl<'a> Forgetful<'a> {
    /// This is the moment.
    fn since_now(stack: &'a Stack) -> Self {
        let folder = stack.dir.join("redis/appendonlydir");
        let files = fs::read_dir(&folder).expect("Redis keeps its files there");
        let mut files = files.map(|file| file.expect("it can be read").path());
        let file = files.find(|file| file.to_string_lossy().ends_with(".incr.aof"));
        let file = file.expect("Redis appends to one");
        let length = fs::metadata(&file).expect("it is there").len();
        Self {
            stack,
            file,
            length,
        }
    }

    fn restart(&self) {
        let stopped = self.stack.xtask("stop", &["redis"]);
        assert!(stopped.status.success(), "{stopped:?}");
        let file = fs::File::options().write(true).open(&self.file);
        file.and_then(|file| file.set_len(self.length))
            .expect("the test's own file");
        let started = self.stack.xtask("start", &["redis"]);
        assert!(started.status.success(), "{started:?}");
    }
}

fn post(stack: &Stack, id: &str) -> Answer {
    stack.ask("POST", "/payments", &payment(id, "19.90"))
}

fn state(stack: &Stack, id: &str) -> String {
    let found = stack.ask("GET", &format!("/payments/{id}"), "");
    let json = found.json();
    json["status"].as_str().unwrap_or("none").to_owned()
}

fn metric(stack: &Stack, front: &str, name: &str) -> u64 {
    let text = fs::read_to_string(stack.dir.join("config/targets.json")).expect("up wrote it");
    let targets: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let targets = targets.as_array().expect("a list");
    let target = targets.iter().find(|one| one["labels"]["process"] == front);
    let address = target.and_then(|target| target["targets"][0].as_str());
    let port = address.and_then(|address| address.rsplit(':').next()?.parse().ok());
    let page = Connection::open(port.expect("a port")).request("GET", "/metrics", "");
    let line = page.body.lines().find(|line| line.starts_with(name));
    let value = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
    value.unwrap_or(0)
}

fn accepted(stack: &Stack, front: &str) -> u64 {
    metric(stack, front, "feeway_payments_accepted_total")
}

/// A stack whose fronts Redis cannot forget any more.
fn lasting(options: &[&str]) -> Stack {
    let stack = Stack::up(options);
    let first = new_id();
    assert_eq!(post(&stack, &first).status, 202);
    eventually(LASTING, "a payment settles", || {
        state(&stack, &first) == "settled"
    });
    // The other front enlisted at about the same moment.
    thread::sleep(Duration::from_secs(2));
    stack
}

/// Pays once, and says which front accepted it, and when Redis knew nothing of it.
fn paid<'a>(stack: &'a Stack, id: &str) -> (&'static str, Forgetful<'a>) {
    let before = accepted(stack, "front-1");
    let forgetful = Forgetful::since_now(stack);
    assert_eq!(post(stack, id).status, 202);
    eventually(Duration::from_secs(5), "it settles", || {
        state(stack, id) == "settled"
    });
    let is_first = accepted(stack, "front-1") > before;
    (if is_first { "front-1" } else { "front-2" }, forgetful)
}

#[test]
fn what_a_sleeping_front_was_promised_is_not_accepted_by_the_other_one() {
    let stack = lasting(&["--patience", "0s"]);
    let id = new_id();
    let (front, forgetful) = paid(&stack, &id);
    // Whoever takes it for new sends it elsewhere.
    stack.set_failing(0, true);
    signal(stack.pid(front), "STOP");
    forgetful.restart();
    let mut told = 0;
    let begin = SystemTime::now();
    while begin.elapsed().unwrap_or_default() < Duration::from_secs(2) {
        let answer = post(&stack, &id);
        assert_ne!(answer.status, 202, "{answer:?}");
        if answer.body.contains("may have forgotten") {
            answer.assert_problem(503);
            assert_eq!(answer.header("retry-after"), Some("1"));
            let summary = stack.ask("GET", "/payments-summary", "");
            summary.assert_problem(503);
            told += 1;
        }
        thread::sleep(Duration::from_millis(50));
    }
    assert!(told > 0, "nobody said why");
    signal(stack.pid(front), "CONT");
    eventually(SPARE, "it is known", || post(&stack, &id).status == 202);
    eventually(SPARE, "it is settled", || state(&stack, &id) == "settled");
    stack.set_failing(0, false);
    assert_eq!(stack.summary("").0.0, 2);
    stack.assert_books_agree();
}

#[test]
fn a_front_that_sleeps_too_long_is_not_waited_for_and_a_second_charge_is_booked() {
    let stack = lasting(&["--patience", "0s", "--absence-after", "1s"]);
    let id = new_id();
    let (front, forgetful) = paid(&stack, &id);
    // It knows nothing of it for a while, so that whoever takes it for new sends it elsewhere.
    let refusal = json!({ "status": 401, "ifHeld": "sameRule" });
    let locked = json!({ "post": refusal, "lookUp": { "status": 404 } });
    set_document(&stack, DEFAULT, &json!({ "rules": [locked] }));
    signal(stack.pid(front), "STOP");
    forgetful.restart();
    eventually(LAPSE + SPARE, "nobody is waited for", || {
        post(&stack, &id).status == 202
    });
    eventually(Duration::from_secs(10), "it is sent to the other", || {
        stack.books(1, "").0 == 1
    });
    set_document(&stack, DEFAULT, &json!({}));
    signal(stack.pid(front), "CONT");
    eventually(Duration::from_secs(10), "both are booked", || {
        state(&stack, &id) == "conflict"
    });
    stack.assert_books_agree();
}

#[test]
fn two_restarts_in_a_row_lose_nothing() {
    let stack = lasting(&[]);
    let id = new_id();
    let (_, forgetful) = paid(&stack, &id);
    for _ in 0..3 {
        forgetful.restart();
        eventually(LAPSE, "it is known again", || {
            state(&stack, &id) == "settled"
        });
        // Each time for less than Redis may forget, all in all for longer.
        thread::sleep(Duration::from_millis(1_800));
    }
    stack.assert_books_agree();
}

#[test]
fn a_front_that_stops_while_redis_is_killed_loses_nothing() {
    let stack = lasting(&[]);
    let id = new_id();
    let (front, forgetful) = paid(&stack, &id);
    thread::scope(|scope| {
        let stopping = scope.spawn(|| stack.xtask("stop", &[front]));
        thread::sleep(Duration::from_millis(1_500));
        forgetful.restart();
        let stopped = stopping.join().expect("it does not panic");
        assert!(stopped.status.success(), "{stopped:?}");
    });
    eventually(LAPSE + SPARE, "it is known", || {
        state(&stack, &id) == "settled"
    });
    assert_eq!(post(&stack, &id).status, 202);
    stack.assert_books_agree();
}
