//! How long a processor is expected to take, from what came back and what has not.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// A fact about a processor counts for three of the leader's rounds, then it is stale.
pub(crate) const STALE_AFTER: Duration = Duration::from_secs(15);

/// How many of the latest-started answers count. The fastest of them speaks, so that one
/// slow answer alone does not make a processor slow, and one fast answer makes it fast.
const SAMPLES: usize = 3;

/// The latencies of one processor's attempts.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    /// Attempts without an answer, by their order of starting.
    flights: BTreeMap<u64, Instant>,
    /// The latest-started answers, in that order.
    samples: Vec<Sample>,
    reported: Option<Reported>,
    started: u64,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    flight: u64,
    /// Of this instant the latency speaks: a processor may have become faster since.
    started: Instant,
    latency: Duration,
    at: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Reported {
    latency: Duration,
    at: Instant,
    /// The last attempt that was started before, if one was in flight.
    outdates: u64,
}

impl Latency {
    /// Notes that an attempt starts; the number tells it from the others.
    pub(crate) fn start(&mut self, now: Instant) -> u64 {
        self.started += 1;
        self.flights.insert(self.started, now);
        self.started
    }

    /// Notes an answer, and returns how long it took.
    pub(crate) fn answer(&mut self, flight: u64, now: Instant) -> Duration {
        let Some(started) = self.flights.remove(&flight) else {
            return Duration::ZERO;
        };
        let latency = now.duration_since(started);
        let place = self
            .samples
            .partition_point(|sample| sample.flight < flight);
        self.samples.insert(
            place,
            Sample {
                flight,
                started,
                latency,
                at: now,
            },
        );
        if self.samples.len() > SAMPLES {
            self.samples.remove(0);
        }
        latency
    }

    /// Notes that an attempt ended without saying anything about the latency.
    pub(crate) fn forget(&mut self, flight: u64) {
        self.flights.remove(&flight);
    }

    /// Notes what the leader was told.
    pub(crate) fn report(&mut self, latency: Duration, at: Instant) {
        let before = self
            .flights
            .iter()
            .rev()
            .find(|(_, started)| **started < at);
        self.reported = Some(Reported {
            latency,
            at,
            outdates: before.map_or(0, |(flight, _)| *flight),
        });
    }

    /// What an attempt started now is expected to take: the newest that is known, however
    /// old; zero when nothing is. A measure is as old as the start of its attempt.
    pub(crate) fn expected(&self, now: Instant) -> Duration {
        let measured = self.samples.iter().map(|sample| sample.latency).min();
        let measured_of = self.samples.last().map(|sample| sample.started);
        let reported = self
            .reported
            .filter(|reported| measured_of.is_none_or(|started| started < reported.at))
            .map(|reported| reported.latency);
        reported
            .or(measured)
            .unwrap_or(Duration::ZERO)
            .max(self.waiting(now))
    }

    /// When what is known will be stale.
    pub(crate) fn stale_at(&self) -> Option<Instant> {
        let reported_at = self.reported.map(|reported| reported.at);
        self.measured_at()
            .max(reported_at)
            .map(|at| at + STALE_AFTER)
    }

    fn measured_at(&self) -> Option<Instant> {
        self.samples.iter().map(|sample| sample.at).max()
    }

    /// How long the oldest attempt has waited that is not old news: a lower bound that shows
    /// slowness before anything returns.
    fn waiting(&self, now: Instant) -> Duration {
        self.waiting_since()
            .map_or(Duration::ZERO, |started| now.duration_since(started))
    }

    /// Since when the oldest attempt has waited that nothing started later has overtaken,
    /// whatever was reported since.
    pub(crate) fn unanswered_since(&self) -> Option<Instant> {
        let newest_answered = self.samples.last().map_or(0, |sample| sample.flight);
        let mut flights = self.flights.range(newest_answered + 1..);
        flights.next().map(|(_, started)| *started)
    }

    /// Since when the oldest attempt has waited that nothing started later has overtaken, and
    /// after which no report was made. One that was overtaken is a straggler and says nothing
    /// about the others; one from before the last report says how fast it was, not is.
    pub(crate) fn waiting_since(&self) -> Option<Instant> {
        let newest_answered = self.samples.last().map_or(0, |sample| sample.flight);
        let outdated = self.reported.map_or(0, |reported| reported.outdates);
        self.flights
            .range(newest_answered.max(outdated) + 1..)
            .next()
            .map(|(_, started)| *started)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_unanswered_attempt_shows_slowness_before_it_returns() {
        let start = Instant::now();
        let mut latency = Latency::default();
        latency.start(start);
        assert_eq!(latency.expected(start + 2 * SECOND), 2 * SECOND);
    }

    #[test]
    fn a_straggler_does_not_show_slowness() {
        let start = Instant::now();
        let mut latency = Latency::default();
        latency.start(start);
        let second = latency.start(start);
        latency.answer(second, start + SECOND / 100);
        assert_eq!(latency.expected(start + 2 * SECOND), SECOND / 100);
    }

    #[test]
    fn one_fast_answer_is_enough_and_a_late_slow_one_changes_nothing() {
        let start = Instant::now();
        let mut latency = Latency::default();
        let slow: Vec<u64> = (0..4).map(|_| latency.start(start)).collect();
        let later = start + 4 * SECOND;
        for flight in &slow[..3] {
            latency.answer(*flight, later);
        }
        assert_eq!(latency.expected(later), 4 * SECOND);
        let fast = latency.start(later);
        latency.answer(fast, later + SECOND / 50);
        assert_eq!(latency.expected(later + SECOND / 50), SECOND / 50);
        latency.answer(slow[3], later + SECOND);
        assert_eq!(latency.expected(later + SECOND), SECOND / 50);
    }

    #[test]
    fn attempts_from_before_a_report_do_not_contradict_it() {
        let start = Instant::now();
        let mut latency = Latency::default();
        let slow = latency.start(start);
        let slower = latency.start(start);
        let asked = start + 2 * SECOND;
        assert_eq!(latency.expected(asked), 2 * SECOND);
        latency.report(SECOND / 10, asked);
        assert_eq!(latency.expected(asked), SECOND / 10);
        assert_eq!(latency.waiting_since(), None);
        latency.answer(slow, start + 4 * SECOND);
        assert_eq!(latency.expected(start + 4 * SECOND), SECOND / 10);
        let later = latency.start(start + 4 * SECOND);
        assert_eq!(latency.expected(start + 6 * SECOND), 2 * SECOND);
        latency.answer(later, start + 7 * SECOND);
        latency.answer(slower, start + 8 * SECOND);
        assert_eq!(latency.expected(start + 8 * SECOND), 3 * SECOND);
    }

    #[test]
    fn the_newer_of_report_and_measure_counts() {
        let start = Instant::now();
        let mut latency = Latency::default();
        let flight = latency.start(start);
        latency.answer(flight, start + SECOND / 10);
        latency.report(3 * SECOND, start + SECOND);
        assert_eq!(latency.expected(start + SECOND), 3 * SECOND);
        let flight = latency.start(start + SECOND);
        latency.answer(flight, start + SECOND + SECOND / 5);
        assert_eq!(latency.expected(start + 2 * SECOND), SECOND / 10);
        let stale_at = start + SECOND + SECOND / 5 + STALE_AFTER;
        assert_eq!(latency.stale_at(), Some(stale_at));
    }
}
