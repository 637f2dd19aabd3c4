//! What this worker counts and times. The handles are made once, so that counting one
//! payment is a few atomic additions and never a look-up by name.

mod descriptions;
mod unconfigured;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use feeway_domain::{Doubt, Fee, Money, No, Outcome, Processor, Refusal};
use feeway_health::{Board, Condition, Rank};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use tokio::time::Instant;

use self::unconfigured::UnconfiguredMeters;
use crate::bounds::LANES;
use crate::tenure::Tenures;

/// The ways an attempt can end, as they are labelled.
const OUTCOMES: [&str; 11] = [
    "held",
    "unreachable",
    "overloaded",
    "declined",
    "failing",
    "misconfigured",
    "timed_out",
    "reset",
    "unclear",
    "unconfirmed",
    "redirected",
];

/// What is counted and timed.
#[derive(Debug)]
pub struct Meters {
    /// Payments that were accepted.
    pub accepted: Counter,
    /// Payments that were known already.
    pub repeated: Counter,
    /// How long a write into the journal takes.
    pub journal: Histogram,
    /// How long settling takes.
    pub settle: Histogram,
    pub(crate) open: Histogram,
    /// Payments that every processor declined.
    pub rejected: Counter,
    /// Payments that a second processor holds.
    pub conflicts: Counter,
    /// Payments that were settled in a closed hour.
    pub uncounted: Counter,
    /// Owners that were adopted.
    pub adoptions: Counter,
    /// Payments that came with them.
    pub adopted: Counter,
    pub(crate) pinned: Gauge,
    /// By lane.
    pub lanes: Vec<Gauge>,
    queues: Vec<Gauge>,
    in_hand: Gauge,
    open_payments: Gauge,
    clock_offset: Gauge,
    unconfigured: UnconfiguredMeters,
    /// By rank.
    processors: Vec<ProcessorMeters>,
    /// Open payments of all owners in this front's care, as of the last heartbeat.
    last_open: AtomicU64,
    /// In microseconds: this machine's clock less Redis's, and whether it was ever read.
    offset: AtomicI64,
}

#[derive(Debug)]
struct ProcessorMeters {
    settled: Counter,
    cents: Counter,
    fees: CentCounter,
    saved: CentCounter,
    attempts: [Counter; OUTCOMES.len()],
    attempt: Histogram,
    unreadable: Counter,
    misdelivered: Counter,
    impossible_times: Counter,
    in_flight: Gauge,
    breaker_open: Gauge,
    slow: Gauge,
    standing_back: Gauge,
    expected: Gauge,
}

/// Nobody has read Redis's clock yet.
const NO_OFFSET: i64 = i64::MIN;

impl Meters {
    /// Meters of a worker that deals over so many channels.
    pub fn new(processors: &[Processor], channels: usize) -> Self {
        descriptions::describe();
        let dearest = processors.iter().map(|processor| processor.fee).max();
        Self {
            accepted: counter!("feeway_payments_accepted_total"),
            repeated: counter!("feeway_payments_repeated_total"),
            journal: histogram!("feeway_journal_write_duration_seconds"),
            settle: histogram!("feeway_settle_duration_seconds"),
            open: histogram!("feeway_payment_open_duration_seconds"),
            rejected: counter!("feeway_payments_rejected_total"),
            conflicts: counter!("feeway_conflicts_total"),
            uncounted: counter!("feeway_settled_in_closed_books_total"),
            adoptions: counter!("feeway_adoptions_total"),
            adopted: counter!("feeway_payments_adopted_total"),
            pinned: gauge!("feeway_pinned_payments"),
            lanes: (1..=LANES)
                .map(|lane| gauge!("feeway_lane_payments", "lane" => lane.to_string()))
                .collect(),
            queues: (1..=channels)
                .map(|queue| gauge!("feeway_lane_queue_payments", "queue" => queue.to_string()))
                .collect(),
            in_hand: gauge!("feeway_payments_in_hand"),
            open_payments: gauge!("feeway_open_payments"),
            clock_offset: gauge!("feeway_redis_clock_offset_seconds"),
            unconfigured: UnconfiguredMeters::new(processors),
            processors: processors
                .iter()
                .map(|processor| ProcessorMeters::new(processor, dearest))
                .collect(),
            last_open: AtomicU64::new(0),
            offset: AtomicI64::new(NO_OFFSET),
        }
    }

