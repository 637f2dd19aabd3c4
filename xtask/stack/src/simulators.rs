//! The administration of simulated processors: how they are set, and what they hold.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use feeway_machine::http_client::{Answer, Client, request};
use feeway_machine::readiness::Address;
use jiff::Timestamp;
use serde::Deserialize;

use crate::private_stack::PrivateStack;

/// The names of a stack's two simulated processors, cheapest first.
pub const PROCESSORS: [&str; 2] = ["default", "fallback"];

/// What a simulator's administration asks for.
pub const TOKEN: &str = "123";

const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// What a processor is set to for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// How long it takes for an answer, in milliseconds.
    pub delay_ms: u32,
    /// Whether it refuses every payment.
    pub failing: bool,
}

/// It works, and takes so long.
pub const fn works(delay_ms: u32) -> Setting {
    Setting {
        delay_ms,
        failing: false,
    }
}

/// It fails, and takes so long to do it.
pub const fn fails(delay_ms: u32) -> Setting {
    Setting {
        delay_ms,
        failing: true,
    }
}

/// Something about a processor that can be switched.
#[derive(Clone, Debug, PartialEq)]
pub enum Switch {
    /// How long it takes for an answer, in milliseconds.
    DelayMs(u32),
    /// Whether it refuses every payment.
    Failing(bool),
    /// A mishap's name, how probable it is in thousandths, and a setting in milliseconds
    /// that goes with it.
    Mishap {
        /// As the simulator calls it.
        name: &'static str,
        /// How probable it is for each payment.
        per_mille: u32,
        /// A setting that goes with it, in milliseconds.
        extra: Option<(&'static str, u32)>,
    },
}

impl Switch {
    /// What is switched.
    pub fn name(&self) -> &'static str {
        match self {
            Self::DelayMs(_) => "delay",
            Self::Failing(_) => "failure",
            Self::Mishap { name, .. } => name,
        }
    }

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

/// A simulated processor.
#[derive(Clone, Copy, Debug)]
pub struct Processor {
    name: &'static str,
    address: SocketAddr,
}

/// What it says of its present work.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Every POST of a payment, whatever came of it.
    pub posts: u64,
    /// How many it holds.
    pub payments: u64,
    /// Requests that it is answering.
    pub working: u64,
    /// Requests that wait until it can.
    pub queued: u64,
    /// The latest seconds, oldest first.
    pub per_second: Vec<Second>,
}

/// The POSTs that came to it in one second since 1970.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Second {
    /// Seconds since 1970.
    pub second: i64,
    /// How many came in it.
    pub posts: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DumpLine {
    correlation_id: String,
    requested_at: Timestamp,
}

impl Processor {
    /// The one whose administration is at this address.
    pub fn new(name: &'static str, address: SocketAddr) -> Self {
        Self { name, address }
    }

    /// The processors of a stack, in the order of fees.
    pub fn all(stack: &PrivateStack) -> Result<Vec<Self>> {
        let find = |name: &'static str| match stack.address(&format!("simulator-{name}"))? {
            Address::Tcp(address) => Ok(Self { name, address }),
            Address::Unix(path) => bail!("{name} listens at {}", path.display()),
        };
        PROCESSORS.into_iter().map(find).collect()
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where its administration listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets the delay first, so that a processor which recovers is not slow for a moment.
    pub fn set(&self, setting: Setting) -> Result<()> {
        self.switch(&Switch::DelayMs(setting.delay_ms))?;
        self.switch(&Switch::Failing(setting.failing))
    }

    /// Sets one thing.
    pub fn switch(&self, switch: &Switch) -> Result<()> {
        let (path, body) = switch.request();
        self.ask("PUT", path, &body).map(|_answer| ())
    }

    /// What it says of its present work.
    pub fn stats(&self) -> Result<Stats> {
        let answer = self.ask("GET", "/admin/stats", "")?;
        Ok(serde_json::from_slice(&answer.body)?)
    }

    /// The ids it holds, with their `requestedAt` in microseconds since 1970.
    pub fn dump(&self) -> Result<HashMap<String, i64>> {
        let answer = self.ask("GET", "/admin/dump", "")?;
        let text = answer.text();
        let lines = text.lines().map(|line| {
            let line: DumpLine = serde_json::from_str(line)?;
            Ok((line.correlation_id, line.requested_at.as_microsecond()))
        });
        lines.collect()
    }

    /// Asks its administration; an answer that is no success is an error.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> Result<Answer> {
        let headers = format!("X-Rinha-Token: {TOKEN}\r\nContent-Type: application/json\r\n");
        let mut client = Client::new(Address::Tcp(self.address), ANSWER_TIMEOUT);
        let answer = client
            .ask(&request(method, path, &headers, body))
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
