//! The question for health, once: processors allow one in 5 s.

use feeway_processor::{HealthAnswer, read_health};

use crate::check::{Check, Finding};
use crate::wire::Wire;
use crate::words;

pub(crate) async fn health(wire: &Wire) -> Finding {
    let check = Check::Health;
    let answer = wire.health().await;
    let seen = words::answer(&answer);
    let said = answer.as_ref().map_or(HealthAnswer::Unanswered, |seen| {
        read_health(seen.status, seen.body())
    });
    match said {
        HealthAnswer::Report { failing: false, .. } => {
            check.fits(format!("{seen}: works"), "goes by it")
        }
        HealthAnswer::Report { failing: true, .. } => check.tolerated(
            format!("{seen}: fails"),
            "goes by it, unless an attempt has worked since",
        ),
        HealthAnswer::NoEndpoint => check.tolerated(seen, "goes by its attempts alone"),
        HealthAnswer::TooEarly => check.fits(seen, "asks again: somebody else asked just before"),
        HealthAnswer::Unanswered => check.tolerated(seen, "ignores it, and goes by its attempts"),
    }
}
