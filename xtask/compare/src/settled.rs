use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use feeway_machine::clock::{self, Deadline};
use feeway_machine::http_client::{Client, request};
use feeway_machine::interrupt::Interrupt;
use feeway_machine::readiness::Address;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A saturated front answers a question late, but it does.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A backlog of 300 000 at 2 000 a second.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(150);

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Feeway's own books, as anybody can read them.
pub(super) struct Books {
    client: Client,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Total {
    total_requests: u64,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    payments: Vec<&'a RawValue>,
}

/// What was settled when nothing more was to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settled {
    pub(super) payments: u64,
    /// Since the begin of the wait.
    pub(super) after: Duration,
    /// Whether nothing is open any more and nothing is missing.
    pub(super) all: bool,
}

impl Books {
    pub(super) fn new(target: SocketAddr) -> Self {
        Self {
            client: Client::new(Address::Tcp(target), ANSWER_TIMEOUT),
        }
    }

    /// How many payments are settled.
    pub(super) fn settled(&mut self) -> Result<u64> {
        let body = self.ask("/payments-summary")?;
        let totals: BTreeMap<String, Total> = serde_json::from_slice(&body)?;
        Ok(totals.values().map(|total| total.total_requests).sum())
    }

    fn nothing_is_open(&mut self) -> Result<bool> {
        let body = self.ask("/payments?status=open&limit=1")?;
        let page: Page<'_> = serde_json::from_slice(&body)?;
        Ok(page.payments.is_empty())
    }

    /// Waits for a bounded time until this many payments are settled at least and none is
    /// open. There may be more: a client that stops does not see its last answers.
    pub(super) fn await_all(&mut self, accepted: u64, interrupt: &Interrupt) -> Result<Settled> {
        let begin = clock::now();
        let deadline = Deadline::after(SETTLE_TIMEOUT);
        loop {
            interrupt.check()?;
            let after = begin.elapsed();
            // First whether anything is open, so that the count is of what was settled then.
            let all = self.nothing_is_open()?;
            let payments = self.settled()?;
            let all = all && payments >= accepted;
            if all || deadline.passed() {
                return Ok(Settled {
                    payments,
                    after,
                    all,
                });
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Counts once a second until told to stop. Returns how many were settled in each whole
    /// second.
    pub(super) fn watch(&mut self, stop: &AtomicBool) -> Result<Vec<f64>> {
        let begin = clock::now();
        let mut last = (begin, self.settled()?);
        let mut seconds = Vec::new();
        for next in 1.. {
            let due = begin + Duration::from_secs(next);
            while clock::now() < due {
                if stop.load(Ordering::Relaxed) {
                    return Ok(seconds);
                }
                thread::sleep(LOOK_EVERY.min(due.saturating_duration_since(clock::now())));
            }
            let settled = self.settled()?;
            let now: Instant = clock::now();
            // A count that came late is of more than a second.
            let span = now.duration_since(last.0).as_secs_f64();
            seconds.push(settled.saturating_sub(last.1) as f64 / span);
            last = (now, settled);
        }
        Ok(seconds)
    }

    fn ask(&mut self, path: &str) -> Result<Vec<u8>> {
        let answer = self
            .client
            .ask(&request("GET", path, "", ""))
            .with_context(|| format!("GET {path}"))?;
        if answer.status != 200 {
            bail!("GET {path}: {}: {}", answer.status, answer.text());
        }
        Ok(answer.body)
    }
}
