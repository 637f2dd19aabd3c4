//! What a router that knows the future would have earned.
//!
//! The processor that a payment goes to decides its fee, and waiting costs nothing, so the
//! most is earned by having as many payments as can be on the cheapest processor and the rest
//! on the other.
//!
//! A payment sent to a processor at `s`, while its delay is `d`, is stored at `s + d`, unless
//! the processor fails at that moment. Until then it holds one of 800 permits: at most `800/d`
//! payments flow. A start is wasteful if a later one would be stored no later, since that one
//! holds its permit for a part of the same time only. Without wasteful starts payments are
//! stored in the order in which they are sent, and then nobody can have more of them stored by
//! the end than whoever sends as many as the permits allow as soon as they have arrived. That
//! is the simulation below, in steps of 10 ms.
//!
//! What the cheapest does not hold by the end is sent to the other one in the same way. It is
//! the latest arrivals that are left, which is not always the best choice of those, so where
//! the other processor is what limits, the oracle is a lower bound.

use std::collections::VecDeque;
use std::time::Duration;

use super::arrivals::{TICK_MS, arrivals};
use super::scenario::Scenario;
use super::score::Profit;

/// A processor works on so many payments at a time.
pub(super) const PERMITS: u64 = 800;

/// And stores no more than this in a second, without any delay.
pub(super) const STORED_A_SECOND: u64 = 3_360;

/// Where payments would have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outlook {
    /// In the order of fees.
    pub(super) counts: [u64; 2],
    /// Settled nowhere by the end.
    pub(super) lost: u64,
}

impl Outlook {
    pub(super) fn profit(&self, scenario: &Scenario) -> Profit {
        Profit::of(self.counts, scenario.amount_cents, scenario.fees)
    }
}

/// The best that can be made of so many payments.
pub(super) fn oracle(scenario: &Scenario, count: u64) -> Outlook {
    let mut waiting = arrivals(scenario, count);
    let counts = [0, 1].map(|processor| {
        let stored = store_most(scenario, processor, &waiting);
        drop_oldest(&mut waiting, stored);
        stored
    });
    Outlook {
        counts,
        lost: count - counts.iter().sum::<u64>(),
    }
}

/// The end of a run, in ticks.
pub(super) fn end_tick(scenario: &Scenario) -> u64 {
    let load = Duration::from_secs(scenario.seconds.into());
    let end_ms = (load + scenario.settle_for).as_millis() as u64;
    end_ms / TICK_MS
}

/// How many payments a processor may be sent in a tick, apart from its permits.
#[derive(Default)]
pub(super) struct Pace {
    /// In hundredths of a payment, since a tick is a hundredth of a second.
    credit: u64,
}

impl Pace {
    pub(super) fn tick(&mut self) {
        const { assert!(TICK_MS == 10) };
        self.credit = (self.credit + STORED_A_SECOND).min(2 * STORED_A_SECOND);
    }

    /// As many of `wanted` as the pace allows.
    pub(super) fn take(&mut self, wanted: u64) -> u64 {
        let taken = wanted.min(self.credit / 100);
        self.credit -= taken * 100;
        taken
    }
}

/// When what is sent in each tick is stored, where that is worth while.
fn worthy_starts(scenario: &Scenario, processor: usize) -> Vec<Option<u64>> {
    let end = end_tick(scenario);
    let mut soonest = u64::MAX;
    let mut starts: Vec<Option<u64>> = (0..end)
        .rev()
        .map(|tick| {
            let delay = scenario.setting(processor, tick * TICK_MS).delay_ms;
            let stored = tick + u64::from(delay).div_ceil(TICK_MS);
            let fails = scenario.setting(processor, stored * TICK_MS).failing;
            let worthy = !fails && stored <= end && stored < soonest;
            worthy.then(|| {
                soonest = stored;
                stored
            })
        })
        .collect();
    starts.reverse();
    starts
}

