//! The stack in containers, as `cargo xtask up --engine docker` starts it.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::stack::{Stack, eventually, new_id, payment};

const CLIENTS: u64 = 4;
const PAYMENTS_EACH: u64 = 250;

/// Whether an engine answers. It says so where it can be seen even when tests pass.
fn has_engine() -> bool {
    let answers = Command::new("docker")
        .arg("info")
        .output()
        .is_ok_and(|output| output.status.success());
    if !answers {
        let reason = "SKIPPED: no Docker engine answers, so no stack in containers is tested\n";
        io::stderr()
            .write_all(reason.as_bytes())
            .expect("it is open");
    }
    answers
}

/// A stack in containers. Nothing of it is left when this ends.
struct Contained {
    stack: Stack,
    project: String,
}

impl Contained {
    fn up() -> Self {
        let stack = Stack::up(&["--engine", "docker"]);
        let known = fs::read_to_string(stack.dir.join("containers.json")).expect("it runs");
        let known: Value = serde_json::from_str(&known).expect("it is written whole");
        let project = known["project"].as_str().expect("a name").to_owned();
        Self { stack, project }
    }

    /// The container of a service.
    #[track_caller]
    fn container(&self, service: &str) -> String {
        let label = format!("label=com.docker.compose.service={service}");
        let ids = self.list(&["ps", "--all", "--filter", &label]);
        assert_eq!(ids.len(), 1, "{service}: {ids:?}");
        ids[0].clone()
    }

    /// What is there of the stack: `ps`, `network ls` or `volume ls`.
    fn list(&self, words: &[&str]) -> Vec<String> {
        let label = format!("label=com.docker.compose.project={}", self.project);
        let mut arguments = words.to_vec();
        arguments.extend(["--quiet", "--filter", &label]);
        docker(&arguments)
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    }

    #[track_caller]
    fn inspect(&self, service: &str, what: &str) -> String {
        docker(&["inspect", "--format", what, &self.container(service)])
    }
}

impl Drop for Contained {
    fn drop(&mut self) {
        let down = self.stack.xtask("down", &[]);
        let volumes = self.list(&["volume", "ls"]);
        for volume in &volumes {
            docker(&["volume", "rm", volume]);
        }
        if !thread::panicking() {
            assert!(down.status.success(), "{}", self.stack.describe(&down));
        }
    }
}

#[track_caller]
fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker")
        .args(arguments)
        .output()
        .expect("docker is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Pays from several clients at once, and counts the answers that are not 202.
fn pay(stack: &Stack, meanwhile: impl FnOnce()) -> Vec<String> {
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let mut connection = stack.connect();
                    let ask = |_| {
                        let body = payment(&new_id(), "19.90");
                        let answer = connection.request("POST", "/payments", &body);
                        (answer.status != 202).then(|| format!("{answer:?}"))
                    };
                    (0..PAYMENTS_EACH).filter_map(ask).collect::<Vec<_>>()
                })
            })
            .collect();
        meanwhile();
        let failed = clients
            .into_iter()
            .map(|client| client.join().expect("no panic"));
        failed.flatten().collect()
    })
}

/// The lines of a command's output that begin with this word.
fn lines<'a>(text: &'a str, first: &str) -> Vec<&'a str> {
    let begins = |line: &&str| line.split_whitespace().next() == Some(first);
    text.lines().filter(begins).collect()
}

