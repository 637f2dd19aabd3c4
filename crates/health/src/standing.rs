//! What is known of one processor: its breaker, its latency, and who may send to it now.

use std::time::Duration;

use tokio::time::Instant;

use crate::board::stand_back::Retreat;
use crate::board::{BoardConfig, Condition};
use crate::clarity::Clarity;
use crate::ended::{Ended, Flight, Need};
use crate::latency::{Latency, STALE_AFTER};
use crate::throttle::Throttle;

/// Probes outstanding at one processor and front; what a failing one with a long delay
/// can hold up.
pub(crate) const MAX_PROBES: u32 = 8;

/// How long a halved number of permits stays halved.
const HALVED_FOR: Duration = Duration::from_secs(1);

/// A processor that has just answered and then fails gets its first probe at once: it may
/// have been that one payment.
const RECENT: Duration = Duration::from_secs(1);

/// So many times `max_latency` without any answer are no slowness any more. By default that is
/// longer than the 5 s that a processor of the contest takes at most, whose reports are right.
const HANGING: u32 = 5;

/// So many answers in a row that only a look-up could confirm open the breaker. A single one
/// says something about its payment alone.
const UNCONFIRMED_MAX: u32 = 3;

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
    /// Whether what we ask is answered, and who probes it otherwise.
    clarity: Clarity,
    /// What 429 and `Retry-After` allow.
    throttle: Throttle,
    /// Until when the number of permits is halved.
    halved: Option<(usize, Instant)>,
    last_answer: Option<Instant>,
    /// The latest-started attempt that was answered.
    answered: u64,
    /// Answers in a row that only a look-up could confirm.
    unconfirmed: u32,
    /// Since when a processor that failed holds payments again, as far as attempts tell that
    /// were started too long ago to say how fast it is now.
    mending: Option<Instant>,
    /// A report said that it is well, and attempts that are still unanswered say otherwise: one
    /// probe finds out.
    is_worth_a_trial: bool,
    /// Whether nothing may be started there, and what of it is in hand.
    retreat: Retreat,
}

impl Standing {
    pub(crate) fn new(config: &BoardConfig, now: Instant) -> Self {
        Self {
            breaker: Breaker::Closed,
            latency: Latency::default(),
            in_flight: 0,
            probes: 0,
            next_probe: now,
            clarity: Clarity::new(config.probe_interval, now),
            throttle: Throttle::default(),
            halved: None,
            last_answer: None,
            answered: 0,
            unconfirmed: 0,
            mending: None,
            is_worth_a_trial: false,
            retreat: Retreat::default(),
        }
    }

    pub(crate) fn condition(&self, config: &BoardConfig, now: Instant) -> Condition {
        let is_open = self.breaker == Breaker::Open && !self.is_mended(config, now);
        if is_open || self.throttle.is_failing(config.max_latency, now) {
            Condition::Failing
        } else if self.latency.expected(now) > config.max_latency {
            Condition::Slow
        } else {
            Condition::Fine
        }
    }

    /// Whether it is fine and takes what comes.
    pub(crate) fn is_flowing(&self, config: &BoardConfig, now: Instant) -> bool {
        !self.throttle.is_active(now) && self.condition(config, now) == Condition::Fine
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

    pub(crate) fn retreat(&mut self) -> &mut Retreat {
        &mut self.retreat
    }

    /// The state of its answers, to note what comes of a look-up or of a tied payment.
    pub(crate) fn clarity(&mut self) -> &mut Clarity {
        &mut self.clarity
    }

    /// Whether its look-ups were answered when it was last asked.
    pub(crate) fn answers_look_ups(&self) -> bool {
        self.clarity.answers_look_ups()
    }

    /// There is news: the next probe need not wait.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.next_probe = self.next_probe.min(now);
        self.clarity.hurry(now);
    }

    /// Takes a permit if one is free. Returns the attempt's number.
    pub(crate) fn start(&mut self, config: &BoardConfig, now: Instant) -> Option<Flight> {
        self.start_within(self.limit(config, now), now)
    }

    fn start_within(&mut self, limit: usize, now: Instant) -> Option<Flight> {
        if self.retreat.is_on() || self.in_flight >= limit || now < self.throttle.opens(now) {
            return None;
        }
        self.throttle.started(now);
        self.in_flight += 1;
        Some(Flight(self.latency.start(now)))
    }

    /// Takes a permit for a probe if one is due.
    pub(crate) fn start_probe(
        &mut self,
        config: &BoardConfig,
        now: Instant,
        need: Need,
    ) -> Option<Flight> {
        if now < self.probe_due(config, now, need)? {
            return None;
        }
        let flight = self.start_within(self.probe_limit(config, now), now)?;
        self.probes += 1;
        self.is_worth_a_trial = false;
        // Spread so that a long delay cannot have all probes outstanding at once, which
        // would leave nobody to see the recovery.
        let spread = match self.mending {
            None => self.latency.expected(now) / MAX_PROBES,
            Some(_) => Duration::ZERO,
        };
        let interval = self.clarity.probed(config.probe_interval, now);
        self.next_probe = now + interval.max(spread);
        Some(flight)
    }

