//! What README and documents tell somebody to type does what they say.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use feeway_machine::files::repository;
use serde_json::Value;

use crate::own_process::OwnProcess;
use crate::stack::{Stack, eventually, payment};

/// Commands that other tests run, or that need what this machine may not have: whole runs of
/// `up` and `test`, containers (`containers.rs`), Prometheus (its configuration: `metrics.rs`),
/// Schemathesis (`schemathesis.rs`), and cargo-fuzz.
const ELSEWHERE: [&str; 4] = [
    "cargo xtask",
    "docker compose",
    "mkdir -p fuzz",
    "schemathesis",
];

/// Whose examples are tried. Those of `docs/operations.md` are carried out by `restore.rs`, `slips.rs`
/// and others.
const PAGES: [&str; 7] = [
    "README.md",
    "docs/configuration.md",
    "docs/containers.md",
    "docs/feeway-ctl.md",
    "docs/http.md",
    "docs/measuring.md",
    "docs/processors.md",
];

/// Where the stack of the examples is, and its tools, as somebody types it.
const FOLDER: &str = "target/stack";
const TOOL: &str = "target/stack/bin/feeway-ctl ";
const CERTIFY: &str = "target/stack/bin/feeway-certify ";

/// The payment of the examples.
const ID: &str = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3";

fn pages() -> String {
    let read = |page| fs::read_to_string(repository().join(page)).expect("it is in the repository");
    PAGES.map(read).concat()
}

/// The commands of each shell example, each in one line.
pub(crate) fn examples(document: &str) -> Vec<Vec<String>> {
    let blocks = document.split("```sh\n").skip(1);
    blocks
        .filter_map(|rest| rest.split("```").next())
        .map(|block| {
            let joined = block.replace("\\\n", " ");
            // An example in a list is indented.
            let lines = joined.lines().map(str::trim);
            let commands = lines.filter(|line| !line.is_empty());
            commands.map(str::to_owned).collect()
        })
        .collect()
}

/// How an operator resolves a payment.
fn is_resolving(example: &[String]) -> bool {
    example.iter().any(|command| command.contains(" resolve "))
}

