//! Processors that move: to another URL, off the list of processors, or to another address.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::answers::{
    DEFAULT, FALLBACK, accept_new, fate, seen, set_document, told, until_all_are,
};
use crate::http::Connection;
use crate::own_process::OwnProcess;
use crate::scrape::sum;
use crate::stack::{Stack, TOKEN, eventually};

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
            "processor default was at http://127.0.0.1:{port} and is at http://localhost:{port} here"
        ),
        "4 open payments may have reached it there",
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
        said.contains("which lives, may send payments to the old one"),
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
    let expected =
        format!("the processors a and b have the same URL, {url}: one ledger has one name");
    assert!(said.contains(&expected), "{said}");
}

const BEFORE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const AFTER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// 30 payments a second.
const PACE: Duration = Duration::from_millis(33);

/// After a name got another address, so long nobody is asked at the old one any more.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(75);

/// What a simulated processor at an address was asked so far.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    /// POSTs and look-ups.
    requests: u64,
    /// Questions for its health, which leaders ask.
    health: usize,
    held: i64,
}

fn asked(address: Ipv4Addr, port: u16) -> Asked {
    let get = |path: &str| {
        let answer = admin(address, port, "GET", path, "");
        answer.body
    };
    let lines = get("/admin/payments");
    let lines = lines
        .lines()
        .map(|line| -> Value { serde_json::from_str(line).expect("a line of JSON") });
    let count = |line: &Value, what: &str| line[what].as_u64().expect("a count");
    let requests = lines.map(|line| count(&line, "posts") + count(&line, "lookUps"));
    let asks: Vec<i64> = serde_json::from_str(&get("/admin/asks")).expect("a list");
    let summary: Value = serde_json::from_str(&get("/admin/payments-summary")).expect("JSON");
    Asked {
        requests: requests.sum(),
        health: asks.len(),
        held: summary["totalRequests"].as_i64().expect("a count"),
    }
}

#[track_caller]
fn admin(
    address: Ipv4Addr,
    port: u16,
    method: &str,
    path: &str,
    body: &str,
) -> crate::http::Answer {
    let headers = format!("{TOKEN}Content-Type: application/json\r\n");
    let mut connection = Connection::open_at(address, port);
    let answer = connection.request_with(method, path, &headers, body);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

/// A command that runs in the sight of another `/etc/hosts`; nothing where this user may not
/// have one of its own.
fn with_hosts(hosts: &Path, command: &Command) -> Option<Command> {
    let mut inside = Command::new("unshare");
    inside
        .args([
            "--mount",
            "sh",
            "-ec",
            "mount --bind \"$0\" /etc/hosts; exec \"$@\"",
        ])
        .arg(hosts);
    let mut trial = Command::new("unshare");
    trial.args(inside.get_args()).arg("true");
    if !trial.status().is_ok_and(|status| status.success()) {
        return None;
    }
    inside.arg(command.get_program()).args(command.get_args());
    Some(inside)
}

/// Names the processor's address. The file stays the same one.
fn point_to(hosts: &Path, address: Ipv4Addr) {
    let text = format!("127.0.0.1 localhost\n{address} processor.test\n");
    fs::write(hosts, text).expect("room for a file");
}

fn simulator_at(stack: &Stack, address: Ipv4Addr) -> OwnProcess {
    let port = stack.simulator_port;
    let mut command = Command::new(stack.dir.join("bin/feeway-simulator"));
    command.args([
        "--name",
        "default",
        "--listen",
        &format!("{address}:{port}"),
    ]);
    let name = format!("simulator-{address}");
    let process = OwnProcess::spawn(command, stack, &name);
    eventually(Duration::from_secs(10), &name, || {
        TcpStream::connect((address, port)).is_ok()
    });
    admin(address, port, "PUT", "/admin/rules", "{}");
    process
}

#[test]
fn a_name_that_gets_another_address_is_followed_under_traffic_by_fronts_and_leaders() {
    let stack = Stack::reserve();
    fs::create_dir_all(&stack.dir).expect("room for a folder");
    let hosts = stack.dir.join("hosts");
    point_to(&hosts, BEFORE);
    let (default, fallback) = (default_at(&stack, "processor.test"), fallback(&stack));
    let up = stack.up_command(&["--processor", &default, "--processor", &fallback]);
    let Some(mut up) = with_hosts(&hosts, &up) else {
        eprintln!("SKIPPED: this user may not mount a file over /etc/hosts");
        return;
    };
    let output = up.output().expect("cargo built it");
    assert!(output.status.success(), "{}", stack.describe(&output));
    let port = stack.simulator_port;
    let _simulators = [
        simulator_at(&stack, BEFORE),
        simulator_at(&stack, AFTER),
        OwnProcess::simulator(&stack, "fallback", port + 1),
    ];

    let mut connection = stack.connect();
    let mut paid = 0;
    let mut pay_for = |time: Duration| {
        let begin = SystemTime::now();
        while begin.elapsed().unwrap_or_default() < time {
            stack.pay(&mut connection);
            paid += 1;
            sleep(PACE);
        }
    };
    pay_for(Duration::from_secs(8));
    let before = asked(BEFORE, port);
    assert!(before.held > 100 && before.health > 0, "{before:?}");
    let untouched = asked(AFTER, port);
    assert_eq!((untouched.requests, untouched.health), (0, 0));

    point_to(&hosts, AFTER);
    pay_for(FOLLOWED_WITHIN);
    let (followed, there) = (asked(BEFORE, port), asked(AFTER, port));
    pay_for(Duration::from_secs(12));
    assert_eq!(
        asked(BEFORE, port),
        followed,
        "nobody asks at the old address"
    );
    let later = asked(AFTER, port);
    assert!(later.held > there.held + 200, "{there:?} {later:?}");
    assert!(later.health > there.health, "{there:?} {later:?}");

    eventually(Duration::from_secs(20), "everything settles", || {
        let (default, fallback) = stack.summary("");
        default.0 + fallback.0 == paid
    });
    let held = asked(BEFORE, port).held + asked(AFTER, port).held;
    assert_eq!(stack.summary("").0.0, held);
    let status = stack.ask("GET", "/payments?status=open", "").json();
    assert_eq!(status["payments"], json!([]), "{status}");
}
