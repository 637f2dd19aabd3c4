//! Every check and every test, with the seconds of each and one closing line.

mod prometheus;
mod schemathesis;
mod suite;

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use self::suite::{Suite, Tally};
use crate::binaries::{Binaries, Profile, cargo};
use crate::clock;
use crate::containers::engine::Engine;
use crate::image;
use crate::programs::{self, Servers};
use crate::stack_dir::repository;

#[derive(Args, Debug)]
pub(crate) struct TestOptions {
    /// Leave out the format check and clippy
    #[arg(long)]
    skip_lint: bool,
    /// Only tests whose name contains this
    filter: Option<String>,
}

/// The runs of `cargo xtask chaos` that are part of every test: scenario, minutes, seed.
const CHAOS: [(&str, &str, &str); 3] = [
    ("mixed", "2", "1"),
    ("kill-all", "0.5", "1"),
    ("store", "1.5", "1"),
];

/// A finished step: what it is, how long it took, whether it went well.
struct Step {
    name: String,
    took: Duration,
    passed: bool,
}

/// Runs everything, also after a failure. Returns whether all went well and any test ran.
pub(crate) fn run(options: &TestOptions) -> Result<bool> {
    let servers = Servers::find_or_install()?;
    let mut skipped: Vec<String> = prepare_prometheus().into_iter().collect();
    skipped.extend(prepare_schemathesis());
    skipped.extend(prepare_wrong_clocks());
    let mut steps = Vec::new();
    steps.push(step("Cargo.lock", cargo().args(["fetch", "--locked"]))?);
    if !options.skip_lint {
        steps.push(step("format", cargo().args(["fmt", "--all", "--check"]))?);
        let lint = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ];
        steps.push(step("clippy", cargo().args(lint))?);
    }
    steps.extend(check_dependencies()?);
    steps.push(check_haproxy_configuration(&servers)?);

    // The end-to-end tests start the programs; what they build should be there by then.
    Binaries::compile(Profile::Dev)?;
    skipped.extend(prepare_containers(&mut steps));
    let mut tally = Tally::default();
    for suite in Suite::build_all()? {
        let name = suite.name.clone();
        println!("\n== {name} ==");
        let started = clock::now();
        let counted = suite.run(options.filter.as_deref())?;
        tally += counted;
        steps.push(Step {
            name,
            took: started.elapsed(),
            passed: counted.failed == 0,
        });
    }

    if options.filter.is_none() {
        for scenario in CHAOS {
            let step = chaos(&scenario)?;
            tally.count(step.passed);
            steps.push(step);
        }
    }

    println!();
    for step in &steps {
        let verdict = if step.passed { "ok" } else { "FAILED" };
        println!(
            "{:>8.1} s  {:6}  {}",
            step.took.as_secs_f64(),
            verdict,
            step.name
        );
    }
    for what in skipped {
        println!("\nSKIPPED {what}");
    }
    // The closing line stays the last one, whatever it says.
    let ran = tally.passed + tally.failed > 0;
    if !ran {
        println!("\nno test ran");
    }
    println!("\n{} passed, {} failed", tally.passed, tally.failed);
    Ok(ran && steps.iter().all(|step| step.passed))
}

/// Returns that the tests with wrong clocks do nothing, and why, without the library for them.
fn prepare_wrong_clocks() -> Option<String> {
    let error = programs::faketime().err()?;
    println!("\n== faketime ==\nSKIPPED: {error:#}");
    Some(format!("fronts with wrong clocks: {error:#}"))
}

/// Returns that the tests with a real Prometheus are skipped, and why, if there is none.
fn prepare_prometheus() -> Option<String> {
    let error = prometheus::find_or_unpack().err()?;
    println!("\n== Prometheus ==\nSKIPPED: {error:#}");
    Some(format!("the tests with Prometheus: {error:#}"))
}

/// Returns that the fuzzing of the OpenAPI document is skipped, and why, if there is nothing
/// to do it with.
fn prepare_schemathesis() -> Option<String> {
    let error = schemathesis::find_or_install().err()?;
    println!("\n== Schemathesis ==\nSKIPPED: {error:#}");
    Some(format!("the fuzzing of docs/openapi.json: {error:#}"))
}

/// Builds the image that the tests of the container stack use. Returns that they are skipped,
/// and why, if there is nothing that containers could run on.
fn prepare_containers(steps: &mut Vec<Step>) -> Option<String> {
    println!("\n== container image ==");
    if let Err(error) = Engine::find() {
        println!("SKIPPED: {error:#}");
        return Some(format!("the stack in containers: {error:#}"));
    }
    let started = clock::now();
    let built = image::build(Profile::Dev);
    if let Err(error) = &built {
        println!("{error:#}");
    }
    steps.push(Step {
        name: "container image".to_owned(),
        took: started.elapsed(),
        passed: built.is_ok(),
    });
    None
}

fn step(name: &str, command: &mut Command) -> Result<Step> {
    println!("\n== {name} ==");
    let started = clock::now();
    let status = command
        .status()
        .with_context(|| format!("cannot run {name}"))?;
    Ok(Step {
        name: name.to_owned(),
        took: started.elapsed(),
        passed: status.success(),
    })
}

/// Licences, duplicates and sources of the dependencies, as `deny.toml` allows them; nothing
/// when cargo-deny is not installed.
fn check_dependencies() -> Result<Option<Step>> {
    let name = "cargo deny";
    let version = cargo().args(["deny", "--version"]).output();
    if !version.is_ok_and(|output| output.status.success()) {
        println!("\n== {name} == skipped: cargo install cargo-deny --locked");
        return Ok(None);
    }
    let check = ["deny", "check", "licenses", "bans", "sources"];
    Ok(Some(step(name, cargo().args(check))?))
}

/// Breaks a stack of its own and audits every payment, in a process of its own as well.
fn chaos((scenario, minutes, seed): &(&str, &str, &str)) -> Result<Step> {
    // Through cargo: the tests' build may have replaced the file this program came from.
    let mut chaos = cargo();
    chaos.args(["run", "--quiet", "--package", "xtask", "--", "chaos"]);
    chaos.args(["--profile", "dev", "--scenario", scenario]);
    chaos.args(["--minutes", minutes, "--seed", seed]);
    step(&format!("chaos {scenario}"), &mut chaos)
}

/// HAProxy takes a configuration with warnings; we do not.
fn check_haproxy_configuration(servers: &Servers) -> Result<Step> {
    let name = "haproxy -c";
    println!("\n== {name} ==");
    let started = clock::now();
    let output = Command::new(&servers.haproxy)
        .arg("-c")
        .arg("-f")
        .arg(repository().join("haproxy.cfg"))
        .env("FEEWAY_PORT", "9999")
        .env("FEEWAY_RUN_DIR", "/run")
        .env("FEEWAY_METRICS", "127.0.0.1:9100")
        .env("FEEWAY_FRONT_1", "unix@/run/front-1.sock")
        .env("FEEWAY_FRONT_2", "127.0.0.1:8080")
        .output()
        .context("cannot run haproxy")?;
    let said = String::from_utf8_lossy(&output.stderr);
    print!("{}{said}", String::from_utf8_lossy(&output.stdout));
    Ok(Step {
        name: name.to_owned(),
        took: started.elapsed(),
        passed: output.status.success() && !said.contains("[WARNING]"),
    })
}
