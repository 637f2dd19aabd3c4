//! A scenario of our own: both processors change at random, and fail together at the end.

use std::time::Duration;

use fastrand::Rng;
use feeway_stack::simulators::{Setting, fails, works};

use super::restless::restless;
use super::scenario::{Audit, Load, Scenario, Stage};
use super::score::Fee;

const SECONDS: u32 = 120;

/// When the last outage begins, and when it heals: after the users have left.
const OUTAGE_MS: u32 = (SECONDS - 8) * 1000;
const HEALED_MS: u32 = (SECONDS + 5) * 1000;

/// How many settings of a hundred fail, and how many of the others are quick, or too slow to
/// be waited for.
const FAILING: u32 = 35;
const QUICK: u32 = 60;
const SLOW: u32 = 10;

/// The storm of a seed.
pub(super) fn storm(seed: u64) -> Scenario {
    Scenario {
        name: "storm",
        seconds: SECONDS,
        load: Load::Users(550),
        amount_cents: 1990,
        fees: [Fee::percent(5), Fee::percent(15)],
        audit: Some(Audit {
            every: Duration::from_secs(1),
            from: Duration::from_secs(15),
            to: Duration::from_secs(2),
            lasting_only: true,
        }),
        stages: stages(seed),
        settle_for: Duration::from_secs(90),
        patience: None,
        max_latency: None,
    }
}

fn stages(seed: u64) -> Vec<Stage> {
    let mut dice = Rng::with_seed(seed);
    let mut stages = restless(&mut dice, OUTAGE_MS, draw);
    let delays = [0; 2].map(|_: u32| dice.u32(0..2_000));
    stages.push(Stage {
        at_ms: OUTAGE_MS,
        settings: delays.map(fails),
    });
    stages.push(Stage {
        at_ms: HEALED_MS,
        settings: [works(0); 2],
    });
    stages
}

fn draw(dice: &mut Rng) -> Setting {
    let failing = dice.u32(0..100) < FAILING;
    let delay_ms = match dice.u32(0..100) {
        quick if quick < QUICK => dice.u32(0..=100),
        rest if rest < 100 - SLOW => dice.u32(100..=1_000),
        _ => dice.u32(1_500..=5_000),
    };
    if failing {
        fails(delay_ms)
    } else {
        works(delay_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_storm_and_another_one_a_different() {
        assert_eq!(stages(1), stages(1));
        assert_ne!(stages(1), stages(2));
    }

    #[test]
    fn every_storm_moves_and_ends_in_an_outage_that_heals() {
        for seed in 0..100 {
            let stages = stages(seed);
            assert_eq!(stages[0].at_ms, 0);
            assert!(stages.is_sorted_by(|one, other| one.at_ms <= other.at_ms));
            assert!(stages.len() > 20, "seed {seed} has {} stages", stages.len());
            let [.., outage, healed] = &*stages else {
                panic!("too few stages");
            };
            assert!(outage.settings.iter().all(|setting| setting.failing));
            assert_eq!(outage.at_ms, OUTAGE_MS);
            assert_eq!((healed.at_ms, healed.settings), (HEALED_MS, [works(0); 2]));
        }
    }
}
