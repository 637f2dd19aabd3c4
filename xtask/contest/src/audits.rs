//! A scenario of our own: the books are compared every second while payments come evenly and
//! both processors flap, and every difference counts.
//!
//! An audit looks at payments that were sent at least 1.5 s ago. No attempt takes that long:
//! the delay is under 1 s, an attempt that ends in a failure is followed by another with a
//! `requestedAt` of its own, and what fails does so at once. So a processor has stored what it
//! ever will of a window at least half a second before the audit, and Feeway has settled it
//! some milliseconds later.

use std::time::Duration;

use fastrand::Rng;
use feeway_stack::simulators::{Setting, fails, works};

use super::restless::restless;
use super::scenario::{Audit, Load, Scenario, Stage};
use super::score::Fee;

/// How long, unless asked otherwise.
pub(super) const SECONDS: u32 = 300;

/// Payments a second.
const RATE: u32 = 300;

/// The longest delay of a processor that works.
const SLOWEST_MS: u32 = 999;

/// How many settings of a hundred fail, and how many of the others are quick.
const FAILING: u32 = 35;
const QUICK: u32 = 40;

/// Both processors are to be used, though neither is ever slow by the product's own defaults
/// and no failure outlasts its patience.
const PATIENCE: &str = "1s";
const MAX_LATENCY: &str = "500ms";

/// The audits of a seed.
pub(super) fn audits(seed: u64, seconds: u32) -> Scenario {
    Scenario {
        name: "audits",
        seconds,
        load: Load::PerSecond(RATE),
        amount_cents: 1990,
        fees: [Fee::percent(5), Fee::percent(15)],
        audit: Some(Audit {
            every: Duration::from_secs(1),
            from: Duration::from_secs(15),
            to: Duration::from_millis(1500),
            lasting_only: false,
        }),
        stages: stages(seed, seconds * 1000),
        settle_for: Duration::from_secs(60),
        patience: Some(PATIENCE),
        max_latency: Some(MAX_LATENCY),
    }
}

fn stages(seed: u64, end_ms: u32) -> Vec<Stage> {
    let mut stages = restless(&mut Rng::with_seed(seed), end_ms, draw);
    stages.push(Stage {
        at_ms: end_ms,
        settings: [works(0); 2],
    });
    stages
}

fn draw(dice: &mut Rng) -> Setting {
    if dice.u32(0..100) < FAILING {
        fails(0)
    } else if dice.u32(0..100) < QUICK {
        works(dice.u32(0..=100))
    } else {
        works(dice.u32(100..=SLOWEST_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_flap_but_never_take_a_second_and_fail_at_once() {
        for seed in 0..100 {
            let stages = stages(seed, SECONDS * 1000);
            assert!(stages.is_sorted_by(|one, other| one.at_ms <= other.at_ms));
            for processor in 0..2 {
                let settings = stages.iter().map(|stage| stage.settings[processor]);
                assert!(settings.clone().all(|setting| setting.delay_ms < 1000));
                let failing = settings.clone().filter(|setting| setting.failing);
                assert!(failing.clone().all(|setting| setting.delay_ms == 0));
                let changes = stages
                    .array_windows()
                    .filter(|[one, next]| {
                        one.settings[processor].failing != next.settings[processor].failing
                    })
                    .count();
                assert!(changes >= 10, "seed {seed}: {changes} flips");
            }
            let healed = stages.last().copied();
            assert_eq!(
                healed,
                Some(Stage {
                    at_ms: SECONDS * 1000,
                    settings: [works(0); 2]
                })
            );
        }
    }
}
