//! No process needs another to start: each says what it waits for, in whatever order.

use std::fs::{self, DirBuilder};
use std::net::TcpStream;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::http::Connection;
use crate::own_process::OwnProcess;
use crate::stack::{Stack, eventually};

/// The reverse of how `up` starts them.
const REVERSED: [&str; 9] = [
    "haproxy",
    "front-2",
    "front-1",
    "leader-2",
    "leader-1",
    "simulator-fallback",
    "simulator-default",
    "nats",
    "redis",
];

/// Servers in the middle, and in the other order.
const SHUFFLED: [&str; 9] = [
    "leader-1",
    "front-1",
    "redis",
    "simulator-fallback",
    "haproxy",
    "front-2",
    "nats",
    "leader-2",
    "simulator-default",
];

const AWAY: [(&str, &str); 2] = [("redis", "redis is away"), ("nats", "NATS is away")];

/// How the processes of a stack are run, for a test that starts them itself.
struct ByHand<'a> {
    stack: &'a Stack,
    plan: Value,
}

impl<'a> ByHand<'a> {
    /// Takes the plan of a stack that is up, and stops it.
    fn take_over(stack: &'a Stack) -> Self {
        let plan = fs::read_to_string(stack.dir.join("plan.json")).expect("a stack runs");
        let plan = serde_json::from_str(&plan).expect("it is written whole");
        let down = stack.xtask("down", &[]);
        assert!(down.status.success(), "{}", stack.describe(&down));
        Self { stack, plan }
    }

    /// Forgets payments and logs, as those of another stack.
    fn afresh(&self) {
        for folder in ["redis", "logs"] {
            let folder = self.stack.dir.join(folder);
            fs::remove_dir_all(&folder).expect("nothing runs");
            fs::create_dir(&folder).expect("room for a folder");
        }
        let sockets = PathBuf::from(text(&self.plan["socket_folder"]));
        if sockets.exists() {
            fs::remove_dir_all(&sockets).expect("nothing runs");
        }
        let made = DirBuilder::new().mode(0o700).create(sockets);
        made.expect("room for a folder");
    }

    fn process(&self, name: &str) -> &Value {
        let processes = self.plan["processes"].as_array().expect("a list");
        let named = processes.iter().find(|process| process["name"] == name);
        named.unwrap_or_else(|| panic!("{name} in {}", self.plan))
    }

    fn start(&self, name: &str) -> OwnProcess {
        let process = self.process(name);
        let mut command = Command::new(text(&process["program"]));
        let arguments = process["arguments"].as_array().expect("a list");
        command.args(arguments.iter().map(text));
        for (name, value) in process["environment"].as_object().expect("an object") {
            match value.as_str() {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        OwnProcess::spawn(command, self.stack, name)
    }

    /// Whether it can be reached.
    fn listens(&self, name: &str) -> bool {
        let address = &self.process(name)["address"];
        match (address["tcp"].as_str(), address["unix"].as_str()) {
            (Some(address), _) => TcpStream::connect(address).is_ok(),
            (_, Some(socket)) => UnixStream::connect(socket).is_ok(),
            (None, None) => panic!("no address: {address}"),
        }
    }

    /// How many lines of its log hold this text.
    fn logged(&self, name: &str, line: &str) -> usize {
        let log = self.stack.dir.join(format!("logs/{name}.log"));
        let log = fs::read_to_string(log).expect("it was started");
        log.lines().filter(|one| one.contains(line)).count()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

fn is_ours(name: &str) -> bool {
    name.starts_with("front") || name.starts_with("leader")
}

/// Starts them one after another, each when the last one has said what it waits for, and pays.
fn check(by_hand: &ByHand<'_>, order: [&str; 9]) {
    by_hand.afresh();
    let mut running = Vec::new();
    for (place, name) in order.into_iter().enumerate() {
        running.push(by_hand.start(name));
        eventually(Duration::from_secs(10), name, || by_hand.listens(name));
        if name == "haproxy" && place == 0 {
            says_that_no_front_is_there(by_hand);
        }
        if !is_ours(name) {
            continue;
        }
        if name.starts_with("front") {
            let waiting = "waiting for Redis and a place in its journal";
            eventually(Duration::from_secs(10), name, || {
                by_hand.logged(name, waiting) == 1
            });
        }
        for (server, away) in AWAY {
            if !order[..place].contains(&server) {
                let what = format!("{name} says: {away}");
                eventually(Duration::from_secs(10), &what, || {
                    by_hand.logged(name, away) == 1
                });
            }
        }
        if !order[..place].contains(&"redis") {
            assert_eq!(by_hand.logged(name, r#""ready""#), 0, "{name}");
        }
    }
    takes_payments(by_hand);
    for (place, name) in order.into_iter().enumerate() {
        for (server, away) in AWAY {
            let missed = is_ours(name) && !order[..place].contains(&server);
            assert_eq!(
                by_hand.logged(name, away),
                usize::from(missed),
                "{name}: {away}"
            );
        }
    }
}

/// The entrance tells its clients, too, and to come again.
fn says_that_no_front_is_there(by_hand: &ByHand<'_>) {
    eventually(Duration::from_secs(10), "its log says so", || {
        by_hand.logged("haproxy", "no server available") == 1
    });
    let answer = by_hand.stack.ask("POST", "/payments", "{}");
    answer.assert_problem(503);
    assert_eq!(answer.header("retry-after"), Some("1"));
}

fn takes_payments(by_hand: &ByHand<'_>) {
    let stack = by_hand.stack;
    eventually(Duration::from_secs(20), "every part is ready", || {
        let fronts = ["front-1", "front-2"];
        let leaders = ["leader-1", "leader-2"];
        let holds = |leader| by_hand.logged(leader, "the lease is ours");
        let stands_by = |leader| by_hand.logged(leader, "standing by");
        fronts.map(|front| by_hand.logged(front, r#""ready""#)) == [1, 1]
            && leaders.map(holds).iter().sum::<usize>() == 1
            && leaders.map(stands_by).iter().sum::<usize>() == 1
            && [fronts, leaders]
                .concat()
                .iter()
                .all(|name| by_hand.logged(name, "NATS is connected") > 0)
            && stack.ask("GET", "/payments-summary", "").status == 200
    });
    let mut connection: Connection = stack.connect();
    for _ in 0..20 {
        stack.pay(&mut connection);
    }
    eventually(Duration::from_secs(10), "every payment settles", || {
        let (default, fallback) = stack.summary("");
        default.0 + fallback.0 == 20
    });
    stack.assert_books_agree();
}

#[test]
fn every_order_of_starting_ends_with_a_stack_that_takes_payments() {
    let stack = Stack::up(&[]);
    let by_hand = ByHand::take_over(&stack);
    for order in [REVERSED, SHUFFLED] {
        check(&by_hand, order);
    }
}
