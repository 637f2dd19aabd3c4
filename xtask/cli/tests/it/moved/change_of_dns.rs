//! A processor's name gets another address, and fronts and leaders follow it.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::{default_at, fallback};
use crate::http::Connection;
use crate::own_process::OwnProcess;
use crate::stack::{Stack, TOKEN, eventually};

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
