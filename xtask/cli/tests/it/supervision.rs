//! The supervisor with plans of the test's own: what it does does not depend on the product.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::stack::{eventually, new_folder, signal, xtask};

/// A folder with a plan in it, stopped and removed at the end of the test.
struct Planned {
    dir: PathBuf,
    supervisor: Option<Child>,
}

impl Planned {
    fn supervise(processes: &[Value]) -> Self {
        let dir = new_folder();
        let sockets = dir.join("run");
        for folder in [&sockets, &dir.join("logs")] {
            fs::create_dir_all(folder).expect("a new folder");
        }
        let plan = json!({
            "socket_folder": sockets,
            "processes": processes,
            "urls": [],
        });
        let text = plan.to_string().replace("DIR", &dir.to_string_lossy());
        fs::write(dir.join("plan.json"), text).expect("a new file");
        let supervisor = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args([Path::new("supervise"), Path::new("--dir"), &dir])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("cargo built it");
        Self {
            dir,
            supervisor: Some(supervisor),
        }
    }

    fn record(&self) -> Option<Value> {
        let text = fs::read_to_string(self.dir.join("state.json")).ok()?;
        Some(serde_json::from_str(&text).expect("it is written whole"))
    }

    fn await_phase(&self, within: Duration, phase: &str) {
        eventually(within, phase, || {
            self.record().is_some_and(|record| record["phase"] == phase)
        });
    }

    /// The number of the only process, once it runs and is ready.
    fn ready_pid(&self) -> Option<u32> {
        let record = self.record()?;
        let process = &record["processes"][0];
        process["ready_after_ms"].as_u64()?;
        let pid = process["id"]["pid"].as_u64()?;
        u32::try_from(pid).ok()
    }
}

impl Drop for Planned {
    fn drop(&mut self) {
        let down = xtask(&self.dir, "down", &[]);
        if let Some(mut supervisor) = self.supervisor.take() {
            supervisor.wait().expect("it was started");
        }
        assert!(down.status.success(), "{down:?}");
        fs::remove_dir_all(&self.dir).expect("nobody needs it");
    }
}

fn redis(script: &str) -> Value {
    let socket = json!({"unix": "DIR/run/redis.sock"});
    json!({
        "name": "redis",
        "stage": "servers",
        "program": "/bin/sh",
        "arguments": ["-c", script],
        "environment": {},
        "address": socket,
        "readiness": {"redis_pong": {"at": socket}},
        "stop_signal": "terminate",
    })
}

const REDIS: &str = "exec redis-server --port 0 --save '' --unixsocket DIR/run/redis.sock";

fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[test]
fn a_process_that_dies_is_started_again_and_down_ends_it() {
    let planned = Planned::supervise(&[redis(REDIS)]);
    planned.await_phase(Duration::from_secs(10), "up");
    let first = planned.ready_pid().expect("it is up");
    signal(first, "KILL");
    let mut second = first;
    eventually(Duration::from_secs(5), "it is back", || {
        second = planned.ready_pid().unwrap_or(first);
        second != first
    });
    assert!(xtask(&planned.dir, "down", &[]).status.success());
    assert!(!is_alive(second));
    assert!(!planned.dir.join("run").exists());
    assert!(!planned.dir.join("state.json").exists());
}

#[test]
fn down_ends_what_a_killed_supervisor_left_behind() {
    let mut planned = Planned::supervise(&[redis(REDIS)]);
    planned.await_phase(Duration::from_secs(10), "up");
    let pid = planned.ready_pid().expect("it is up");
    let mut supervisor = planned.supervisor.take().expect("it runs");
    supervisor.kill().expect("it is ours");
    supervisor.wait().expect("it was started");
    assert!(is_alive(pid));
    assert!(!xtask(&planned.dir, "status", &[]).status.success());
    assert!(xtask(&planned.dir, "down", &[]).status.success());
    assert!(!is_alive(pid));
}

#[test]
fn down_ends_a_paused_process_gently() {
    let planned = Planned::supervise(&[redis(REDIS)]);
    planned.await_phase(Duration::from_secs(10), "up");
    let pid = planned.ready_pid().expect("it is up");
    signal(pid, "STOP");
    assert!(xtask(&planned.dir, "down", &[]).status.success());
    assert!(!is_alive(pid));
    let log = fs::read_to_string(planned.dir.join("logs/redis.log")).expect("it wrote one");
    assert!(log.contains("bye bye"), "{log}");
}

#[test]
fn a_process_that_ends_before_it_is_ready_fails_the_start_with_its_last_words() {
    let planned = Planned::supervise(&[redis("echo the reason; exit 64")]);
    let mut reason = String::new();
    eventually(Duration::from_secs(5), "the start failed", || {
        let record = planned.record().unwrap_or_default();
        let failed = record["phase"]["failed"].as_str().map(str::to_owned);
        reason = failed.unwrap_or_default();
        !reason.is_empty()
    });
    assert!(reason.contains("the reason"), "{reason}");
    assert!(reason.contains("64"), "{reason}");
    assert!(reason.starts_with("redis "), "{reason}");
    assert_eq!(reason.lines().count(), 1);
}

#[test]
fn a_log_is_shown_from_its_last_lines() {
    let planned = Planned::supervise(&[redis(&format!("echo one; echo two; {REDIS}"))]);
    planned.await_phase(Duration::from_secs(10), "up");
    let shown = xtask(&planned.dir, "logs", &["redis", "-n", "1000"]);
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(text.starts_with("one\ntwo\n"), "{text}");
    let unknown = xtask(&planned.dir, "logs", &["nobody"]);
    assert!(!unknown.status.success());
}
