//! What Prometheus itself says of our pages, rules and queries.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use feeway_machine::files::repository;
use serde_json::Value;

use crate::http::Connection;
use crate::own_process::OwnProcess;
use crate::scrape::{scrape, unchunked};
use crate::stack::{Stack, consecutive_free_ports, eventually};

/// Both scrapes that a rate needs, and one more.
const RATE_INTERVAL: &str = "20s";

/// Something that HAProxy counts has a name that Prometheus would not give it.
const NOT_OURS: &str = "haproxy_";

/// A program of the Prometheus package: one that is installed, or what `cargo xtask test`
/// unpacked. Says so where it can be seen even when tests pass if there is none.
fn find(program: &str) -> Option<PathBuf> {
    let unpacked = repository().join("target/tools/prometheus/usr/bin");
    let candidates = [PathBuf::from(program), unpacked.join(program)];
    let answers = |candidate: &PathBuf| {
        let version = Command::new(candidate).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    };
    let found = candidates.into_iter().find(answers);
    if found.is_none() {
        let reason = format!("SKIPPED: no {program} is here, so Prometheus says nothing of us\n");
        let told = io::stderr().write_all(reason.as_bytes());
        told.expect("it is open");
    }
    found
}

fn promtool(program: &Path, words: &[&str], input: &str) -> Output {
    let mut child = Command::new(program)
        .args(words)
        .current_dir(repository())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it was found");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).expect("it reads all");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

fn said(output: &Output) -> String {
    let text = [&*output.stdout, &*output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// The values of all lines `  KEY: value` of a file in `deploy`.
fn values(file: &str, key: &str) -> Vec<String> {
    let text = fs::read_to_string(repository().join("deploy").join(file)).expect("a text");
    let lines = text
        .lines()
        .map(|line| line.trim_start_matches([' ', '-', '{']));
    let values = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
    values.map(str::to_owned).collect()
}

#[test]
fn alerts_fire_when_they_should_and_only_then() {
    let Some(program) = find("promtool") else {
        return;
    };
    for words in [
        ["check", "config", "deploy/prometheus.yml"],
        ["check", "rules", "deploy/alerts.yml"],
        ["test", "rules", "deploy/alerts.test.yml"],
    ] {
        let output = promtool(&program, &words, "");
        assert!(output.status.success(), "{words:?}: {}", said(&output));
    }
}

#[test]
fn every_alert_is_tried_both_ways_and_explained() {
    let alerts = values("alerts.yml", "alert");
    assert!(alerts.len() > 10, "{alerts:?}");
    // A firing case takes lines of its own, a quiet one is written in one.
    let firing: BTreeSet<String> = values("alerts.test.yml", "alertname")
        .into_iter()
        .filter(|value| !value.contains('}'))
        .collect();
    let tests = fs::read_to_string(repository().join("deploy/alerts.test.yml")).expect("a text");
    let manual = fs::read_to_string(repository().join("docs/operations.md")).expect("a text");
    for alert in &alerts {
        assert!(firing.contains(alert), "{alert} is never seen to fire");
        let quiet = format!("{{alertname: {alert}, ");
        assert!(tests.contains(&quiet), "{alert} is never seen to be quiet");
        let row = format!("\n| `{alert}` |");
        assert!(manual.contains(&row), "operations.md does not tell {alert}");
    }
}

#[test]
fn prometheus_scrapes_every_process_and_answers_every_query() {
    let (Some(program), Some(promtool_program)) = (find("prometheus"), find("promtool")) else {
        return;
    };
    let stack = Stack::up(&[]);
    let mut connection = stack.connect();
    for _ in 0..10 {
        stack.pay(&mut connection);
    }
    for one in scrape(&stack) {
        let output = promtool(&promtool_program, &["check", "metrics"], &one.page);
        let said = said(&output);
        let ours: Vec<&str> = said.lines().filter(|l| !l.starts_with(NOT_OURS)).collect();
        assert!(ours.is_empty(), "{}: {ours:?}", one.process);
    }

    let port = consecutive_free_ports();
    let mut command = Command::new(program);
    command
        .arg("--config.file")
        .arg(stack.dir.join("config/prometheus.yml"))
        .arg("--storage.tsdb.path")
        .arg(stack.dir.join("tsdb"))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let _prometheus = OwnProcess::start(command, &stack, "prometheus", port);
    // It listens before it has opened its data, and answers 503 until then.
    eventually(Duration::from_secs(60), "prometheus is ready", || {
        let answer = Connection::fetch(port, "/-/ready");
        answer.split(' ').nth(1) == Some("200")
    });
    eventually(Duration::from_secs(60), "every target is up", || {
        up(port) == ["front-1", "front-2", "haproxy", "leader-1", "leader-2"]
    });
    // A rate needs two scrapes, and each target has its own moments for them.
    for query in dashboard() {
        let what = format!("there is something to show for {query}");
        eventually(Duration::from_secs(30), &what, || {
            !ask(port, &query).is_empty()
        });
    }
    for query in values("alerts.yml", "expr") {
        let found = ask(port, &query);
        assert!(found.is_empty(), "{query} on a healthy stack: {found:?}");
    }
}

/// The queries of all panels.
fn dashboard() -> Vec<String> {
    let text = fs::read_to_string(repository().join("deploy/grafana/feeway.json"));
    let dashboard: Value = serde_json::from_str(&text.expect("a dashboard")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array());
    let queries = targets.flatten().map(|target| {
        let query = target["expr"].as_str().expect("a query");
        query.replace("$__rate_interval", RATE_INTERVAL)
    });
    queries.collect()
}

/// The processes that were scraped without an error, in the order of their names.
fn up(port: u16) -> Vec<String> {
    let json = api(port, "targets?state=active");
    let targets = json["data"]["activeTargets"].as_array().expect("a list");
    let up = targets.iter().filter(|target| target["health"] == "up");
    let names = up.filter_map(|target| target["labels"]["process"].as_str());
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort();
    names
}

/// What a query finds.
#[track_caller]
fn ask(port: u16, query: &str) -> Vec<Value> {
    let json = api(port, &format!("query?query={}", encoded(query)));
    assert_eq!(json["status"], "success", "{query}: {json}");
    assert_eq!(json["warnings"], Value::Null, "{query}");
    json["data"]["result"].as_array().expect("a list").clone()
}

fn api(port: u16, what: &str) -> Value {
    let answer = Connection::fetch(port, &format!("/api/v1/{what}"));
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let chunked = head.to_ascii_lowercase().contains("chunked");
    let body = if chunked {
        unchunked(body)
    } else {
        body.to_owned()
    };
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

/// As it has to be in a URL.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