fn store_most(scenario: &Scenario, processor: usize, arrivals: &[u64]) -> u64 {
    let mut inside: VecDeque<(u64, u64)> = VecDeque::new();
    let (mut held, mut waiting, mut stored) = (0, 0, 0);
    let mut pace = Pace::default();
    for (tick, start) in (0..).zip(worthy_starts(scenario, processor)) {
        pace.tick();
        waiting += usize::try_from(tick)
            .ok()
            .and_then(|tick| arrivals.get(tick))
            .copied()
            .unwrap_or(0);
        while let Some((_, count)) = inside.pop_front_if(|(until, _)| *until <= tick) {
            held -= count;
        }
        let Some(until) = start else { continue };
        let sent = pace.take(waiting.min(PERMITS - held));
        waiting -= sent;
        stored += sent;
        if until > tick && sent > 0 {
            inside.push_back((until, sent));
            held += sent;
        }
    }
    stored
}

fn drop_oldest(arrivals: &mut [u64], mut count: u64) {
    for arrived in arrivals {
        let dropped = count.min(*arrived);
        *arrived -= dropped;
        count -= dropped;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Load, Stage};
    use feeway_stack::simulators::{Setting, fails, works};

    const COUNT: u64 = 90_600;

    fn steady(stages: &[(u32, Setting, Setting)]) -> Scenario {
        let stage = |(at_ms, default, fallback): &(u32, Setting, Setting)| Stage {
            at_ms: *at_ms,
            settings: [*default, *fallback],
        };
        Scenario {
            seconds: 10,
            load: Load::PerSecond(500),
            stages: stages.iter().map(stage).collect(),
            ..Scenario::finals()
        }
    }

    fn check(stages: &[(u32, Setting, Setting)], expected: [u64; 2], lost: u64) {
        let outlook = oracle(&steady(stages), 5000);
        let near = |found: u64, expected: u64| found.abs_diff(expected) <= 20;
        assert!(
            near(outlook.counts[0], expected[0])
                && near(outlook.counts[1], expected[1])
                && near(outlook.lost, lost),
            "{stages:?}: {outlook:?}"
        );
    }

    #[test]
    fn all_goes_to_the_cheapest_that_works() {
        check(&[(0, works(0), works(0))], [5000, 0], 0);
    }

    #[test]
    fn a_failing_one_is_waited_for() {
        let healed = [(0, fails(0), works(0)), (8000, works(0), works(0))];
        check(&healed, [5000, 0], 0);
        let never = [(0, works(0), works(0)), (8000, fails(0), works(0))];
        check(&never, [4000, 1000], 0);
    }

    #[test]
    fn a_slow_one_takes_as_many_as_it_has_permits_for() {
        // 400 a second for the 8 s that leave time for the delay.
        check(&[(0, works(2000), works(0))], [3200, 1800], 0);
        check(&[(0, works(20_000), works(0))], [0, 5000], 0);
    }

    #[test]
    fn what_is_sent_before_a_failure_is_not_stored_in_it() {
        let stages = [(0, works(1000), works(0)), (5000, fails(1000), works(0))];
        check(&stages, [2000, 3000], 0);
    }

    #[test]
    fn nobody_sends_before_a_recovery_that_is_sooner_than_the_answer() {
        let stages = [(0, works(5000), fails(0)), (1000, works(0), fails(0))];
        check(&stages, [5000, 0], 0);
    }

    #[test]
    fn a_payment_that_no_processor_takes_is_lost() {
        let stages = [(0, works(0), works(0)), (8000, fails(0), fails(0))];
        check(&stages, [4000, 0], 1000);
    }

    #[test]
    fn knowing_the_future_earns_no_less_than_the_calibrated_simulation() {
        let scenario = Scenario::finals();
        let outlook = oracle(&scenario, COUNT);
        assert_eq!(outlook.lost, 0);
        assert!(outlook.counts[0] > 74_112, "{outlook:?}");
        let all = Profit::of([COUNT, 0], scenario.amount_cents, scenario.fees);
        assert!(outlook.profit(&scenario) < all);
        let calibrated = Profit::of(
            [74_112, COUNT - 74_112],
            scenario.amount_cents,
            scenario.fees,
        );
        assert!(outlook.profit(&scenario) > calibrated);
    }

    #[test]
    fn in_the_preview_all_could_be_on_the_cheapest() {
        let outlook = oracle(&Scenario::preview(), 16_600);
        assert_eq!((outlook.counts, outlook.lost), ([16_600, 0], 0));
    }
}