    /// An attempt has ended.
    pub fn attempted(&self, rank: Rank, outcome: Outcome, started: Instant) {
        let meters = &self.processors[rank.index()];
        meters.attempt.record(started.elapsed());
        let place = match outcome {
            Outcome::Held(_) => 0,
            Outcome::NotHeld(No::Unreachable) => 1,
            Outcome::NotHeld(No::Overloaded { .. }) => 2,
            Outcome::NotHeld(No::Declined { .. }) | Outcome::Refused(Refusal::Declined { .. }) => 3,
            Outcome::Refused(Refusal::Failing { .. }) => 4,
            Outcome::NotHeld(No::Misconfigured { .. }) => 5,
            Outcome::Unknown(Doubt::TimedOut) => 6,
            Outcome::Unknown(Doubt::Reset) => 7,
            Outcome::Unknown(Doubt::Unclear) => 8,
            Outcome::Unknown(Doubt::Unconfirmed) => 9,
            Outcome::Unknown(Doubt::Redirected { .. }) => 10,
        };
        meters.attempts[place].increment(1);
    }

    /// What a processor said of a payment cannot be read.
    pub fn unreadable(&self, rank: Rank) {
        self.processors[rank.index()].unreadable.increment(1);
    }

    /// A payment may have been settled by the answer to another one.
    pub fn misdelivered(&self, rank: Rank) {
        self.processors[rank.index()].misdelivered.increment(1);
    }

    /// A processor holds a payment at a time at which it cannot have taken it.
    pub fn impossible_time(&self, rank: Rank) {
        self.processors[rank.index()].impossible_times.increment(1);
    }

    /// A payment is in the ledger now, and was not before.
    pub fn settled(&self, rank: Rank, amount: Money, accepted: Instant) {
        let meters = &self.processors[rank.index()];
        meters.settled.increment(1);
        let cents = u64::try_from(amount.cents()).unwrap_or(0);
        meters.cents.increment(cents);
        meters.fees.add(cents);
        meters.saved.add(cents);
        self.open.record(accepted.elapsed());
    }

    /// So many payments are open in this front's care.
    pub fn set_open(&self, payments: u64) {
        self.last_open.store(payments, Ordering::Relaxed);
    }

    /// This machine's clock is so many microseconds ahead of Redis's.
    pub fn set_clock_offset(&self, micros: i64) {
        self.offset.store(micros, Ordering::Relaxed);
    }

    /// In microseconds; none before the first heartbeat.
    pub fn clock_offset(&self) -> Option<i64> {
        let micros = self.offset.load(Ordering::Relaxed);
        (micros != NO_OFFSET).then_some(micros)
    }

    /// Reads what is true now into the gauges; what changes with every payment is looked at only
    /// when somebody asks.
    pub fn observe(
        &self,
        board: &Board,
        depths: impl Iterator<Item = usize>,
        in_hand: usize,
        tenures: &Tenures,
    ) {
        let now = Instant::now();
        for (rank, processor) in board.ranks().zip(&self.processors) {
            let condition = board.condition(rank, now);
            let flag = |holds: bool| if holds { 1.0 } else { 0.0 };
            processor.in_flight.set(board.in_flight(rank) as f64);
            processor
                .breaker_open
                .set(flag(condition == Condition::Failing));
            processor.slow.set(flag(condition == Condition::Slow));
            processor.standing_back.set(flag(board.stands_back(rank)));
            let expected = board.expected_latency(rank, now);
            processor.expected.set(expected.as_secs_f64());
        }
        for (queue, waiting) in self.queues.iter().zip(depths) {
            queue.set(waiting as f64);
        }
        self.in_hand.set(in_hand as f64);
        self.open_payments.set(self.last_open() as f64);
        let tenures = tenures.all();
        let found = tenures.iter().map(|tenure| tenure.unconfigured());
        self.unconfigured.set(found);
        if let Some(micros) = self.clock_offset() {
            self.clock_offset.set(micros as f64 / 1e6);
        }
    }

