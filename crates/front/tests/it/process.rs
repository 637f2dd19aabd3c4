//! The program itself, with a Redis of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};

use crate::wire::{Client, ID, payment};

const FRONT: &str = env!("CARGO_BIN_EXE_feeway-front");

/// Nothing listens on the port of discarding, so payments to it stay open.
const UNREACHABLE: &str = "http://127.0.0.1:9";

/// A child that does not outlive its test.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    pub(crate) fn send(&self, signal: Signal) {
        let id = i32::try_from(self.0.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// The exit code, if it ends within 10 s.
    pub(crate) async fn end(&mut self) -> Option<i32> {
        let ended = async {
            loop {
                if let Some(status) = self.0.try_wait().unwrap() {
                    return status.code();
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(10), ended).await.ok().flatten()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        self.0.kill().unwrap_or_default();
        self.0.wait().map(|_| ()).unwrap_or_default();
    }
}

/// A front that was started from the command line.
pub(crate) struct Started {
    pub(crate) front: Process,
    pub(crate) socket: PathBuf,
    pub(crate) redis_socket: PathBuf,
    directory: TempDir,
}

impl Started {
    fn new() -> Self {
        Self::with_processor(UNREACHABLE)
    }

    /// A front whose only processor is at this URL.
    pub(crate) fn with_processor(url: &str) -> Self {
        Self::changed(url, |_command| {})
    }

    /// The same, whose command line or environment is changed before it starts.
    pub(crate) fn changed(url: &str, change: impl FnOnce(&mut Command)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("front.sock");
        let redis_socket = directory.path().join("redis.sock");
        let mut command = front();
        command
            .arg(format!("--listen=unix:{}", socket.display()))
            .arg(format!(
                "--admin-listen=unix:{}",
                directory.path().join("admin.sock").display()
            ))
            .arg(format!("--redis=unix://{}", redis_socket.display()))
            .arg("--nats=nats://127.0.0.1:9")
            .arg(format!("--processor=default={url},fee=0.05"))
            .arg("--allow-purge")
            .stdout(File::create(directory.path().join("log")).unwrap());
        change(&mut command);
        Self {
            front: Process::start(&mut command),
            socket,
            redis_socket,
            directory,
        }
    }

    fn start_redis(&self) -> Process {
        self.start_redis_with(&[])
    }

    pub(crate) fn start_redis_with(&self, more: &[&str]) -> Process {
        let mut command = Command::new("redis-server");
        command
            .stdout(Stdio::null())
            .args(["--port", "0", "--save", "", "--appendonly", "yes"])
            .arg("--unixsocket")
            .arg(&self.redis_socket)
            .arg("--dir")
            .arg(self.directory.path())
            .args(more);
        Process::start(&mut command)
    }

    /// How many lines of its log say this so far.
    pub(crate) fn logged(&self, text: &str) -> usize {
        let log = fs::read_to_string(self.directory.path().join("log")).unwrap();
        log.lines().filter(|line| line.contains(text)).count()
    }

    /// What its admin listener says to operators.
    pub(crate) async fn operator(&self) -> Client<UnixStream> {
        client(&self.directory.path().join("admin.sock")).await
    }

    pub(crate) async fn client(&self) -> Client<UnixStream> {
        client(&self.socket).await
    }

    pub(crate) async fn until_ready(&self, status: u16) {
        let mut client = self.client().await;
        let asking = async {
            while client.ask("GET", "/readyz").await.status != status {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(10), asking).await.unwrap();
    }
}

/// A connection to a front that may only be starting.
pub(crate) async fn client(socket: &Path) -> Client<UnixStream> {
    let connecting = async {
        loop {
            match Client::unix_at(socket).await {
                Ok(client) => return client,
                Err(_) => sleep(Duration::from_millis(5)).await,
            }
        }
    };
    timeout(Duration::from_secs(10), connecting).await.unwrap()
}

/// The program, without what the tests' own environment may say.
pub(crate) fn front() -> Command {
    let mut command = Command::new(FRONT);
    command.env_clear();
    command
}

fn output(arguments: &[&str]) -> Output {
    front().args(arguments).output().unwrap()
}

#[test]
fn a_bad_option_is_one_line_and_exit_code_64() {
    let always = ["--redis=unix:///x", "--nats=nats://x:1"];
    let processor = format!("--processor=default={UNREACHABLE},fee=0.05");
    for (argument, named) in [
        ("--patience=60", "--patience"),
        ("--listen=here", "--listen"),
        ("--processor=default", "--processor"),
        ("--redis=http://x", "--redis"),
        ("--what", "--what"),
    ] {
        let output = output(&[always[0], always[1], &processor, argument]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(named), "{said}");
    }
    assert_eq!(output(&[]).status.code(), Some(64));
}

#[test]
fn options_are_also_read_from_the_environment() {
    let output = front().env("FEEWAY_PATIENCE", "soon").output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("'soon' for '--patience"), "{said}");
}

#[test]
fn help_names_every_option_with_its_variable() {
    let output = output(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    for option in [
        "name",
        "listen",
        "admin-listen",
        "redis",
        "nats",
        "intake",
        "dispatch",
        "patience",
        "max-latency",
        "probe-interval",
        "catch-up",
        "max-in-flight",
        "attempt-timeout",
        "max-open",
        "retention",
        "allow-purge",
        "trust-store",
    ] {
        let variable = option.to_uppercase().replace('-', "_");
        assert!(help.contains(&format!("--{option}")), "{option}");
        assert!(help.contains(&format!("FEEWAY_{variable}")), "{option}");
    }
    assert!(help.contains("FEEWAY_PROCESSORS"));
}

#[tokio::test]
async fn a_front_without_redis_answers_keeps_nothing_and_stops_in_time() {
    let mut started = Started::new();
    let mut client = started.client().await;
    client.ask("GET", "/readyz").await.detail(503);
    client.post(&payment("1")).await.detail(503);
    client.ask("GET", "/payments-summary").await.detail(503);
    started.front.send(Signal::TERM);
    assert_eq!(started.front.end().await, Some(0));
    assert!(!started.socket.exists());
}

#[tokio::test]
async fn a_payment_is_kept_in_the_journal_and_known_by_its_id() {
    let mut started = Started::new();
    let mut redis = started.start_redis();
    started.until_ready(200).await;
    let mut client = started.client().await;
    assert_eq!(client.post(&payment("19.9")).await.status, 202);
    assert_eq!(client.post(&payment("19.90")).await.status, 202);
    client.post(&payment("20")).await.detail(409);

    let found = client.ask("GET", &format!("/payments/{ID}")).await.json();
    assert_eq!(found["status"], "open");
    assert_eq!(found["amount"], 19.9);
    let summary = client.ask("GET", "/payments-summary").await.body;
    assert_eq!(
        summary,
        r#"{"default":{"totalRequests":0,"totalAmount":0.00}}"#
    );
    client.ask("POST", "/purge-payments").await.detail(409);

    started.front.send(Signal::INT);
    started.until_ready(503).await;
    assert_eq!(started.front.end().await, Some(0));
    redis.send(Signal::TERM);
    assert!(redis.end().await.is_some());
}
