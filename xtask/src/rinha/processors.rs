//! The stack's two simulated processors: their settings, and their books at the end.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde::Deserialize;

use super::scenario::{PROCESSORS, Setting};
use crate::http_client::{Answer, Client, request};
use crate::private_stack::PrivateStack;
use crate::readiness::Address;

/// What a simulator's administration asks for.
pub(super) const TOKEN: &str = "123";

const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// A simulated processor.
pub(crate) struct Processor {
    name: &'static str,
    address: SocketAddr,
}

/// What it says of its present work.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stats {
    /// Every POST of a payment, whatever came of it.
    pub(crate) posts: u64,
    pub(crate) payments: u64,
    pub(crate) working: u64,
    pub(crate) queued: u64,
    pub(crate) per_second: Vec<Second>,
}

/// The POSTs that came to it in one second since 1970.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Second {
    pub(crate) second: i64,
    pub(crate) posts: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DumpLine {
    correlation_id: String,
    requested_at: Timestamp,
}

impl Processor {
    /// The processors of a stack, in the order of fees.
    pub(crate) fn all(stack: &PrivateStack) -> Result<Vec<Self>> {
        let find = |name: &'static str| match stack.address(&format!("simulator-{name}"))? {
            Address::Tcp(address) => Ok(Self { name, address }),
            Address::Unix(path) => bail!("{name} listens at {}", path.display()),
        };
        PROCESSORS.into_iter().map(find).collect()
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets the delay first, so that a processor which recovers is not slow for a moment.
    pub(crate) fn set(&self, setting: Setting) -> Result<()> {
        let delay = format!(r#"{{"delay":{}}}"#, setting.delay_ms);
        self.ask("PUT", "/admin/configurations/delay", &delay)?;
        let failure = format!(r#"{{"failure":{}}}"#, setting.failing);
        self.ask("PUT", "/admin/configurations/failure", &failure)?;
        Ok(())
    }

    pub(crate) fn stats(&self) -> Result<Stats> {
        let answer = self.ask("GET", "/admin/stats", "")?;
        Ok(serde_json::from_slice(&answer.body)?)
    }

    /// The ids it holds, with their `requestedAt` in microseconds since 1970.
    pub(super) fn dump(&self) -> Result<HashMap<String, i64>> {
        let answer = self.ask("GET", "/admin/dump", "")?;
        let text = answer.text();
        let lines = text.lines().map(|line| {
            let line: DumpLine = serde_json::from_str(line)?;
            Ok((line.correlation_id, line.requested_at.as_microsecond()))
        });
        lines.collect()
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Result<Answer> {
        let headers = format!("X-Rinha-Token: {TOKEN}\r\nContent-Type: application/json\r\n");
        let mut client = Client::new(Address::Tcp(self.address), ANSWER_TIMEOUT);
        let answer = client
            .ask(&request(method, path, &headers, body))
            .with_context(|| format!("{method} {path} of {}", self.name))?;
        if !(200..300).contains(&answer.status) {
            bail!(
                "{method} {path} of {}: {}: {}",
                self.name,
                answer.status,
                answer.text()
            );
        }
        Ok(answer)
    }
}

/// How many payments both hold: somebody was charged twice.
pub(super) fn held_twice(processors: &[Processor]) -> Result<u64> {
    let mut seen = HashSet::new();
    let mut twice = 0;
    for processor in processors {
        for (id, _) in processor.dump()? {
            if !seen.insert(id) {
                twice += 1;
            }
        }
    }
    Ok(twice)
}
