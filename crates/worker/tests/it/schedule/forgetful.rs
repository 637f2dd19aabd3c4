//! What happens around a store that forgets.

use std::time::Duration;

use super::{Fault, Order, Planned, moment, order, secs};
use crate::scripted_processor::Mood;

/// What happens around a store that forgets, and only there: it forgets again while the fronts
/// are still repeating, and some front is paused, dies or is told to stop a moment before or after.
pub(super) fn forgets(seed: u64, faults: &[Planned]) -> Vec<Planned> {
    // Draws of its own, so that no schedule changes otherwise.
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x0f06_0e75);
    let mut more = Vec::new();
    let near = |rng: &mut fastrand::Rng, at: Duration, ms: u64| {
        (at + Duration::from_millis(rng.u64(..2 * ms))).saturating_sub(Duration::from_millis(ms))
    };
    let drawn = faults
        .iter()
        .filter(|planned| planned.fault == Fault::StoreForgets);
    let mut moments: Vec<Duration> = drawn.map(|planned| planned.at).collect();
    if rng.u8(..4) == 0 {
        let at = moment(&mut rng);
        moments.push(at);
        more.push(forget(at));
    }
    for at in moments {
        for _ in 0..[0, 0, 1, 1, 2][rng.usize(..5)] {
            let longest = [500, 2_000, 8_000][rng.usize(..3)];
            more.push(forget(at + Duration::from_millis(rng.u64(..longest))));
        }
        for _ in 0..[0, 1, 1, 2][rng.usize(..4)] {
            let (front, longest) = (rng.usize(..2), [2, 4, 12][rng.usize(..3)]);
            let fault = match rng.u8(..6) {
                0 => Fault::FrontCrashes(front),
                1 | 2 => Fault::FrontLeaves(front),
                _ => Fault::FrontPauses(front),
            };
            more.push(Planned {
                at: near(&mut rng, at, 4_000),
                lasts: secs(&mut rng, longest),
                fault,
            });
        }
        if rng.u8(..4) == 0 {
            more.extend(newcomer_forgotten(&mut rng, at));
        }
    }
    more
}

/// A front starts just before the store forgets, so that its enlistment is forgotten as well, and
/// pauses before it can repeat anything. What it has sent somewhere would go elsewhere now.
fn newcomer_forgotten(rng: &mut fastrand::Rng, at: Duration) -> [Planned; 3] {
    let front = rng.usize(..2);
    let lived = Duration::from_millis(rng.u64(300..950));
    let was_down = Duration::from_millis(rng.u64(100..1_500));
    [
        Planned {
            at: at.saturating_sub(lived + was_down),
            lasts: was_down,
            fault: Fault::FrontCrashes(front),
        },
        Planned {
            at: at.saturating_sub(Duration::from_millis(rng.u64(1..50))),
            lasts: secs(rng, 6),
            fault: Fault::FrontPauses(front),
        },
        Planned {
            at,
            lasts: secs(rng, 10),
            fault: Fault::Processor(0, Mood::Refusing),
        },
    ]
}

fn forget(at: Duration) -> Planned {
    Planned {
        at,
        lasts: Duration::ZERO,
        fault: Fault::StoreForgets,
    }
}

/// Payments that are posted just before the store forgets, and again after that, and some of the
/// others again.
pub(super) fn repeats(seed: u64, orders: &mut Vec<Order>, faults: &[Planned]) {
    // Draws of its own, so that no schedule changes otherwise.
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x04ec_0a75);
    let again = |rng: &mut fastrand::Rng| {
        let longest = [300, 2_000, 10_000][rng.usize(..3)];
        Some(Duration::from_millis(rng.u64(..longest)))
    };
    for order in orders.iter_mut().filter(|order| order.hangs_up.is_none()) {
        if rng.u8(..10) == 0 {
            order.again = again(&mut rng);
        }
    }
    let forgets = faults
        .iter()
        .filter(|planned| planned.fault == Fault::StoreForgets);
    for forgets in forgets {
        for _ in 0..rng.usize(..4) {
            let mut order = order(&mut rng);
            order.at = forgets
                .at
                .saturating_sub(Duration::from_millis(rng.u64(..900)));
            if order.hangs_up.is_none() {
                order.again = again(&mut rng);
            }
            orders.push(order);
        }
    }
}
