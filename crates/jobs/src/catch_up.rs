//! How fast what waited for a processor is sent once it works again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::bounds::LANES;

/// Payments a second and front that may always be sent: small backlogs end soon, and with
/// them the tail of a large one, which else would never come to its end.
const LEAST_RATE: f64 = 500.0;

/// Of what came in lately, so that new payments never keep a backlog alive.
const ARRIVALS: f64 = 2.0;

/// A lane looks again after this at the soonest: what is sent together costs fewer wake-ups.
const TICK: Duration = Duration::from_millis(5);

/// The speed at which one front catches up: each second it sends the part of its backlog
/// that a second is of `over`, on top of what comes in. At full speed the backlog would have
/// the journal and the processors to itself, and new payments would wait for their 202.
#[derive(Debug)]
pub struct CatchUp {
    over: Duration,
    /// Payments that were accepted, ever.
    arrived: AtomicU64,
    /// Payments accepted per second between the last two heartbeats.
    arrival_rate: AtomicU64,
}

impl CatchUp {
    /// Without a time to spread it over, a backlog is sent as fast as it goes.
    pub fn new(over: Duration) -> Self {
        Self {
            over,
            arrived: AtomicU64::new(0),
            arrival_rate: AtomicU64::new(0),
        }
    }

    /// A payment was accepted.
    pub fn arrived(&self) {
        self.arrived.fetch_add(1, Ordering::Relaxed);
    }

    /// Payments that were accepted, ever.
    pub fn arrivals(&self) -> u64 {
        self.arrived.load(Ordering::Relaxed)
    }

    /// So many payments were accepted in this time.
    pub fn set_arrival_rate(&self, payments: u64, time: Duration) {
        let rate = payments as f64 / time.max(TICK).as_secs_f64();
        self.arrival_rate.store(rate as u64, Ordering::Relaxed);
    }

    /// Payments a second that one lane may send of this front's backlog.
    fn rate(&self, backlog: u64) -> f64 {
        let arrivals = self.arrival_rate.load(Ordering::Relaxed) as f64;
        let waiting = backlog as f64 / self.over.as_secs_f64();
        (LEAST_RATE + ARRIVALS * arrivals + waiting) / LANES as f64
    }
}

/// What one lane may send now of what waited.
#[derive(Debug)]
pub struct Allowance {
    /// In payments; not money, so it may be a fraction.
    credit: f64,
    counted_at: Instant,
}

impl Default for Allowance {
    /// With one payment that may go at once.
    fn default() -> Self {
        Self {
            credit: 1.0,
            counted_at: Instant::now(),
        }
    }
}

impl Allowance {
    /// Nothing when one more may go now, else when to ask again.
    pub fn next(
        &mut self,
        catch_up: &CatchUp,
        backlog: impl FnOnce() -> u64,
        now: Instant,
    ) -> Option<Instant> {
        if catch_up.over.is_zero() || self.credit >= 1.0 {
            return None;
        }
        let rate = catch_up.rate(backlog());
        let passed = now.saturating_duration_since(self.counted_at);
        self.counted_at = now;
        // What was not used long ago is no excuse for a burst.
        let most = (rate * 2.0 * TICK.as_secs_f64()).max(1.0);
        self.credit = (self.credit + rate * passed.as_secs_f64()).min(most);
        if self.credit >= 1.0 {
            return None;
        }
        let missing = Duration::from_secs_f64((1.0 - self.credit) / rate);
        Some(now + missing.max(TICK))
    }

    /// One went.
    pub fn spend(&mut self) {
        self.credit -= 1.0;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// One lane's share of a front's backlog that is worked off for so long: payments sent.
    async fn sent(catch_up: &CatchUp, backlog: &mut f64, time: Duration) -> f64 {
        let mut allowance = Allowance::default();
        let (until, mut sent) = (Instant::now() + time, 0.0);
        while Instant::now() < until {
            let now = Instant::now();
            match allowance.next(catch_up, || *backlog as u64, now) {
                None => {
                    allowance.spend();
                    sent += 1.0;
                    *backlog = (*backlog - LANES as f64).max(0.0);
                }
                Some(next) => advance(next - now).await,
            }
        }
        sent
    }

    #[tokio::test(start_paused = true)]
    async fn a_backlog_goes_in_parts_of_itself_and_its_tail_at_the_least_rate() {
        let catch_up = CatchUp::new(2 * SECOND);
        let mut backlog = 10_000.0;
        // Its e-th part is left after two seconds, less what the least rate adds.
        sent(&catch_up, &mut backlog, 2 * SECOND).await;
        assert!((2_500.0..=3_679.0).contains(&backlog), "{backlog}");
        sent(&catch_up, &mut backlog, 5 * SECOND).await;
        assert_eq!(backlog, 0.0);
    }

    #[tokio::test(start_paused = true)]
    async fn new_payments_are_added_to_the_rate() {
        let catch_up = CatchUp::new(2 * SECOND);
        catch_up.set_arrival_rate(40_000, 10 * SECOND);
        let share = sent(&catch_up, &mut 0.0, SECOND).await;
        let expected = (LEAST_RATE + ARRIVALS * 4_000.0) / LANES as f64;
        assert!((share - expected).abs() <= 0.02 * expected, "{share}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_outage_does_not_raise_the_rate() {
        let catch_up = CatchUp::new(2 * SECOND);
        let mut allowance = Allowance::default();
        advance(60 * SECOND).await;
        let now = Instant::now();
        let mut at_once = 0;
        while allowance.next(&catch_up, || 4_000, now).is_none() {
            allowance.spend();
            at_once += 1;
        }
        // 2 500 a second of four lanes, in twice a tick of 5 ms; and the one it began with.
        assert!((6..=7).contains(&at_once), "{at_once}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_time_all_goes_at_once() {
        let catch_up = CatchUp::new(Duration::ZERO);
        let mut allowance = Allowance::default();
        for _ in 0..100_000 {
            assert_eq!(allowance.next(&catch_up, || 4_000, Instant::now()), None);
            allowance.spend();
        }
    }
}
