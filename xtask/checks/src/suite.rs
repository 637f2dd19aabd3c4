//! All tests of the workspace: by nextest, which runs each in a process of its own, or by cargo's
//! own runner where nextest is not installed.

use std::io::{BufRead, BufReader, pipe};
use std::ops::AddAssign;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use feeway_machine::binaries::cargo;

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

/// Which tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    All,
    /// Those beside the code, which need no servers.
    Unit,
}

/// The command that runs them. Its options for what is built are those of the build before, so
/// nothing is compiled again.
pub(super) fn tests(which: Which, filter: Option<&str>) -> Command {
    let mut command = cargo();
    let with_nextest = has_nextest();
    command.args(if with_nextest {
        &[
            "nextest",
            "run",
            "--no-fail-fast",
            "--no-tests=pass",
            "--color",
            "never",
        ][..]
    } else {
        &["test", "--no-fail-fast"]
    });
    command.args(match which {
        Which::All => &["--workspace", "--bins", "--lib", "--tests"][..],
        Which::Unit => &["--workspace", "--bins", "--lib"],
    });
    if !with_nextest {
        command.arg("--");
    }
    command.args(filter);
    command
}

/// Those in the documentation, which nextest cannot run.
pub(super) fn documentation_tests(filter: Option<&str>) -> Command {
    let mut command = cargo();
    command.args(["test", "--workspace", "--doc", "--"]);
    command.args(filter);
    command
}

fn has_nextest() -> bool {
    let asked = cargo()
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

/// Runs it, shows its output, and counts its tests. One that fails without saying which test did
/// counts as one failed test.
pub(super) fn run(mut command: Command) -> Result<Tally> {
    let (reader, writer) = pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let child = command.spawn();
    // It holds the pipe's other ends; now the child has the only ones left.
    drop(command);
    let mut child = child.context("cannot run cargo")?;
    let mut tally = Tally::default();
    for line in BufReader::new(reader).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        tally += parse_result(&line).unwrap_or_default();
    }
    if !child.wait()?.success() && tally.failed == 0 {
        tally.failed = 1;
    }
    Ok(tally)
}

/// Reads `test result: ok. 12 passed; 0 failed; …` of cargo's runner, and
/// `Summary [ 1.0s] 12 tests run: 9 passed (1 slow), 2 failed, 1 timed out, 0 skipped` of nextest.
fn parse_result(line: &str) -> Option<Tally> {
    let line = line.trim_start();
    let counts = if let Some(rest) = line.strip_prefix("test result: ") {
        rest.split_once(". ")?.1
    } else {
        line.strip_prefix("Summary [")?.split_once(" run: ")?.1
    };
    let count = |word: &str| -> u64 {
        let parts = counts.split([';', ',']).map(str::trim);
        let with_word = parts.filter_map(|part| {
            let (number, rest) = part.split_once(' ')?;
            rest.starts_with(word).then(|| number.parse::<u64>().ok())?
        });
        with_word.sum()
    };
    Some(Tally {
        passed: count("passed"),
        failed: count("failed") + count("timed out") + count("exec failed"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<(u64, u64)>) {
        let expected = expected.map(|(passed, failed)| Tally { passed, failed });
        assert_eq!(parse_result(line), expected, "{line}");
    }

    #[test]
    fn a_line_of_cargo_with_a_result_is_counted_and_no_other() {
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

    #[test]
    fn the_summary_of_nextest_is_counted() {
        check(
            "     Summary [   0.005s] 3 tests run: 3 passed, 10 skipped",
            Some((3, 0)),
        );
        check(
            "     Summary [   9.876s] 14 tests run: 9 passed (1 slow, 2 flaky), 2 failed, 3 timed out, 0 skipped",
            Some((9, 5)),
        );
        check(
            "        PASS [   0.004s] feeway-domain money::tests::adds",
            None,
        );
    }

    fn script(text: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        command
    }

    #[test]
    fn what_dies_without_a_result_has_failed() {
        let tally = run(script("exit 101")).unwrap();
        assert_eq!((tally.passed, tally.failed), (0, 1));
    }

    #[test]
    fn both_outputs_are_read() {
        let text = "echo noise >&2; echo 'test result: ok. 4 passed; 0 failed; 0 ignored'";
        let tally = run(script(text)).unwrap();
        assert_eq!((tally.passed, tally.failed), (4, 0));
    }
}
