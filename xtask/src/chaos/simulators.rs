//! The two processors of a run. They stand for the world outside: they are not of the stack
//! that is broken, and their books are what it is judged by.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::clock::Deadline;
use crate::down;
use crate::http_client::{Answer, Client, request};
use crate::process_id::ProcessId;
use crate::readiness::Address;

/// The processors' names, cheapest first, with their fees.
pub(super) const PROCESSORS: [(&str, &str); 2] = [("default", "0.05"), ("fallback", "0.15")];

/// What the administration asks for.
const HEADERS: &str = "X-Rinha-Token: 123\r\nContent-Type: application/json\r\n";

const START_TIMEOUT: Duration = Duration::from_secs(10);
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Something about a processor that can be switched.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Switch {
    DelayMs(u32),
    Failing(bool),
    /// A mishap's name, how probable it is in thousandths, and a setting in milliseconds
    /// that goes with it.
    Mishap {
        name: &'static str,
        per_mille: u32,
        extra: Option<(&'static str, u32)>,
    },
}

/// Every mishap that a simulator knows, and the name of its setting.
pub(super) const MISHAPS: [(&str, Option<&str>); 6] = [
    ("resetBeforeInsert", None),
    ("resetAfterInsert", None),
    ("hangAfterInsert", Some("hangAfterInsertMs")),
    ("lateInsert", Some("lateInsertMs")),
    ("errorAfterInsert", None),
    ("refuse", None),
];

impl Switch {
    fn request(&self) -> (&'static str, String) {
        match self {
            Self::DelayMs(delay) => (
                "/admin/configurations/delay",
                format!("{{\"delay\":{delay}}}"),
            ),
            Self::Failing(failing) => (
                "/admin/configurations/failure",
                format!("{{\"failure\":{failing}}}"),
            ),
            Self::Mishap {
                name,
                per_mille,
                extra,
            } => {
                let extra =
                    extra.map_or_else(String::new, |(name, ms)| format!(",\"{name}\":{ms}"));
                let (whole, rest) = (per_mille / 1000, per_mille % 1000);
                let body = format!("{{\"{name}\":{whole}.{rest:03}{extra}}}");
                ("/admin/chaos", body)
            }
        }
    }
}

/// Where a simulator is asked what chaos does not touch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Administration {
    name: &'static str,
    address: SocketAddr,
}

impl Administration {
    pub(super) fn ask(self, method: &str, path: &str, body: &str) -> Result<Answer> {
        let mut client = Client::new(Address::Tcp(self.address), ANSWER_TIMEOUT);
        let answer = client
            .ask(&request(method, path, HEADERS, body))
            .with_context(|| format!("{method} {path} of {}", self.name))?;
        if !(200..300).contains(&answer.status) {
            bail!(
                "{method} {path} of {} was answered with {}: {}",
                self.name,
                answer.status,
                answer.text()
            );
        }
        Ok(answer)
    }
}

/// A running simulator. It ends with this value.
pub(super) struct Simulator {
    pub(super) name: &'static str,
    pub(super) fee: &'static str,
    pub(super) address: SocketAddr,
    pub(super) administration: Administration,
    process: Child,
    id: ProcessId,
}

impl Simulator {
    /// Starts a simulator with empty books and waits until it serves.
    pub(super) fn start(
        program: &Path,
        logs: &Path,
        (name, fee): (&'static str, &'static str),
        [port, admin_port]: [u16; 2],
    ) -> Result<Self> {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let (address, administration) = (loopback(port), loopback(admin_port));
        fs::create_dir_all(logs)?;
        let log = File::create(logs.join(format!("simulator-{name}.log")))?;
        let mut process = Command::new(program)
            .args(["--name", name, "--fee", fee])
            .args(["--listen", &address.to_string()])
            .args(["--admin-listen", &administration.to_string()])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let id = match ProcessId::of(process.id()) {
            Ok(id) => id,
            Err(error) => {
                process.kill()?;
                process.wait()?;
                return Err(error);
            }
        };
        let administration = Administration {
            name,
            address: administration,
        };
        let simulator = Self {
            name,
            fee,
            address,
            administration,
            process,
            id,
        };
        let deadline = Deadline::after(START_TIMEOUT);
        while simulator.ask("GET", "/admin/stats", "").is_err() {
            if deadline.passed() || !id.is_alive() {
                bail!("the simulator {name} did not start; see {}", logs.display());
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(simulator)
    }

    /// As the stack is told of it.
    pub(super) fn option(&self) -> String {
        format!("{}=http://{},fee={}", self.name, self.address, self.fee)
    }

    pub(super) fn set(&self, switch: &Switch) -> Result<()> {
        let (path, body) = switch.request();
        self.ask("PUT", path, &body).map(|_answer| ())
    }

    /// Turns every switch off.
    pub(super) fn heal(&self) -> Result<()> {
        self.set(&Switch::DelayMs(0))?;
        self.set(&Switch::Failing(false))?;
        for (name, _) in MISHAPS {
            self.set(&Switch::Mishap {
                name,
                per_mille: 0,
                extra: None,
            })?;
        }
        Ok(())
    }

    /// Asks the administration, on the address that chaos does not touch.
    pub(super) fn ask(&self, method: &str, path: &str, body: &str) -> Result<Answer> {
        self.administration.ask(method, path, body)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let ended = down::end(&[self.id], STOP_TIMEOUT)
            .and_then(|()| self.process.wait().context("cannot reap it"));
        if let Err(error) = ended {
            eprintln!("simulator {} did not end: {error:#}", self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_are_written_as_the_simulator_reads_them() {
        let check = |switch: Switch, expected: &str| assert_eq!(switch.request().1, expected);
        check(Switch::DelayMs(50), r#"{"delay":50}"#);
        check(Switch::Failing(true), r#"{"failure":true}"#);
        check(
            Switch::Mishap {
                name: "lateInsert",
                per_mille: 50,
                extra: Some(("lateInsertMs", 2000)),
            },
            r#"{"lateInsert":0.050,"lateInsertMs":2000}"#,
        );
        check(
            Switch::Mishap {
                name: "refuse",
                per_mille: 1000,
                extra: None,
            },
            r#"{"refuse":1.000}"#,
        );
    }
}