    /// When the next probe may start; never while the limit of outstanding probes is reached.
    ///
    /// A failing processor refuses a probe, which costs nothing. A slow one keeps it for as
    /// long as it is slow, so the leader's reports have to tell of its recovery, and only
    /// when there are none any more a single probe does; or when payments have nowhere else
    /// to go, because those that probe it would wait as long anyway. One that leaves its
    /// probes in doubt keeps them for good, so it gets those that it has already.
    fn probe_due(&self, config: &BoardConfig, now: Instant, need: Need) -> Option<Instant> {
        match (self.condition(config, now), need) {
            (Condition::Failing, Need::Plain | Need::Dire) if self.clarity.is_unclear() => {
                let due = self.clarity.next_fresh()?;
                (self.probes < MAX_PROBES).then_some(due.max(self.next_probe))
            }
            (Condition::Failing, _) | (Condition::Slow, Need::Dire) => {
                (self.probes < MAX_PROBES).then_some(self.next_probe)
            }
            (Condition::Slow, Need::Plain | Need::Tied) if self.is_worth_a_trial => {
                (self.probes < MAX_PROBES).then_some(self.next_probe)
            }
            (Condition::Slow, Need::Plain | Need::Tied) => {
                self.latency.stale_at().filter(|_| self.probes == 0)
            }
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
        let may_probe = self.in_flight < self.probe_limit(config, now);
        let probe = self.probe_due(config, now, need).filter(|_| may_probe);
        let mended = self.mending.map(|since| since + config.max_latency);
        let throttled = self.throttle.changes_at(config.max_latency);
        let chances = restored.into_iter().chain(slow).chain(probe).chain(mended);
        // What has passed already was no chance, or the permit would not have been refused.
        let chances = chances.chain(throttled).filter(|chance| *chance > now);
        chances.min()
    }

    fn limit(&self, config: &BoardConfig, now: Instant) -> usize {
        match self.halved {
            Some((limit, until)) if now < until => limit,
            _ => config.max_in_flight,
        }
    }

    /// Probes have permits of their own: attempts that hang must not keep everybody from finding
    /// out that the processor works again.
    fn probe_limit(&self, config: &BoardConfig, now: Instant) -> usize {
        let probes = MAX_PROBES.try_into().unwrap_or(usize::MAX);
        self.limit(config, now).saturating_add(probes)
    }

    /// Notes how an attempt ended. True when the breaker changed.
    pub(crate) fn end(
        &mut self,
        Flight(flight): Flight,
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
        // If something asked later has been answered, a failure is old news.
        let is_news = flight > self.answered;
        match ended {
            None => self.latency.forget(flight),
            Some(Ended::Answered) => self.answered(flight, config, now),
            Some(Ended::Failed { earlier }) => {
                self.throttle.end();
                self.unconfirmed = 0;
                if self.is_own_fault(earlier) {
                    self.latency.forget(flight);
                } else {
                    self.latency.answer(flight, now);
                    if is_news {
                        self.clarity.attempt_answered();
                        self.open(config, now);
                    }
                }
            }
            Some(Ended::Unreachable) => {
                self.latency.forget(flight);
                if is_news {
                    self.clarity.attempt_answered();
                    self.open(config, now);
                }
            }
            Some(Ended::Broken | Ended::TimedOut) => {
                self.latency.forget(flight);
                if is_news {
                    self.clarity.attempt_unanswered(config.probe_interval, now);
                    self.open(config, now);
                }
            }
            Some(Ended::Unconfirmed) => {
                self.throttle.end();
                self.latency.answer(flight, now);
                self.unconfirmed += 1;
                if is_news && self.unconfirmed >= UNCONFIRMED_MAX {
                    self.clarity.attempt_unanswered(config.probe_interval, now);
                    self.open(config, now);
                }
            }
            Some(Ended::Overloaded {
                retry_after,
                earlier,
            }) => {
                self.latency.forget(flight);
                if !self.is_own_fault(earlier) {
                    let halved = (self.limit(config, now) / 2).max(1);
                    self.halved = Some((halved, now + HALVED_FOR));
                    if is_news {
                        self.throttle.refused(retry_after, now);
                    }
                }
            }
        }
        self.breaker != before
    }

    /// Whether a payment that was refused before was refused again although others were not.
    fn is_own_fault(&self, earlier: Option<Flight>) -> bool {
        earlier.is_some_and(|Flight(earlier)| earlier < self.answered)
    }

    fn answered(&mut self, flight: u64, config: &BoardConfig, now: Instant) {
        let took = self.latency.answer(flight, now);
        self.last_answer = Some(now);
        self.answered = self.answered.max(flight);
        self.unconfirmed = 0;
        self.throttle.end();
        self.clarity.attempt_answered();
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

    fn open(&mut self, config: &BoardConfig, now: Instant) {
        if self.breaker == Breaker::Closed {
            let is_recent = self.last_answer.is_some_and(|at| now < at + RECENT);
            self.next_probe = if is_recent {
                now
            } else {
                now + config.probe_interval
            };
            self.clarity.restart(config.probe_interval, now);
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
            if self.hangs(config, now) {
                self.is_worth_a_trial = true;
            } else {
                self.latency.report(min_response_time, asked);
            }
            // Not failing any more is worth a probe at once, which then closes the breaker.
            self.hurry(now);
        }
        self.condition(config, now) != before || !failing
    }

    /// Whether attempts have waited for an answer for so long that no report can be right that
    /// says it is fast. One that is merely slow answers some in the meantime.
    fn hangs(&self, config: &BoardConfig, now: Instant) -> bool {
        self.latency
            .unanswered_since()
            .is_some_and(|since| now > since + HANGING * config.max_latency)
    }
}
