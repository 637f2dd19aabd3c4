//! Settings that change at random: each processor takes a new one every 1 to 10 s.

use fastrand::Rng;
use feeway_stack::simulators::{Setting, works};

use super::scenario::Stage;

/// A setting lasts between these.
const SHORTEST_MS: u32 = 1_000;
const LONGEST_MS: u32 = 10_000;

/// The stages before `end_ms`. Both processors begin by working without delay; `draw` says
/// what comes then.
pub(super) fn restless(
    dice: &mut Rng,
    end_ms: u32,
    draw: impl Fn(&mut Rng) -> Setting,
) -> Vec<Stage> {
    let mut settings = [works(0); 2];
    let mut until = [0; 2].map(|_: u32| dice.u32(SHORTEST_MS..=LONGEST_MS));
    let mut stages = vec![Stage { at_ms: 0, settings }];
    loop {
        let processor = usize::from(until[1] < until[0]);
        let at_ms = until[processor];
        if at_ms >= end_ms {
            return stages;
        }
        settings[processor] = draw(dice);
        until[processor] += dice.u32(SHORTEST_MS..=LONGEST_MS);
        stages.push(Stage { at_ms, settings });
    }
}
