//! Processors that move: to another URL, off the list of processors, or to another address.

mod change_of_dns;

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::answers::{
    DEFAULT, FALLBACK, accept_new, fate, seen, set_document, told, until_all_are,
};
use crate::own_process::OwnProcess;
use crate::scrape::sum;
use crate::stack::{Stack, eventually};

const PINNED: usize = 4;

const UNCONFIGURED: &str = "open at processors that are not configured";

/// A stack with payments that are pinned to the default processor, which has stored them. Its
/// simulated processors go on while it is down.
struct Moving {
    stack: Stack,
    ids: Vec<String>,
    _simulators: [OwnProcess; 2],
}

impl Moving {
    fn begin() -> Self {
        let stack = Stack::reserve();
        let (default, fallback) = (default_at(&stack, "127.0.0.1"), fallback(&stack));
        stack.start(&["--processor", &default, "--processor", &fallback]);
        let simulators = [
            OwnProcess::simulator(&stack, "default", stack.simulator_port),
            OwnProcess::simulator(&stack, "fallback", stack.simulator_port + 1),
        ];
        // It takes its time, so that all are under way before the first one is in doubt.
        let silent = json!({ "rules": [
            { "post": { "delayMs": 500, "ends": "close" }, "lookUp": { "status": 503 } },
        ] });
        set_document(&stack, DEFAULT, &silent);
        set_document(&stack, FALLBACK, &json!({}));
        let ids: Vec<String> = (0..PINNED).map(|_| accept_new(&stack)).collect();
        eventually(Duration::from_secs(10), "all are in doubt", || {
            stack.books(DEFAULT, "").0 == 4
        });
        until_all_are(&stack, Duration::from_secs(5), &ids, "open at default");
        Self {
            stack,
            ids,
            _simulators: simulators,
        }
    }

    #[track_caller]
    fn down(&self) {
        let down = self.stack.xtask("down", &[]);
        assert!(down.status.success(), "{}", self.stack.describe(&down));
    }

    /// From now on the default processor is faithful.
    fn heal(&self) {
        set_document(&self.stack, DEFAULT, &json!({}));
    }

    /// All have ended where they were, and nobody was charged twice.
    #[track_caller]
    fn assert_ended_once(&self) {
        let within = Duration::from_secs(90);
        until_all_are(&self.stack, within, &self.ids, "settled at default");
        assert_eq!(self.stack.books(DEFAULT, ""), (4, 4 * 1990));
        assert_eq!(self.stack.books(FALLBACK, ""), (0, 0));
        self.stack.assert_books_agree();
    }
}

/// The one line in which `up` says why it fails.
#[track_caller]
fn refusal(stack: &Stack, options: &[&str]) -> String {
    let output = stack.try_start(options);
    assert!(!output.status.success(), "{}", stack.describe(&output));
    let said = String::from_utf8_lossy(&output.stderr);
    // What was built is told before.
    let errors = said.lines().skip_while(|line| !line.starts_with("error:"));
    let errors: Vec<&str> = errors.collect();
    assert_eq!(errors.len(), 1, "{said}");
    errors.concat()
}

/// The default processor by one of the names of this machine.
fn default_at(stack: &Stack, host: &str) -> String {
    format!("default=http://{host}:{},fee=0.05", stack.simulator_port)
}

fn fallback(stack: &Stack) -> String {
    let port = stack.simulator_port + 1;
    format!("fallback=http://127.0.0.1:{port},fee=0.15")
}

#[test]
fn pinned_payments_keep_fronts_with_another_url_out_until_somebody_vouches_for_it() {
    let moving = Moving::begin();
    let stack = &moving.stack;
    let fallback = fallback(stack);
    let [known, other] = ["127.0.0.1", "localhost"].map(|host| default_at(stack, host));
    let posts = || moving.ids.iter().map(|id| seen(stack, DEFAULT, id).posts);
    moving.down();
    let before: Vec<u64> = posts().collect();

    let said = refusal(stack, &["--processor", &other, "--processor", &fallback]);
    let port = stack.simulator_port;
    for part in [
        &format!(
            "processor default has the URL http://127.0.0.1:{port} in Redis and http://localhost:{port} here"
        ),
        "4 open payments may have been sent to the old URL",
        "start every front with --moved default",
        "start them with the old URL",
    ] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    assert_eq!(posts().collect::<Vec<_>>(), before, "nobody was asked");

    moving.heal();
    let vouched = [
        "--processor",
        &other,
        "--processor",
        &fallback,
        "--moved",
        "default",
    ];
    stack.start(&vouched);
    moving.assert_ended_once();
    // Both URLs lead there from now on, without a word.
    for default in [&known, &other] {
        moving.down();
        stack.start(&["--processor", default, "--processor", &fallback]);
    }
    // Nothing is open, so that another ledger may take the name.
    moving.down();
    let swapped = format!("default=http://127.0.0.1:{},fee=0.05", port + 1);
    let swapped_too = format!("fallback=http://127.0.0.1:{port},fee=0.15");
    stack.start(&["--processor", &swapped, "--processor", &swapped_too]);
    let id = accept_new(stack);
    until_all_are(stack, Duration::from_secs(10), &[id], "settled at default");
    assert_eq!(stack.books(FALLBACK, ""), (1, 1990));
}

