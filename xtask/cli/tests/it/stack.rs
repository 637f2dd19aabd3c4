use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::http::{Answer, Connection};
use crate::scrape::admin_port;

/// What a simulated processor's own books are asked with.
pub(crate) const TOKEN: &str = "X-Rinha-Token: 123\r\n";

/// One stack at a time: they measure time, and the machine may be small.
static TURN: Mutex<()> = Mutex::new(());

/// A stack of its own for one test. It ends with the test, however that ends.
pub(crate) struct Stack {
    pub(crate) dir: PathBuf,
    pub(crate) port: u16,
    pub(crate) simulator_port: u16,
    _turn: MutexGuard<'static, ()>,
}

/// Count and cents.
pub(crate) type Total = (i64, i64);

impl Stack {
    /// Reserves a folder and ports; nothing runs yet.
    pub(crate) fn reserve() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let ports = consecutive_free_ports();
        Self {
            dir: new_folder(),
            port: ports,
            simulator_port: ports + 1,
            _turn: turn,
        }
    }

    /// A stack that is up.
    pub(crate) fn up(options: &[&str]) -> Self {
        let stack = Self::reserve();
        stack.start(options);
        stack
    }

    #[track_caller]
    pub(crate) fn start(&self, options: &[&str]) {
        let output = self.try_start(options);
        assert!(output.status.success(), "{}", self.describe(&output));
    }

    pub(crate) fn try_start(&self, options: &[&str]) -> Output {
        self.try_start_in(&[], options)
    }

    /// As [`Self::try_start`], in an environment with these variables.
    pub(crate) fn try_start_in(&self, variables: &[(&str, &str)], options: &[&str]) -> Output {
        self.up_command(options)
            .envs(variables.iter().copied())
            .output()
            .expect("cargo built it")
    }

    /// Starts this stack.
    pub(crate) fn up_command(&self, options: &[&str]) -> Command {
        let (port, simulator_port) = (self.port.to_string(), self.simulator_port.to_string());
        let mut arguments = vec!["--detach", "--profile", "dev", "--port", &port];
        arguments.extend(["--simulator-port", &simulator_port]);
        arguments.extend(options);
        command(&self.dir, "up", &arguments)
    }

    /// Runs a command on this stack.
    pub(crate) fn xtask(&self, command: &str, arguments: &[&str]) -> Output {
        xtask(&self.dir, command, arguments)
    }

    /// What was said and logged, for the message of a failed test.
    pub(crate) fn describe(&self, output: &Output) -> String {
        let mut text = format!(
            "{}\n{}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        for entry in fs::read_dir(self.dir.join("logs"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let log = fs::read_to_string(entry.path()).unwrap_or_default();
            text.push_str(&format!("--- {}\n{log}", entry.path().display()));
        }
        text
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.port)
    }

    /// One question on a connection of its own.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        self.connect().request(method, path, body)
    }

    /// Posts a payment of 19.90 with a new id.
    #[track_caller]
    pub(crate) fn pay(&self, connection: &mut Connection) {
        let answer = connection.request("POST", "/payments", &payment(&new_id(), "19.90"));
        assert_eq!(answer.status, 202, "{answer:?}");
    }

    /// What the gateway says each processor holds in a window, empty for all of time.
    #[track_caller]
    pub(crate) fn summary(&self, window: &str) -> (Total, Total) {
        let answer = self.ask("GET", &format!("/payments-summary{window}"), "");
        assert_eq!(answer.status, 200, "{answer:?}");
        let json = answer.json();
        (total(&json["default"]), total(&json["fallback"]))
    }

    /// What a processor's own books say it holds in a window.
    #[track_caller]
    pub(crate) fn books(&self, processor: u16, window: &str) -> Total {
        let path = format!("/admin/payments-summary{window}");
        total(&self.admin(processor, "GET", &path, "").json())
    }

    /// The summary has to say what the simulated processors' own books say.
    #[track_caller]
    pub(crate) fn assert_books_agree(&self) {
        let (default, fallback) = self.summary("");
        assert_eq!(default, self.books(0, ""));
        assert_eq!(fallback, self.books(1, ""));
    }

    #[track_caller]
    pub(crate) fn set_failing(&self, processor: u16, failing: bool) {
        let body = format!("{{\"failure\":{failing}}}");
        self.admin(processor, "PUT", "/admin/configurations/failure", &body);
    }

    /// Asks a simulated processor: 0 is the default one, 1 the fallback.
    #[track_caller]
    pub(crate) fn admin(&self, processor: u16, method: &str, path: &str, body: &str) -> Answer {
        let headers = format!("{TOKEN}Content-Type: application/json\r\n");
        let mut connection = Connection::open(self.simulator_port + processor);
        let answer = connection.request_with(method, path, &headers, body);
        assert!((200..300).contains(&answer.status), "{answer:?}");
        answer
    }

    /// The process number of a member of the stack.
    #[track_caller]
    pub(crate) fn pid(&self, name: &str) -> u32 {
        let pid = self.running_pid(name);
        pid.unwrap_or_else(|| panic!("{name} in {}", self.record()))
    }

    /// The same, if it runs at this moment.
    pub(crate) fn running_pid(&self, name: &str) -> Option<u32> {
        let record = self.record();
        let processes = record["processes"].as_array().expect("a list");
        let process = processes.iter().find(|process| process["name"] == name);
        let pid = process?["id"]["pid"].as_u64()?;
        Some(u32::try_from(pid).expect("a pid"))
    }

    pub(crate) fn record(&self) -> Value {
        let text = fs::read_to_string(self.dir.join("state.json")).expect("a stack runs");
        serde_json::from_str(&text).expect("it is written whole")
    }

    /// Where its Redis is, as an option's value: a long path puts the socket elsewhere.
    pub(crate) fn redis(&self) -> String {
        let plan = fs::read_to_string(self.dir.join("plan.json")).expect("a stack runs");
        let plan: Value = serde_json::from_str(&plan).expect("it is written whole");
        let folder = plan["socket_folder"].as_str().expect("a folder");
        format!("unix://{folder}/redis.sock")
    }

    /// What the admin listener of a front says of it.
    pub(crate) fn readyz(&self, front: &str) -> (u16, Value) {
        let port = admin_port(self, front);
        let answer = Connection::open(port).request("GET", "/readyz", "");
        (answer.status, answer.json())
    }

    /// Asks this stack's Redis, past the product.
    #[track_caller]
    pub(crate) fn redis_cli(&self, arguments: &[&str]) -> String {
        redis_cli(&self.redis(), arguments)
    }

    /// Runs the operator's tool on this stack's Redis.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> Output {
        Command::new(self.dir.join("bin/feeway-ctl"))
            .args(arguments)
            .env("FEEWAY_REDIS", self.redis())
            .output()
            .expect("up built it")
    }

    /// Processes whose command line names the folder of this stack.
    pub(crate) fn processes(&self) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").expect("Linux").flatten() {
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            if command.contains(&*self.dir.to_string_lossy()) {
                found.push(command);
            }
        }
        found
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let output = self.xtask("down", &[]);
        let stopped = output.status.success();
        if thread::panicking() {
            eprintln!("the stack's folder stays: {}", self.dir.display());
            return;
        }
        assert!(stopped, "{}", self.describe(&output));
        fs::remove_dir_all(&self.dir).expect("nothing writes there any more");
    }
}

