//! Schemathesis, a fuzzer that is fed with an OpenAPI document, which only tests need.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};
use feeway_machine::files::repository;

/// Where the tests look for it besides the PATH.
const FOLDER: &str = "target/tools/schemathesis";

/// What is installed: another release finds other differences, on a day that nobody chose.
const PACKAGE: &str = "schemathesis==4.32.5";

/// Sees to it that the tests find it. It goes into an environment of its own beside the build.
pub(super) fn find_or_install() -> Result<()> {
    let folder = repository().join(FOLDER);
    let own = folder.join("bin/schemathesis");
    let answers = |program: &Path| runs(Command::new(program).arg("--version"));
    if answers(Path::new("schemathesis")) || answers(&own) {
        return Ok(());
    }
    println!("Installing Schemathesis into {FOLDER} …");
    let made = runs(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    let pip = folder.join("bin/pip");
    let installed = made && runs(Command::new(pip).args(["install", "--quiet", PACKAGE]));
    if !installed || !answers(&own) {
        bail!(
            "schemathesis is not installed, and `python3 -m venv` with `pip install {PACKAGE}` does not bring it"
        );
    }
    Ok(())
}

fn runs(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null());
    let status = quiet.env("PIP_DISABLE_PIP_VERSION_CHECK", "1").status();
    status.is_ok_and(|status| status.success())
}