#[test]
fn a_front_with_another_url_does_not_come_up_beside_one_with_the_known_one() {
    let stack = Stack::up(&["--fronts", "1"]);
    stack.pay(&mut stack.connect());
    let plan = fs::read_to_string(stack.dir.join("plan.json")).expect("a stack runs");
    let plan: Value = serde_json::from_str(&plan).expect("it is written whole");
    let processes = plan["processes"].as_array().expect("a list");
    let front = processes
        .iter()
        .find(|process| process["name"] == "front-1");
    let arguments = front.expect("a front")["arguments"].as_array();
    let other = format!("http://localhost:{}", stack.simulator_port);
    let known = format!("http://127.0.0.1:{}", stack.simulator_port);
    let arguments = arguments.expect("a list").iter().map(|argument| {
        let argument = argument.as_str().expect("a text");
        let argument = argument.replace(&known, &other);
        // Its name and its sockets are its own.
        argument.replace("front-1", "front-9")
    });
    let mut arguments: Vec<String> = arguments.collect();
    let admin = arguments
        .iter()
        .position(|argument| argument == "--admin-listen");
    arguments[admin.expect("an admin listener") + 1] = "tcp:127.0.0.1:0".to_owned();
    let begin = SystemTime::now();
    let output = Command::new(stack.dir.join("bin/feeway-front"))
        .args(arguments)
        .output()
        .expect("up built it");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("is running and may send payments to the old URL"),
        "{said}"
    );
    assert!(
        said.contains("front-1.") && said.contains("--moved default"),
        "{said}"
    );
    let waited = begin.elapsed().unwrap_or_default();
    assert!(
        waited > Duration::from_secs(5) && waited < Duration::from_secs(15),
        "{waited:?}"
    );
    stack.pay(&mut stack.connect());
}

#[test]
fn a_removed_processor_with_open_payments_is_counted_and_named() {
    let moving = Moving::begin();
    let stack = &moving.stack;
    let (default, fallback) = (default_at(stack, "127.0.0.1"), fallback(stack));
    moving.down();
    stack.start(&["--processor", &fallback]);
    let count = || {
        sum(
            stack,
            "feeway_unconfigured_payments",
            r#"processor="default""#,
        )
    };
    eventually(Duration::from_secs(20), "all are counted", || {
        count() == 4.0
    });
    let lines = told(stack, UNCONFIGURED);
    assert!((1..=2).contains(&lines.len()), "{lines:?}");
    let mut named = 0;
    for line in &lines {
        assert_eq!(line["level"], "ERROR", "{line}");
        let payments = line["payments"].as_u64().expect("a count");
        assert_eq!(line["processors"], format!("default {payments}"), "{line}");
        named += payments;
    }
    assert_eq!(named, 4);
    // New payments are none of its business.
    let id = accept_new(stack);
    until_all_are(stack, Duration::from_secs(10), &[id], "settled at fallback");
    for id in &moving.ids {
        assert_eq!(fate(stack, id), "open at default");
    }

    moving.down();
    moving.heal();
    stack.start(&["--processor", &default, "--processor", &fallback]);
    let within = Duration::from_secs(90);
    until_all_are(stack, within, &moving.ids, "settled at default");
    assert_eq!(stack.books(DEFAULT, ""), (4, 4 * 1990));
    assert_eq!(count(), 0.0);
}

#[test]
fn two_names_with_one_url_are_refused_in_one_line() {
    let stack = Stack::reserve();
    let url = format!("http://127.0.0.1:{}", stack.simulator_port);
    let (first, twin) = (format!("a={url},fee=0.05"), format!("b={url}/,fee=0.15"));
    let said = refusal(&stack, &["--processor", &first, "--processor", &twin]);
    let expected = format!(
        "the processors a and b have the same URL, {url}: each ledger must have exactly one name"
    );
    assert!(said.contains(&expected), "{said}");
}
