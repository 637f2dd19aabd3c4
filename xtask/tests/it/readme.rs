//! What the README tells a newcomer to type does what it says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::stack::{Stack, eventually};

/// Commands that other tests run, or that need what this machine may not have: whole runs of
/// `up` and `test`, containers (`containers.rs`), Prometheus (its configuration: `metrics.rs`).
const ELSEWHERE: [&str; 4] = ["cargo xtask", "docker compose", "prometheus", "export"];

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn readme() -> String {
    fs::read_to_string(repository().join("README.md")).expect("it is in the repository")
}

/// The commands of all shell examples, each in one line.
fn commands(readme: &str) -> Vec<String> {
    let blocks = readme.split("```sh\n").skip(1);
    blocks
        .filter_map(|rest| rest.split("```").next())
        .flat_map(|block| {
            let joined = block.replace("\\\n", " ");
            joined.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .filter(|command| !command.trim().is_empty())
        .collect()
}

/// What a shell says to a command, in the repository.
fn shell(command: &str, redis: &str) -> String {
    let output = Command::new("sh")
        .args(["-ec", command])
        .current_dir(repository())
        .env("FEEWAY_REDIS", redis)
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {said}{errors}");
    said
}

#[test]
fn the_examples_of_the_readme_do_what_they_say() {
    let stack = Stack::up(&[]);
    let redis = stack.redis();
    let ours = format!("http://localhost:{}", stack.port);
    let mut run = 0;
    for command in commands(&readme()) {
        let here = command.replace("http://localhost:9999", &ours);
        if command.starts_with("curl -i") {
            assert!(shell(&here, &redis).contains("202 Accepted"), "{here}");
            eventually(Duration::from_secs(10), "it is settled", || {
                stack.summary("").0 == (1, 1990)
            });
        } else if command.starts_with("curl") {
            let answer: Value = serde_json::from_str(&shell(&here, &redis)).expect("JSON");
            let settled = answer["status"] == "settled";
            assert!(
                settled || answer["default"]["totalRequests"] == 1,
                "{answer}"
            );
        } else if command.contains(" resolve ") {
            // Only with every front stopped: `unhappy_ends.rs`.
            continue;
        } else if command.starts_with("cargo run -p feeway-ctl") {
            let said = shell(&here, &redis);
            assert!(here.contains("list") || said.contains("settled"), "{said}");
        } else if command.starts_with("feeway-front") {
            let help = help(&stack.dir.join("bin/feeway-front"), None);
            assert_eq!(unknown(&command, &help), BTreeSet::new());
        } else {
            let known = ELSEWHERE.iter().any(|start| command.starts_with(start));
            assert!(known, "nobody has tried {command:?}");
            continue;
        }
        run += 1;
    }
    assert!(run >= 6, "only {run} commands were found");
}

#[test]
fn every_command_and_option_that_the_readme_names_exists() {
    let xtask = Path::new(env!("CARGO_BIN_EXE_xtask"));
    let readme = readme();
    let mut named = BTreeSet::new();
    for rest in readme.split("cargo xtask ").skip(1) {
        let name: String = rest.chars().take_while(char::is_ascii_lowercase).collect();
        named.insert(name);
    }
    assert!(named.len() > 8, "{named:?}");
    for name in &named {
        let help = help(xtask, Some(name));
        for row in readme.lines() {
            if row.starts_with(&format!("| `cargo xtask {name}")) {
                assert_eq!(unknown(row, &help), BTreeSet::new(), "of {name}");
            }
        }
    }
    let up = help(xtask, Some("up"));
    let options: Vec<&str> = readme
        .lines()
        .filter(|row| row.starts_with("| `--"))
        .collect();
    assert!(options.len() > 10, "{options:?}");
    for row in options {
        let name = row.split('|').nth(1).unwrap_or_default();
        assert_eq!(unknown(name, &up), BTreeSet::new(), "{row}");
    }
}

pub(crate) fn help(program: &Path, command: Option<&str>) -> String {
    let output = Command::new(program)
        .args(command)
        .arg("--help")
        .output()
        .expect("cargo built it");
    assert!(output.status.success(), "{program:?} {command:?} --help");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The options in a text that a help does not have.
fn unknown(text: &str, help: &str) -> BTreeSet<String> {
    let ours = text.split(" -- ").next().unwrap_or_default();
    options(ours).difference(&options(help)).cloned().collect()
}

pub(crate) fn options(text: &str) -> BTreeSet<String> {
    let starts = text.match_indices("--");
    starts
        .map(|(start, _)| {
            let rest = &text[start + 2..];
            rest.chars()
                .take_while(|letter| letter.is_ascii_lowercase() || *letter == '-')
                .collect()
        })
        .filter(|name: &String| !name.is_empty())
        .collect()
}