/// Containers, networks and volumes, whatever state they are in, of the stacks of this folder.
fn left_over(stack: &Stack) -> Vec<String> {
    let folder = stack.dir.file_name().expect("it has a name");
    let name = folder.to_string_lossy().to_ascii_lowercase();
    let name = format!("name=feeway-{name}");
    let list = |words: &[&str]| docker(&[words, &["--quiet", "--filter", &name]].concat());
    [["ps", "--all"], ["network", "ls"], ["volume", "ls"]]
        .iter()
        .flat_map(|words| {
            let found = list(words);
            found.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

/// What a front of the image says that cannot listen where it is told to.
fn front_without_a_place(options: &[&str]) -> String {
    let run = ["run", "--rm", "--network=none"];
    let front = [
        "feeway:dev",
        "feeway-front",
        "--name=front-1",
        "--listen=unix:/nowhere/front.sock",
        "--redis=unix:///nowhere/redis.sock",
        "--nats=nats://localhost:4222",
        "--processor=a=https://localhost:1,fee=0.05",
    ];
    let output = Command::new("docker")
        .args([&run[..], options, &front[..]].concat())
        .output()
        .expect("docker is there");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A processor at https:// needs somebody to vouch for it.
#[track_caller]
fn image_trusts_whom_this_machine_trusts() {
    let without = front_without_a_place(&["--tmpfs=/etc/ssl/certs"]);
    assert!(without.contains("certificate authority"), "{without}");
    if Path::new("/etc/ssl/certs/ca-certificates.crt").is_file() {
        let said = front_without_a_place(&[]);
        assert!(said.contains("/nowhere/front.sock"), "{said}");
    }
}

/// As an operator resolves a payment: without fronts, and with the tool of a leader's container.
#[track_caller]
fn stopped_fronts_stay_away_until_they_are_started(contained: &Contained) {
    let stack = &contained.stack;
    let running = |front| contained.inspect(front, "{{.State.Running}}");
    let slip = stack.xtask("stop", &["front-1", "front-9"]);
    assert!(!slip.status.success(), "{}", stack.describe(&slip));
    assert_eq!(running("front-1"), "true", "one is misnamed: none stops");
    let stop = stack.xtask("stop", &["front-1", "front-2"]);
    assert!(stop.status.success(), "{}", stack.describe(&stop));
    for front in ["front-1", "front-2"] {
        assert_eq!(running(front), "false");
        let ended = contained.inspect(front, "{{.State.ExitCode}}");
        assert_eq!(ended, "0", "{front} stops in good order");
    }
    let leader = contained.container("leader-1");
    docker(&["exec", &leader, "feeway-ctl", "list", "pinned"]);
    let answer = stack.ask("GET", "/payments-summary", "");
    assert_eq!(answer.status, 503, "{answer:?}");

    let start = stack.xtask("start", &["front-1", "front-2"]);
    assert!(start.status.success(), "{}", stack.describe(&start));
    let status = stack.xtask("status", &[]);
    assert!(status.status.success(), "{}", stack.describe(&status));
}

#[test]
fn a_short_contest_runs_in_containers_and_nothing_is_lost() {
    if !has_engine() {
        return;
    }
    let stack = Stack::reserve();
    let options = ["audits", "--seconds=5", "--seed=7"];
    let output = stack.xtask(
        "rinha",
        &[&options[..], &["--engine=docker", "--profile=dev"]].concat(),
    );
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", stack.describe(&output));
    assert_eq!(lines(&said, "verdict"), ["verdict                passed"]);
    // It is containers whose limits are told of, so it was them who took the payments.
    for service in ["haproxy", "front-1", "front-2", "redis"] {
        assert_eq!(lines(&said, service).len(), 2, "ready, and read: {said}");
    }
    assert_eq!(left_over(&stack), Vec::<String>::new());
}

#[test]
fn a_short_comparison_in_containers_measures_both_sides() {
    if !has_engine() {
        return;
    }
    let stack = Stack::reserve();
    let options = ["floor", "--pairs=1", "--parts=paced", "--paced-seconds=2"];
    let output = stack.xtask(
        "compare",
        &[&options[..], &["--engine=docker", "--profile=dev"]].concat(),
    );
    let said = String::from_utf8_lossy(&output.stdout);
    let measured = lines(&said, "paced");
    // 600, and 200 to begin with. Whether they are quick depends on the machine.
    let feeway = measured.iter().find(|line| line.contains("  800 settled "));
    let floor = measured.iter().find(|line| line.contains("  beside "));
    for line in [feeway, floor] {
        let line = line.unwrap_or_else(|| panic!("{}", stack.describe(&output)));
        assert!(line.contains("  0 failed  "), "{line}");
    }
    assert!(said.contains("books differ by 0 payments: sound"), "{said}");
    assert_eq!(left_over(&stack), Vec::<String>::new());
}

#[test]
fn a_killed_front_container_costs_no_request_and_no_payment() {
    if !has_engine() {
        return;
    }
    let contained = Contained::up();
    let stack = &contained.stack;
    image_trusts_whom_this_machine_trusts();
    assert_eq!(
        contained.inspect("front-1", "{{.Config.User}}"),
        "10001:10001"
    );
    let limits = "{{.HostConfig.NanoCpus}} {{.HostConfig.Memory}}";
    let limits = contained.inspect("front-1", limits);
    assert!(
        !limits.split(' ').any(|limit| limit == "0"),
        "limits apply: {limits}"
    );

    let victim = contained.container("front-2");
    let failed = pay(stack, || {
        thread::sleep(Duration::from_millis(300));
        docker(&["kill", &victim]);
    });
    assert_eq!(failed, Vec::<String>::new());
    let asked = i64::try_from(CLIENTS * PAYMENTS_EACH).expect("it is small");
    eventually(Duration::from_secs(30), "all are settled", || {
        let (default, fallback) = stack.summary("");
        default.0 + fallback.0 == asked
    });
    let (default, fallback) = stack.summary("");
    assert_eq!(default.1 + fallback.1, asked * 1990);
    assert_eq!(default, stack.books(0, ""));
    assert_eq!(fallback, stack.books(1, ""));

    let status = stack.xtask("status", &[]);
    assert!(
        !status.status.success(),
        "one is down: {}",
        stack.describe(&status)
    );
    let restart = stack.xtask("restart", &["front-2"]);
    assert!(restart.status.success(), "{}", stack.describe(&restart));
    let status = stack.xtask("status", &[]);
    assert!(status.status.success(), "{}", stack.describe(&status));
    stopped_fronts_stay_away_until_they_are_started(&contained);
    let logs = stack.xtask("logs", &["front-2"]);
    let said = String::from_utf8_lossy(&logs.stdout).into_owned();
    assert!(said.contains("ready"), "{said}");

    let down = stack.xtask("down", &[]);
    assert!(down.status.success(), "{}", stack.describe(&down));
    assert_eq!(contained.list(&["ps", "--all"]), Vec::<String>::new());
    assert_eq!(contained.list(&["network", "ls"]), Vec::<String>::new());
    let volumes = contained.list(&["volume", "ls"]);
    let payments = format!("{}_redis", contained.project);
    assert!(
        volumes.contains(&payments),
        "the payments stay: {volumes:?}"
    );

    stack.start(&["--engine", "docker"]);
    assert_eq!(stack.summary(""), (default, fallback));
}
