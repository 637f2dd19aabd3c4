//! What is known of one processor: its breaker, its latency, and who may send to it now.

use std::time::Duration;

use tokio::time::Instant;

use crate::board::{BoardConfig, Condition};
use crate::latency::{Latency, STALE_AFTER};

/// Probes outstanding at one processor and front; what a failing one with a long delay
/// can hold up.
pub(crate) const MAX_PROBES: u32 = 8;

/// How long a halved number of permits stays halved.
const HALVED_FOR: Duration = Duration::from_secs(1);

/// How an attempt ended, as far as the processor's standing is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It answered as a working processor does: held, or refused this payment alone.
    Answered,
    /// It refused, after as long as an answer takes now.
    Failed,
    /// It could not be reached or broke off, which says nothing of its latency.
    Broken,
    /// It gave no answer in time, which speaks of the time when it was asked.
    TimedOut,
    /// It has too much to do.
    Overloaded,
}

/// Whether payments have another processor to go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// One is fine, or may be waited for.
    Plain,
    /// None is fine, and nobody knows for how long.
    Dire,
}

/// `Closed` = traffic flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breaker {
    Closed,
    Open,
}

#[derive(Debug)]
pub(crate) struct Standing {
    breaker: Breaker,
    latency: Latency,
    in_flight: usize,
    probes: u32,
    next_probe: Instant,
    /// Until when the number of permits is halved.
    halved: Option<(usize, Instant)>,
    last_answer: Option<Instant>,
    /// The latest-started attempt that was answered.
    answered: u64,
    /// Since when a processor that failed holds payments again, as far as attempts tell that
    /// were started too long ago to say how fast it is now.
    mending: Option<Instant>,
}

