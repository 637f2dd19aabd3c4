use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::logs::last_lines;

/// How many of its last lines are shown when a command fails.
const SHOWN_LINES: usize = 15;

/// The compose that is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compose {
    /// `docker compose`
    Two,
    /// `docker-compose`
    One,
}

/// What compose calls a project: its name, its files and what they are filled in with.
pub(crate) struct Project<'a> {
    pub(crate) name: &'a str,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) environment: &'a BTreeMap<String, String>,
}

impl Compose {
    /// Takes version 2 where there are both.
    pub(crate) fn find() -> Result<Self> {
        let answers = |program: &str, arguments: &[&str]| {
            Command::new(program)
                .args(arguments)
                .stdin(Stdio::null())
                .output()
                .is_ok_and(|output| output.status.success())
        };
        if answers("docker", &["compose", "version"]) {
            Ok(Self::Two)
        } else if answers("docker-compose", &["version"]) {
            Ok(Self::One)
        } else {
            bail!(
                "neither `docker compose` nor `docker-compose` is installed: install one of them and try again"
            )
        }
    }

    /// A command on a project, up to the word that says what to do.
    pub(crate) fn command(self, project: &Project<'_>) -> Command {
        let mut command = match self {
            Self::Two => {
                let mut command = Command::new("docker");
                command.arg("compose");
                command
            }
            Self::One => {
                let mut command = Command::new("docker-compose");
                // Without it version 1 takes no notice of limits.
                command.arg("--compatibility");
                command
            }
        };
        command.args(["--project-name", project.name]);
        for file in &project.files {
            command.arg("--file").arg(file);
        }
        command.envs(project.environment).stdin(Stdio::null());
        command
    }
}

/// Runs a command to its end; what it says goes to the log and, if it fails, into the error.
pub(crate) fn run_logged(mut command: Command, log: &Path) -> Result<()> {
    let output = File::options().create(true).append(true).open(log)?;
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        // Ctrl-C is for us, who stop it all in good order.
        .process_group(0)
        .stdout(output.try_clone()?)
        .stderr(output)
        .status()
        .with_context(|| format!("cannot run {program}"))?;
    if !status.success() {
        let said = last_lines(log, SHOWN_LINES)?.join("\n");
        bail!("{program} failed ({status}):\n{said}");
    }
    Ok(())
}
