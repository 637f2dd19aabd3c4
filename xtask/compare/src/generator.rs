use std::fs::File;
use std::io::Read;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use feeway_machine::clock::Deadline;
use feeway_machine::interrupt::Interrupt;
use serde::Deserialize;

/// After the load: what is in flight, and a program's own start and summary.
const GRACE: Duration = Duration::from_secs(40);

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a load generator counted. Each prints it as its last line of JSON.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Load {
    /// Answered well.
    pub(super) ok: u64,
    /// Answered otherwise, or not.
    pub(super) failed: u64,
    pub(super) seconds: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
}

impl Load {
    pub(super) fn per_second(&self) -> f64 {
        self.ok as f64 / self.seconds
    }
}

/// A running load generator. It ends with this value.
pub(super) struct Generator {
    name: String,
    child: Child,
    output: ChildStdout,
    deadline: Deadline,
}

impl Generator {
    /// Starts a program that ends by itself after this time. What it complains about goes to
    /// the log.
    pub(super) fn start(mut command: Command, length: Duration, log: File) -> Result<Self> {
        let name = command.get_program().display().to_string();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let output = child.stdout.take().context("the output is not piped")?;
        Ok(Self {
            name,
            child,
            output,
            deadline: Deadline::after(length + GRACE),
        })
    }

    /// Waits for its end, and reads what it counted. It prints less than a pipe holds.
    pub(super) fn finish(mut self, interrupt: &Interrupt) -> Result<Load> {
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            interrupt.check()?;
            if self.deadline.passed() {
                bail!("{} does not end", self.name);
            }
            thread::sleep(LOOK_EVERY);
        };
        let mut text = String::new();
        self.output.read_to_string(&mut text)?;
        if !status.success() {
            bail!("{} failed ({status})\n{text}", self.name);
        }
        read_load(&text).with_context(|| format!("{} said:\n{text}", self.name))
    }
}

fn read_load(text: &str) -> Result<Load> {
    let line = text.lines().rfind(|line| line.starts_with('{'));
    Ok(serde_json::from_str(line.context("no line of JSON")?)?)
}

impl Drop for Generator {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let ended = self.child.kill().and_then(|()| self.child.wait());
            if let Err(error) = ended {
                eprintln!("{} did not end: {error}", self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_json_is_what_was_counted() {
        let text = "Running 10s test @ http://x\n{\"ok\":1}\n\n{\"ok\":30,\"failed\":2,\"seconds\":1.5,\"p50Us\":61,\"p99Us\":90.5}\n";
        let load = read_load(text).unwrap();
        assert_eq!((load.ok, load.failed), (30, 2));
        assert!((load.per_second() - 20.0).abs() < 1e-9);
        assert!(read_load("Running").is_err());
        // A client without one good answer has no times.
        assert!(read_load("{\"ok\":0,\"failed\":9,\"seconds\":1,\"p50Us\":null}").is_err());
    }
}
