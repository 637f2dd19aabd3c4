//! A fuzzer that reads `docs/openapi.json` finds the service as the document says.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Command;

use feeway_machine::files::repository;

use crate::stack::Stack;

/// So many different requests at least, of all operations together.
const CASES_MIN: u32 = 1_000;

/// Schemathesis: one that is installed, or what `cargo xtask test` brought. Says so where it can
/// be seen even when tests pass if there is none.
fn find() -> Option<PathBuf> {
    let brought = repository().join("target/tools/schemathesis/bin/schemathesis");
    let candidates = [PathBuf::from("schemathesis"), brought];
    let answers = |candidate: &PathBuf| {
        let version = Command::new(candidate).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    };
    let found = candidates.into_iter().find(answers);
    if found.is_none() {
        let reason = "SKIPPED: no schemathesis is here, so nobody fuzzes docs/openapi.json\n";
        let told = io::stderr().write_all(reason.as_bytes());
        told.expect("it is open");
    }
    found
}

/// The number of cases in the closing lines: `1304 generated, …`.
fn cases(said: &str) -> Option<u32> {
    let line = said.lines().find(|line| line.contains(" generated"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[test]
fn a_fuzzer_that_reads_the_document_finds_no_difference() {
    let Some(program) = find() else {
        return;
    };
    let stack = Stack::up(&[]);
    let output = Command::new(program)
        .current_dir(repository())
        .args(["run", "docs/openapi.json", "--checks", "all"])
        .args(["--url", &format!("http://localhost:{}", stack.port)])
        // What fails once fails again; a run by hand has another seed each time.
        .args(["--seed", "1", "--max-examples", "150"])
        .output()
        .expect("it was found");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    let cases = cases(&said);
    assert!(cases >= Some(CASES_MIN), "{cases:?} {said}");
}

#[test]
fn the_number_of_cases_is_read_from_the_closing_lines() {
    let said = "Test cases:\n  1304 generated, 2 found 2 unique failures\n\nSeed: 2\n";
    assert_eq!(cases(said), Some(1_304));
    assert_eq!(cases("Seed: 2\n"), None);
}
