//! A run of k6 on our script.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use feeway_machine::clock::{self, Deadline};
use feeway_machine::files::repository;
use feeway_machine::interrupt::Interrupt;
use feeway_machine::k6::K6;
use serde::Deserialize;
use serde_json::Value;

/// After the scenario: users' last second, the report, and a machine with other work.
const GRACE: Duration = Duration::from_secs(90);

const LOOK_EVERY: Duration = Duration::from_millis(100);
const SAY_EVERY: Duration = Duration::from_secs(30);

/// The times of some requests, in microseconds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Times {
    pub(super) p50_us: u64,
    pub(super) p99_us: u64,
    pub(super) p999_us: u64,
    pub(super) max_us: u64,
}

/// What the script counted.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counted {
    pub(super) accepted: u64,
    pub(super) failed: u64,
    pub(super) audits: u64,
    pub(super) audits_slow: u64,
    /// Payments that the processors held in the windows of all audits together, in the order
    /// of fees.
    pub(super) audited: [u64; 2],
    pub(super) audits_differing: u64,
    pub(super) audits_still_differing: u64,
    /// Not 0 when a processor's amount is not its count times the scenario's amount.
    pub(super) wrong_amounts: u64,
    /// What the processors hold at the end, in the order of fees.
    pub(super) held: [u64; 2],
    /// What our summary says of that.
    pub(super) summed: [u64; 2],
    /// Every successful request of the run, which is what the contest scores.
    pub(super) successful: Times,
    /// Successful payments alone.
    pub(super) payments: Times,
}

/// Starts a run by this plan. Plan, result, log and the HTML report go to the folder.
pub(super) fn start(k6: &K6, plan: &Value, folder: &Path, length: Duration) -> Result<Run> {
    fs::create_dir_all(folder)?;
    let plan_file = folder.join("plan.json");
    fs::write(&plan_file, serde_json::to_string_pretty(plan)?)?;
    let (result, log) = (folder.join("result.json"), folder.join("k6.log"));
    let output = File::create(folder.join("k6.out"))?;
    let child = Command::new(k6.program())
        // No API port: another k6 may run beside this one.
        .args(["run", "--quiet", "--no-usage-report", "--no-color"])
        .args(["--address", ""])
        .arg(format!("--log-output=file={}", log.display()))
        .arg("-e")
        .arg(format!("PLAN={}", plan_file.display()))
        .arg("-e")
        .arg(format!("RESULT={}", result.display()))
        .arg(repository().join("deploy/k6/rinha.js"))
        .env("K6_WEB_DASHBOARD", "true")
        .env("K6_WEB_DASHBOARD_PORT", "-1")
        .env("K6_WEB_DASHBOARD_PERIOD", "2s")
        .env("K6_WEB_DASHBOARD_EXPORT", folder.join("k6.html"))
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
        .with_context(|| format!("cannot start {}", k6.program().display()))?;
    Ok(Run {
        child,
        result,
        log,
        length,
        deadline: Deadline::after(length + GRACE),
    })
}

/// A run of k6. It ends with this value.
pub(super) struct Run {
    child: Child,
    result: PathBuf,
    log: PathBuf,
    length: Duration,
    deadline: Deadline,
}

impl Run {
    /// Waits for its end, and reads what was counted.
    pub(super) fn finish(&mut self, interrupt: &Interrupt) -> Result<Counted> {
        let begin = clock::now();
        let mut say_after = SAY_EVERY;
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            interrupt.check()?;
            if self.deadline.passed() {
                bail!("k6 does not end; see {}", self.log.display());
            }
            if begin.elapsed() >= say_after && say_after < self.length {
                println!("  {} s of {} s", say_after.as_secs(), self.length.as_secs());
                say_after += SAY_EVERY;
            }
            thread::sleep(LOOK_EVERY);
        };
        if !status.success() {
            bail!("k6 failed ({status}); see {}", self.log.display());
        }
        let text = fs::read_to_string(&self.result)
            .with_context(|| format!("k6 left no result; see {}", self.log.display()))?;
        serde_json::from_str(&text).context("cannot read the result of k6")
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // It has ended already, unless something went wrong.
        if let Ok(None) = self.child.try_wait() {
            let ended = self.child.kill().and_then(|()| self.child.wait());
            if let Err(error) = ended {
                eprintln!("k6 did not end: {error}");
            }
        }
    }
}