/// Asks the Redis that listens there.
#[track_caller]
pub(crate) fn redis_cli(redis: &str, arguments: &[&str]) -> String {
    let socket = redis.strip_prefix("unix://").expect("a socket");
    let output = Command::new("redis-cli")
        .args(["-s", socket])
        .args(arguments)
        .output()
        .expect("it comes with redis-server");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn xtask(dir: &Path, command: &str, arguments: &[&str]) -> Output {
    self::command(dir, command, arguments)
        .output()
        .expect("cargo built it")
}

fn command(dir: &Path, command: &str, arguments: &[&str]) -> Command {
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    xtask.arg(command).arg("--dir").arg(dir).args(arguments);
    xtask
}

/// Sends a signal to a process, by the name that `kill` knows.
#[track_caller]
pub(crate) fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .status()
        .expect("kill is everywhere");
    assert!(status.success(), "kill -s {name} {pid}");
}

/// Looks again and again until it holds, for so long.
#[track_caller]
pub(crate) fn eventually(within: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let begin = SystemTime::now();
    while !holds() {
        let waited = begin.elapsed().unwrap_or_default();
        assert!(waited < within, "not within {within:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn payment(id: &str, amount: &str) -> String {
    format!("{{\"correlationId\":\"{id}\",\"amount\":{amount}}}")
}

/// A UUID that no other call gives.
pub(crate) fn new_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{:08x}-0000-4000-8000-{number:012x}", std::process::id())
}

fn total(json: &Value) -> Total {
    let count = json["totalRequests"].as_i64();
    let amount = json["totalAmount"].as_f64();
    let (Some(count), Some(amount)) = (count, amount) else {
        panic!("not a total: {json}");
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounded to a whole number of cents"
    )]
    let cents = (amount * 100.0).round() as i64;
    (count, cents)
}

pub(crate) fn new_folder() -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("feeway-test-{}-{number}", std::process::id());
    std::env::temp_dir().join(name)
}

/// The first of three ports in a row that nobody listens on, below those that the stack
/// takes for itself.
pub(crate) fn consecutive_free_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let place = u16::try_from(std::process::id() % 2000).expect("it is small");
    for _ in 0..2000 {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let first = 12_000 + (place + step) % 2000 * 4;
        let held: Vec<_> = (first..first + 3)
            .filter_map(|port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).ok())
            .collect();
        if held.len() == 3 {
            return first;
        }
    }
    panic!("no three ports in a row are free");
}