impl Standing {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            breaker: Breaker::Closed,
            latency: Latency::default(),
            in_flight: 0,
            probes: 0,
            next_probe: now,
            halved: None,
            last_answer: None,
            answered: 0,
            mending: None,
        }
    }

    pub(crate) fn condition(&self, config: &BoardConfig, now: Instant) -> Condition {
        if self.breaker == Breaker::Open && !self.is_mended(config, now) {
            Condition::Failing
        } else if self.latency.expected(now) > config.max_latency {
            Condition::Slow
        } else {
            Condition::Fine
        }
    }

    /// Whether it has had its time to show that it is fast.
    fn is_mended(&self, config: &BoardConfig, now: Instant) -> bool {
        self.mending
            .is_some_and(|since| now >= since + config.max_latency)
    }

    pub(crate) fn expected_latency(&self, now: Instant) -> Duration {
        self.latency.expected(now)
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Takes a permit if one is free. Returns the attempt's number.
    pub(crate) fn start(&mut self, config: &BoardConfig, now: Instant) -> Option<u64> {
        if self.in_flight >= self.limit(config, now) {
            return None;
        }
        self.in_flight += 1;
        Some(self.latency.start(now))
    }

    /// Takes a permit for a probe if one is due.
    pub(crate) fn start_probe(
        &mut self,
        config: &BoardConfig,
        now: Instant,
        need: Need,
    ) -> Option<u64> {
        if now < self.probe_due(config, now, need)? {
            return None;
        }
        let flight = self.start(config, now)?;
        self.probes += 1;
        // Spread so that a long delay cannot have all probes outstanding at once, which
        // would leave nobody to see the recovery.
        let spread = match self.mending {
            None => self.latency.expected(now) / MAX_PROBES,
            Some(_) => Duration::ZERO,
        };
        self.next_probe = now + config.probe_interval.max(spread);
        Some(flight)
    }

    /// From when on a probe may start; never while as many as may be are outstanding.
    ///
    /// A failing processor refuses a probe, which costs nothing. A slow one keeps it for as
    /// long as it is slow, so the leader's reports have to tell of its recovery, and only
    /// when there are none any more a single probe does; or when payments have nowhere else
    /// to go, because those that probe it would wait as long anyway.
    fn probe_due(&self, config: &BoardConfig, now: Instant, need: Need) -> Option<Instant> {
        match (self.condition(config, now), need) {
            (Condition::Failing, _) | (Condition::Slow, Need::Dire) => {
                (self.probes < MAX_PROBES).then_some(self.next_probe)
            }
            (Condition::Slow, Need::Plain) => self.latency.stale_at().filter(|_| self.probes == 0),
            (Condition::Fine, _) => None,
        }
    }

    /// When a permit refused now might be had because time alone has passed.
    pub(crate) fn next_chance(
        &self,
        config: &BoardConfig,
        now: Instant,
        need: Need,
    ) -> Option<Instant> {
        let full = self.in_flight >= self.limit(config, now);
        let restored = self.halved.map(|(_, until)| until).filter(|_| full);
        // A processor all of whose permits are taken may turn out to be slow, which is
        // known only once nothing has come back for `max_latency`.
        let slow = self
            .latency
            .waiting_since()
            .map(|since| since + config.max_latency);
        let probe = self.probe_due(config, now, need).filter(|_| !full);
        let mended = self.mending.map(|since| since + config.max_latency);
        let chances = restored.into_iter().chain(slow).chain(probe).chain(mended);
        // What has passed already was no chance, or the permit would not have been refused.
        chances.filter(|chance| *chance > now).min()
    }

    fn limit(&self, config: &BoardConfig, now: Instant) -> usize {
        match self.halved {
            Some((limit, until)) if now < until => limit,
            _ => config.max_in_flight,
        }
    }

    /// Notes how an attempt ended. True when the breaker changed.
    pub(crate) fn end(
        &mut self,
        flight: u64,
        probe: bool,
        ended: Option<Ended>,
        config: &BoardConfig,
        now: Instant,
    ) -> bool {
        self.in_flight = self.in_flight.saturating_sub(1);
        if probe {
            self.probes = self.probes.saturating_sub(1);
        }
        let before = self.breaker;
        match ended {
            None => self.latency.forget(flight),
            Some(Ended::Answered) => {
                let took = self.latency.answer(flight, now);
                self.last_answer = Some(now);
                self.answered = self.answered.max(flight);
                if self.breaker == Breaker::Open
                    && took > config.max_latency
                    && !self.is_mended(config, now)
                {
                    // It works again, but how fast is for a fresh probe to say: what waits
                    // for it would else go elsewhere for a delay that may be over.
                    if self.mending.is_none() {
                        self.mending = Some(now);
                        self.next_probe = now;
                    }
                } else {
                    self.breaker = Breaker::Closed;
                    self.mending = None;
                }
            }
            // If something asked later has been answered, this is old news.
            Some(Ended::Failed) => {
                self.latency.answer(flight, now);
                if flight > self.answered {
                    self.open(config, now);
                }
            }
            Some(Ended::Broken | Ended::TimedOut) => {
                self.latency.forget(flight);
                if flight > self.answered {
                    self.open(config, now);
                }
            }
            Some(Ended::Overloaded) => {
                self.latency.forget(flight);
                let halved = (self.limit(config, now) / 2).max(1);
                self.halved = Some((halved, now + HALVED_FOR));
            }
        }
        self.breaker != before
    }

    fn open(&mut self, config: &BoardConfig, now: Instant) {
        if self.breaker == Breaker::Closed {
            self.next_probe = now + config.probe_interval;
        }
        self.breaker = Breaker::Open;
        self.mending = None;
    }

    /// Notes what the leader was told at `asked`. True when something changed.
    pub(crate) fn report(
        &mut self,
        failing: bool,
        min_response_time: Duration,
        asked: Instant,
        config: &BoardConfig,
        now: Instant,
    ) -> bool {
        if now.duration_since(asked) >= STALE_AFTER {
            return false;
        }
        let before = self.condition(config, now);
        if failing {
            // An answer of its own that came after the question is better knowledge.
            if self.last_answer.is_none_or(|answer| answer < asked) {
                self.open(config, now);
            }
        } else {
            self.latency.report(min_response_time, asked);
            // Not failing any more is worth a probe at once, which then closes the breaker.
            self.next_probe = self.next_probe.min(now);
        }
        self.condition(config, now) != before || !failing
    }
}
