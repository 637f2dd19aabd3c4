use std::io::{BufRead, BufReader, PipeReader, pipe};
use std::ops::AddAssign;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::binaries::{cargo, messages};
use crate::clock::Deadline;

/// A test that hangs must not hang the whole run.
const SUITE_TIMEOUT: Duration = Duration::from_secs(2400);

/// How many tests there were, by their end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: u64,
    pub(super) failed: u64,
}

impl Tally {
    /// Counts one more test.
    pub(super) fn count(&mut self, passed: bool) {
        if passed {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// One test program.
pub(super) struct Suite {
    pub(super) name: String,
    command: Command,
}

impl Suite {
    /// Builds every test of the workspace; the documentation's examples are the last suite.
    pub(super) fn build_all() -> Result<Vec<Self>> {
        println!("\nBuilding the tests …");
        let mut command = cargo();
        command.args(["test", "--workspace", "--no-run"]);
        let mut suites = Vec::new();
        for message in messages(command)? {
            if message["profile"]["test"] == Value::Bool(true) {
                suites.extend(Self::of_artifact(&message)?);
            }
        }
        if suites.is_empty() {
            bail!("the build produced no tests");
        }
        suites.sort_by(|a, b| a.name.cmp(&b.name));
        let mut documentation = cargo();
        documentation.args(["test", "--workspace", "--doc"]);
        suites.push(Self {
            name: "documentation".to_owned(),
            command: documentation,
        });
        Ok(suites)
    }

    fn of_artifact(message: &Value) -> Result<Option<Self>> {
        let Some(program) = message["executable"].as_str() else {
            return Ok(None);
        };
        let manifest = message["manifest_path"].as_str().map(Path::new);
        let folder = manifest
            .and_then(Path::parent)
            .context("cargo names no manifest")?;
        let package = folder.file_name().unwrap_or_default().to_string_lossy();
        let kind = message["target"]["kind"][0].as_str().unwrap_or("unknown");
        // Tests run in the folder of their package, as cargo does it.
        let mut command = Command::new(program);
        command
            .current_dir(folder)
            .env("CARGO_MANIFEST_DIR", folder);
        Ok(Some(Self {
            name: match kind {
                "test" => format!("{package}, integration"),
                "lib" => format!("{package}, unit"),
                other => format!("{package}, unit ({other})"),
            },
            command,
        }))
    }

    /// Runs it, shows its output, and counts its tests. A suite that fails without saying
    /// which test did counts as one failed test.
    pub(super) fn run(self, filter: Option<&str>) -> Result<Tally> {
        let Self { name, mut command } = self;
        let (reader, writer) = pipe()?;
        command
            .args(filter)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let child = command.spawn();
        // It holds the pipe's other ends; now the child has the only ones left.
        drop(command);
        let mut child = child.with_context(|| format!("cannot run {name}"))?;
        let tally = count(reader);
        let (tally, on_time) = match tally {
            Counted::Ended(tally) => (tally, true),
            Counted::TimedOut(tally) => {
                println!("{name} took more than {} s", SUITE_TIMEOUT.as_secs());
                child.kill()?;
                (tally, false)
            }
        };
        let status = child.wait()?;
        Ok(judge(tally, status, on_time))
    }
}

enum Counted {
    Ended(Tally),
    TimedOut(Tally),
}

fn count(reader: PipeReader) -> Counted {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let deadline = Deadline::after(SUITE_TIMEOUT);
    let mut tally = Tally::default();
    loop {
        match lines.recv_timeout(deadline.remaining()) {
            Ok(line) => {
                println!("{line}");
                if let Some(result) = parse_result(&line) {
                    tally += result;
                }
            }
            Err(RecvTimeoutError::Timeout) => return Counted::TimedOut(tally),
            Err(RecvTimeoutError::Disconnected) => return Counted::Ended(tally),
        }
    }
}

fn judge(mut tally: Tally, status: ExitStatus, on_time: bool) -> Tally {
    if (!status.success() || !on_time) && tally.failed == 0 {
        tally.failed = 1;
    }
    tally
}

/// Reads `test result: ok. 12 passed; 0 failed; …`.
fn parse_result(line: &str) -> Option<Tally> {
    let (_verdict, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |word: &str| {
        counts
            .split("; ")
            .find_map(|part| part.strip_suffix(word)?.trim().parse().ok())
    };
    Some(Tally {
        passed: count("passed")?,
        failed: count("failed")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_line_is_counted_and_no_other() {
        let check = |line: &str, expected: Option<(u64, u64)>| {
            let expected = expected.map(|(passed, failed)| Tally { passed, failed });
            assert_eq!(parse_result(line), expected, "{line}");
        };
        let tail = "0 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        check(
            &format!("test result: ok. 12 passed; 0 failed; {tail}"),
            Some((12, 0)),
        );
        check(
            &format!("test result: FAILED. 3 passed; 2 failed; {tail}"),
            Some((3, 2)),
        );
        check("test money::tests::adds ... ok", None);
        check("running 12 tests", None);
    }

    fn suite(script: &str) -> Suite {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Suite {
            name: "a script".to_owned(),
            command,
        }
    }

    #[test]
    fn a_suite_that_dies_without_a_result_has_failed() {
        let tally = suite("exit 101").run(None).unwrap();
        assert_eq!((tally.passed, tally.failed), (0, 1));
    }

    #[test]
    fn both_outputs_are_read() {
        let script = "echo noise >&2; echo 'test result: ok. 4 passed; 0 failed; 0 ignored'";
        let tally = suite(script).run(None).unwrap();
        assert_eq!((tally.passed, tally.failed), (4, 0));
    }
}