    /// Payments that were open at the last heartbeat.
    pub fn last_open(&self) -> u64 {
        self.last_open.load(Ordering::Relaxed)
    }
}

impl ProcessorMeters {
    fn new(processor: &Processor, dearest: Option<Fee>) -> Self {
        let own = processor.fee.millionths();
        let dearest = dearest.map_or(own, Fee::millionths);
        let name = || processor.name.as_str().to_owned();
        Self {
            settled: counter!("feeway_payments_settled_total", "processor" => name()),
            cents: counter!("feeway_settled_cents_total", "processor" => name()),
            fees: CentCounter::new(
                counter!("feeway_fees_cents_total", "processor" => name()),
                own,
            ),
            saved: CentCounter::new(
                counter!("feeway_fees_saved_cents_total", "processor" => name()),
                dearest.saturating_sub(own),
            ),
            attempts: OUTCOMES.map(|outcome| {
                counter!("feeway_attempts_total", "processor" => name(), "outcome" => outcome)
            }),
            attempt: histogram!("feeway_attempt_duration_seconds", "processor" => name()),
            unreadable: counter!("feeway_unreadable_answers_total", "processor" => name()),
            misdelivered: counter!("feeway_misdelivered_answers_total", "processor" => name()),
            impossible_times: counter!("feeway_impossible_times_total", "processor" => name()),
            in_flight: gauge!("feeway_attempts_in_flight", "processor" => name()),
            breaker_open: gauge!("feeway_breaker_open", "processor" => name()),
            slow: gauge!("feeway_processor_slow", "processor" => name()),
            standing_back: gauge!("feeway_standing_back", "processor" => name()),
            expected: gauge!("feeway_processor_expected_latency_seconds", "processor" => name()),
        }
    }
}

/// Counts a share of amounts in whole cents and carries what is less than one: a fee of
/// 99.5 cents on each of two payments is 199 cents.
#[derive(Debug)]
struct CentCounter {
    counter: Counter,
    millionths: u32,
    rest: Mutex<u128>,
}

impl CentCounter {
    fn new(counter: Counter, millionths: u32) -> Self {
        Self {
            counter,
            millionths,
            rest: Mutex::new(0),
        }
    }

    fn add(&self, cents: u64) {
        const WHOLE: u128 = 1_000_000;
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = u128::from(cents) * u128::from(self.millionths) + *rest;
        *rest = sum % WHOLE;
        self.counter
            .increment(u64::try_from(sum / WHOLE).unwrap_or(u64::MAX));
    }
}

/// Counts a payment as pinned until it is dropped.
#[derive(Debug)]
pub(crate) struct Pinned(Gauge);

impl Pinned {
    pub(crate) fn new(meters: &Meters) -> Self {
        meters.pinned.increment(1.0);
        Self(meters.pinned.clone())
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use metrics::CounterFn;

    use super::*;

    #[derive(Default)]
    struct Seen(AtomicU64);

    impl CounterFn for Seen {
        fn increment(&self, value: u64) {
            self.0.fetch_add(value, Ordering::Relaxed);
        }

        fn absolute(&self, _: u64) {}
    }

    #[test]
    fn parts_of_a_cent_are_carried() {
        let seen = Arc::new(Seen::default());
        let fees = CentCounter::new(Counter::from_arc(Arc::clone(&seen)), 50_000);
        for (cents, total) in [(1990, 99), (1990, 199), (999_999_999_999, 50_000_000_198)] {
            fees.add(cents);
            assert_eq!(seen.0.load(Ordering::Relaxed), total);
        }
    }
}
