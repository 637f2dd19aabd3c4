//! The contest's last round, played by `cargo xtask rinha` with the programs of one side.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use feeway_machine::interrupt::Interrupt;
use feeway_machine::process_id::ProcessId;
use rustix::process::Signal;
use serde::Deserialize;

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What one round came to, as the tool writes it into `figures.json`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LastRound {
    /// Before the bonus, in whole units of money.
    pub(super) profit: f64,
    pub(super) lost: u64,
    /// Requests that failed.
    pub(super) failed: u64,
    pub(super) audits_differing: u64,
    /// Of all payments that were asked for.
    pub(super) on_default: f64,
    /// Nothing lost, twice, unasked for, refused or inconsistent.
    pub(super) sound: bool,
}

/// Plays it with these programs on a stack of its own in this folder, where report and logs
/// stay.
pub(super) fn play(
    programs: &Path,
    configuration_of: Option<&Path>,
    folder: &Path,
    interrupt: &Interrupt,
) -> Result<LastRound> {
    let log_path = folder.with_extension("log");
    let log = File::create(&log_path)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["rinha", "final", "--dir"]).arg(folder);
    command.arg("--programs").arg(programs);
    if let Some(tree) = configuration_of {
        command.arg("--configuration-of").arg(tree);
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("cannot start the last round")?;
    let interrupted = wait(&mut child, interrupt);
    if interrupted.is_err() {
        // It stops its stack before it ends.
        ProcessId::of(child.id())?.signal(Signal::TERM)?;
        child.wait()?;
    }
    interrupted?;
    let figures = fs::read_to_string(folder.join("figures.json"))
        .with_context(|| format!("the last round came to nothing; see {}", log_path.display()))?;
    Ok(serde_json::from_str(&figures)?)
}

/// A round that is not sound ends with a failure; its figures say why.
fn wait(child: &mut Child, interrupt: &Interrupt) -> Result<()> {
    while child.try_wait()?.is_none() {
        interrupt.check()?;
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}
