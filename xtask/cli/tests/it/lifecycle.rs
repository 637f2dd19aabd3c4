use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::stack::{Stack, eventually, signal};

#[test]
fn a_stack_comes_up_goes_down_leaving_nothing_and_comes_up_again() {
    let stack = Stack::up(&[]);
    let status = stack.xtask("status", &[]);
    assert!(status.status.success(), "{}", stack.describe(&status));
    let members = stack.record()["processes"]
        .as_array()
        .expect("a list")
        .len();
    assert_eq!(
        members, 9,
        "redis, nats, 2 simulators, 2 leaders, 2 fronts, haproxy"
    );
    let lines = String::from_utf8_lossy(&status.stdout).lines().count();
    assert_eq!(lines, 1 + members);
    stack.pay(&mut stack.connect());

    let down = stack.xtask("down", &[]);
    assert!(down.status.success(), "{}", stack.describe(&down));
    assert_eq!(stack.processes(), Vec::<String>::new());
    assert!(!stack.dir.join("run").exists());
    for port in [stack.port, stack.simulator_port, stack.simulator_port + 1] {
        assert!(
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err(),
            "{port}"
        );
    }
    assert!(
        stack.xtask("down", &[]).status.success(),
        "down when nothing runs"
    );

    stack.start(&[]);
    stack.pay(&mut stack.connect());
}

#[test]
fn a_taken_port_is_named_in_one_line_and_nothing_is_started() {
    let stack = Stack::reserve();
    for (port, address) in [
        (stack.port, Ipv4Addr::UNSPECIFIED),
        (stack.simulator_port, Ipv4Addr::LOCALHOST),
        (stack.simulator_port + 1, Ipv4Addr::LOCALHOST),
    ] {
        let held = TcpListener::bind((address, port)).expect("it was free just now");
        let output = stack.try_start(&[]);
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(&port.to_string()), "{said}");
        assert_eq!(stack.processes(), Vec::<String>::new());
        drop(held);
    }
}

#[test]
fn a_second_up_in_the_same_folder_is_refused_and_the_first_goes_on() {
    let stack = Stack::up(&[]);
    let output = stack.try_start(&[]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("already runs"), "{said}");
    stack.pay(&mut stack.connect());
}

#[test]
fn payments_that_are_open_at_down_are_finished_after_the_next_up() {
    let stack = Stack::up(&[]);
    stack.set_failing(0, true);
    stack.set_failing(1, true);
    let mut connection = stack.connect();
    for _ in 0..20 {
        stack.pay(&mut connection);
    }
    let down = stack.xtask("down", &[]);
    assert!(down.status.success(), "{}", stack.describe(&down));
    assert_eq!(stack.processes(), Vec::<String>::new());
    stack.start(&[]);
    eventually(Duration::from_secs(20), "every payment settles", || {
        let (default, fallback) = stack.summary("");
        default.0 + fallback.0 == 20
    });
    stack.assert_books_agree();
}

#[test]
fn every_part_that_is_killed_comes_back() {
    let stack = Stack::up(&[]);
    for name in ["front-1", "nats", "simulator-fallback", "redis", "haproxy"] {
        let old = stack.pid(name);
        signal(old, "KILL");
        eventually(Duration::from_secs(10), name, || {
            let record = stack.record();
            let processes = record["processes"].as_array().expect("a list");
            processes.iter().all(|process| {
                process["ready_after_ms"].is_u64()
                    && (process["name"] != name || process["id"]["pid"] != old)
            })
        });
    }
    let status = stack.xtask("status", &[]);
    assert!(status.status.success(), "{}", stack.describe(&status));
    stack.pay(&mut stack.connect());
}

#[test]
fn restart_gives_one_process_a_new_life_and_returns_when_it_is_ready() {
    let stack = Stack::up(&[]);
    let (old, other) = (stack.pid("front-1"), stack.pid("front-2"));
    let output = stack.xtask("restart", &["front-1"]);
    assert!(output.status.success(), "{}", stack.describe(&output));
    assert_ne!(stack.pid("front-1"), old);
    assert_eq!(stack.pid("front-2"), other);
    assert!(stack.xtask("status", &[]).status.success());
    let unknown = stack.xtask("restart", &["front-9"]);
    assert!(!unknown.status.success());
}

#[test]
fn what_is_stopped_stays_down_until_it_is_started_and_the_others_go_on() {
    let stack = Stack::up(&[]);
    let redis = stack.pid("redis");
    let unknown = stack.xtask("stop", &["front-1", "front-9"]);
    assert!(!unknown.status.success());
    assert!(stack.xtask("status", &[]).status.success());

    let stop = stack.xtask("stop", &["front-1", "front-2"]);
    assert!(stop.status.success(), "{}", stack.describe(&stop));
    let running = || {
        let record = stack.record();
        let processes = record["processes"].as_array().expect("a list");
        let running = processes.iter().filter(|process| process["id"].is_object());
        running.count()
    };
    assert_eq!(running(), 7);
    stack
        .connect()
        .request("POST", "/payments", "{}")
        .assert_problem(503);
    let status = stack.xtask("status", &[]);
    assert!(!status.status.success());
    let said = String::from_utf8_lossy(&status.stdout);
    assert_eq!(said.matches(" stopped ").count(), 2, "{said}");
    assert_eq!(running(), 7);
    assert_eq!(stack.pid("redis"), redis);

    let start = stack.xtask("start", &["front-1"]);
    assert!(start.status.success(), "{}", stack.describe(&start));
    eventually(Duration::from_secs(5), "the entrance sees it", || {
        stack.ask("GET", "/payments-summary", "").status == 200
    });
    assert_eq!(running(), 8);
    let restart = stack.xtask("restart", &["front-2"]);
    assert!(restart.status.success(), "{}", stack.describe(&restart));
    assert!(stack.xtask("status", &[]).status.success());
    stack.pay(&mut stack.connect());
}

#[test]
fn a_stack_in_the_foreground_stays_until_it_is_interrupted_and_leaves_nothing() {
    let mut stack = Stack::reserve();
    // Too long for Unix sockets, which then lie elsewhere.
    stack.dir = stack.dir.with_extension("long".repeat(30));
    let output = stack.dir.with_extension("output");
    let mut up = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["up", "--profile", "dev", "--port", &stack.port.to_string()])
        .args([
            "--simulator-port",
            &stack.simulator_port.to_string(),
            "--dir",
        ])
        .arg(&stack.dir)
        .stdin(Stdio::null())
        .stdout(File::create(&output).expect("a new file"))
        .spawn()
        .expect("cargo built it");
    let said = || fs::read_to_string(&output).expect("it is there");
    eventually(Duration::from_secs(300), "it is up", || {
        said().contains("Ctrl-C")
    });
    assert!(said().contains("front-2"), "{}", said());
    stack.pay(&mut stack.connect());
    signal(up.id(), "INT");
    assert!(up.wait().expect("it was started").success(), "{}", said());
    assert_eq!(stack.processes(), Vec::<String>::new());
    fs::remove_file(&output).expect("it is there");
}

#[test]
fn a_bad_value_fails_the_start_with_one_line_and_leaves_nothing() {
    let stack = Stack::reserve();
    let output = stack.try_start(&["--patience", "soon"]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    assert!(last.contains("--patience"), "{said}");
    assert_eq!(stack.processes(), Vec::<String>::new());
}
