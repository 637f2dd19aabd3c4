//! Every check and every test, with the seconds of each and one closing line.

mod prometheus;
mod schemathesis;
mod suite;

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use feeway_machine::binaries::{BUILT, cargo, compile_with_tests};
use feeway_machine::clock;
use feeway_machine::docker::Engine;
use feeway_machine::files::repository;
use feeway_machine::programs::{self, Servers};

use self::suite::{Tally, Which};

/// Which checks and tests run.
#[derive(Args, Debug)]
pub struct TestOptions {
    /// Leave out the format check and clippy
    #[arg(long)]
    skip_lint: bool,
    /// Only what needs no servers: format, lints, and the tests beside the code
    #[arg(long, conflicts_with = "skip_lint")]
    quick: bool,
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
pub fn run(options: &TestOptions) -> Result<bool> {
    let mut report = Report::default();
    report.step("Cargo.lock", cargo().args(["fetch", "--locked"]))?;
    if !options.skip_lint {
        report.step("format", cargo().args(["fmt", "--all", "--check"]))?;
        report.step("clippy", lint().args(["--", "-D", "warnings"]))?;
    }
    let filter = options.filter.as_deref();
    if options.quick {
        report.tests("unit tests", suite::tests(Which::Unit, filter))?;
        return Ok(report.close());
    }
    let servers = Servers::find_or_install()?;
    report.skipped(prepare_prometheus());
    report.skipped(prepare_schemathesis());
    report.skipped(prepare_wrong_clocks());
    if !options.skip_lint {
        let mut documents = cargo();
        documents.args(["doc", "--workspace", "--no-deps", "--quiet"]);
        report.step("cargo doc", documents.env("RUSTDOCFLAGS", "-D warnings"))?;
    }
    report.steps.extend(check_dependencies()?);
    report.steps.push(check_haproxy_configuration(&servers)?);
    let built = compile_with_tests()?;
    // What is started from here on takes the programs from there. Cargo would build xtask itself
    // with other features, and put it in the place of this one.
    let xtask = |arguments: &[&str]| {
        let mut command = Command::new(built.join("xtask"));
        command.args(arguments).env(BUILT, &built);
        command
    };
    let skipped = prepare_containers(&mut report, xtask(&["image", "--profile", "dev"]))?;
    report.skipped(skipped);
    let mut tests = suite::tests(Which::All, filter);
    tests.env(BUILT, &built);
    report.tests("tests", tests)?;
    report.tests("documentation", suite::documentation_tests(filter))?;
    if filter.is_none() {
        for (scenario, minutes, seed) in CHAOS {
            let arguments = ["chaos", "--profile", "dev", "--scenario", scenario];
            let more = ["--minutes", minutes, "--seed", seed];
            let mut chaos = xtask(&[&arguments[..], &more].concat());
            report.step(&format!("chaos {scenario}"), &mut chaos)?;
            report.tally.count(report.has_passed());
        }
    }
    Ok(report.close())
}

fn lint() -> Command {
    let mut command = cargo();
    command.args(["clippy", "--workspace", "--all-targets"]);
    command
}

/// What was run so far.
#[derive(Default)]
struct Report {
    steps: Vec<Step>,
    tally: Tally,
    skipped: Vec<String>,
}

impl Report {
    fn step(&mut self, name: &str, command: &mut Command) -> Result<()> {
        self.steps.push(step(name, command)?);
        Ok(())
    }

    fn tests(&mut self, name: &str, command: Command) -> Result<()> {
        println!("\n== {name} ==");
        let started = clock::now();
        let counted = suite::run(command)?;
        self.tally += counted;
        self.steps.push(Step {
            name: name.to_owned(),
            took: started.elapsed(),
            passed: counted.failed == 0,
        });
        Ok(())
    }

    /// Whether the latest step went well.
    fn has_passed(&self) -> bool {
        self.steps.last().is_some_and(|step| step.passed)
    }

    fn skipped(&mut self, what: Option<String>) {
        self.skipped.extend(what);
    }

    /// Says what came of it. Returns whether all went well and any test ran.
    fn close(self) -> bool {
        println!();
        for step in &self.steps {
            let verdict = if step.passed { "ok" } else { "FAILED" };
            println!(
                "{:>8.1} s  {:6}  {}",
                step.took.as_secs_f64(),
                verdict,
                step.name
            );
        }
        for what in &self.skipped {
            println!("\nSKIPPED {what}");
        }
        // The closing line stays the last one, whatever it says.
        let ran = self.tally.passed + self.tally.failed > 0;
        if !ran {
            println!("\nno test ran");
        }
        println!(
            "\n{} passed, {} failed",
            self.tally.passed, self.tally.failed
        );
        ran && self.steps.iter().all(|step| step.passed)
    }
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
fn prepare_containers(report: &mut Report, mut image: Command) -> Result<Option<String>> {
    if let Err(error) = Engine::find() {
        println!("\n== container image ==\nSKIPPED: {error:#}");
        return Ok(Some(format!("the stack in containers: {error:#}")));
    }
    report.step("container image", &mut image)?;
    Ok(None)
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