/// What a shell says to a command of a document, in the repository, as if this stack were the
/// one that `cargo xtask up` starts there.
#[track_caller]
pub(crate) fn shell(command: &str, stack: &Stack) -> String {
    let output = try_shell(command, stack);
    assert!(
        output.status.success(),
        "{command}: {}",
        stack.describe(&output)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// As [`shell`], of a command that may have to fail.
pub(crate) fn try_shell(command: &str, stack: &Stack) -> Output {
    let dir = stack.dir.to_str().expect("a name in UTF-8");
    let xtask = format!("{} ", env!("CARGO_BIN_EXE_xtask"));
    let mut here = command.to_owned();
    for (standard, port) in [
        (9999, stack.port),
        (8001, stack.simulator_port),
        (8002, stack.simulator_port + 1),
    ] {
        here = here.replace(
            &format!("http://localhost:{standard}"),
            &format!("http://localhost:{port}"),
        );
    }
    here = here
        .replace(&format!("$PWD/{FOLDER}"), dir)
        .replace(FOLDER, dir)
        .replace("target/backup", &format!("{dir}/backup"))
        .replace("cargo xtask ", &xtask);
    if here.starts_with(&xtask) {
        here.push_str(&format!(" --dir {dir}"));
    }
    Command::new("sh")
        .args(["-ec", &here])
        .current_dir(repository())
        .env("FEEWAY_REDIS", stack.redis())
        .output()
        .expect("a shell")
}

#[test]
fn the_examples_of_readme_and_documents_do_what_they_say() {
    let stack = Stack::up(&[]);
    let examples = examples(&pages());
    let mut run = 0;
    for command in examples
        .iter()
        .filter(|example| !is_resolving(example))
        .flatten()
    {
        if command.starts_with("curl -i") {
            assert!(shell(command, &stack).contains("202 Accepted"), "{command}");
            eventually(Duration::from_secs(10), "it is settled", || {
                stack.summary("").0 == (1, 1990)
            });
        } else if command.starts_with("curl") {
            let answer: Value = serde_json::from_str(&shell(command, &stack)).expect("JSON");
            let settled = answer["status"] == "settled";
            assert!(
                settled || answer["default"]["totalRequests"] == 1,
                "{answer}"
            );
        } else if command.starts_with("export FEEWAY_REDIS=") {
            let said = shell(&format!("{command}; echo $FEEWAY_REDIS"), &stack);
            assert_eq!(said.trim_end(), stack.redis());
        } else if command.starts_with(TOOL) {
            let said = shell(command, &stack);
            assert!(
                command.contains("list") || said.contains("settled"),
                "{said}"
            );
        } else if command.starts_with(CERTIFY) {
            let said = shell(command, &stack);
            assert!(said.contains("verdict: fits"), "{said}");
        } else if let Some(program) = program_of_elsewhere(command) {
            let help = help(&stack.dir.join("bin").join(program), None);
            assert_eq!(unknown(command, &help), BTreeSet::new());
        } else {
            let known = ELSEWHERE.iter().any(|start| command.starts_with(start));
            assert!(known, "nobody has tried {command:?}");
            continue;
        }
        run += 1;
    }
    assert!(run >= 7, "only {run} commands were found");
}

/// A program that is started with addresses of somewhere else, so that only its options are tried.
fn program_of_elsewhere(command: &str) -> Option<&'static str> {
    let programs = ["feeway-front", "feeway-certify"];
    programs.into_iter().find(|name| command.starts_with(name))
}

/// Its processor keeps a payment without an answer, and goes for ever.
#[test]
fn a_pinned_payment_is_resolved_as_the_documents_say() {
    let stack = Stack::reserve();
    let silent = pin(&stack, ID);
    let other_port = stack.simulator_port + 1;
    let found = || stack.ask("GET", &format!("/payments/{ID}"), "").json();

    let examples = examples(&pages());
    let resolving = examples.iter().find(|example| is_resolving(example));
    let mut silent = Some(silent);
    let mut other = None;
    for command in resolving.expect("a page tells how") {
        let said = shell(command, &stack);
        if command.contains(" list ") {
            assert!(said.contains(ID) && said.contains("silent"), "{said}");
            drop(silent.take());
            other = Some(OwnProcess::simulator(&stack, "other", other_port));
        } else if command.contains(" resolve ") {
            assert!(said.starts_with("released"), "{said}");
        }
    }
    assert!(other.is_some(), "the page lists before it resolves");
    eventually(Duration::from_secs(30), "the other one takes it", || {
        found()["status"] == "settled"
    });
    assert_eq!(found()["processor"], "other");
}

/// Starts a stack with the processors `silent`, which is returned, and `other`, which is not
/// there. This payment is at the silent one, nobody knows how.
#[track_caller]
pub(crate) fn pin(stack: &Stack, id: &str) -> OwnProcess {
    let silent = silent_processor(stack);
    let (port, other_port) = (stack.simulator_port, stack.simulator_port + 1);
    stack.start(&[
        "--processor",
        &format!("silent=http://127.0.0.1:{port},fee=0.05"),
        "--processor",
        &format!("other=http://127.0.0.1:{other_port},fee=0.15"),
        "--patience",
        "1s",
    ]);
    let answer = stack.ask("POST", "/payments", &payment(id, "19.90"));
    assert_eq!(answer.status, 202, "{answer:?}");
    eventually(Duration::from_secs(10), "it is there", || {
        let found = stack.ask("GET", &format!("/payments/{id}"), "").json();
        found["processor"] == "silent"
    });
    silent
}

/// A processor that says it is well, takes payments in and answers nothing.
fn silent_processor(stack: &Stack) -> OwnProcess {
    let port = stack.simulator_port;
    let configuration = format!(
        r#"
defaults
    mode http
    timeout connect 1s
    timeout client 120s
    timeout server 120s
    timeout tarpit 120s

frontend processor
    bind 127.0.0.1:{port}
    http-request return status 200 content-type application/json string '{{"failing":false,"minResponseTime":0}}' if {{ path /payments/service-health }}
    http-request tarpit
"#
    );
    OwnProcess::haproxy(stack, "silent", port, &configuration)
}

#[test]
fn every_command_that_a_page_names_exists() {
    let xtask = Path::new(env!("CARGO_BIN_EXE_xtask"));
    let pages = pages();
    let named: BTreeSet<String> = pages
        .split("cargo xtask ")
        .skip(1)
        .map(|rest| rest.chars().take_while(char::is_ascii_lowercase).collect())
        .collect();
    assert!(named.len() > 7, "{named:?}");
    for name in &named {
        help(xtask, Some(name));
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
