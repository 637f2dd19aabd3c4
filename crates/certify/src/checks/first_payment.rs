//! The first payment: what is said to it, and how fast.

use std::time::Duration;

use feeway_domain::{Outcome, PostAnswer};

use crate::attempted::Attempted;
use crate::check::{Check, Finding};
use crate::sight::Sight;
use crate::wire::Fault;
use crate::words;

pub(crate) fn post(first: &Attempted, sight: &Sight, lag_max: Duration) -> Finding {
    let check = Check::Post;
    let seen = words::posted(&first.answer, &first.said);
    let feeway = words::concluded(&first.outcome);
    if first.said == PostAnswer::Stored {
        return check.fits(seen, feeway);
    }
    let truth = match sight.lag() {
        Some(Duration::ZERO) => "; it is held".to_owned(),
        Some(lag) => format!("; it is held, and found after {}", words::time(lag)),
        None => format!("; not found for {}", words::time(lag_max)),
    };
    let (is_found, seen) = (sight.is_found(), seen + &truth);
    match (first.said, first.outcome) {
        // An answer that promises nothing, and then it is there: look-ups settle each payment.
        (PostAnswer::Inconclusive, _) if is_found => check.tolerated(seen, feeway),
        (PostAnswer::Declined { .. } | PostAnswer::Duplicate { .. }, _) if !is_found => {
            let seen = format!("{seen}; try an --amount that its test mode takes");
            check.rated(crate::Rating::CannotTell, seen, feeway)
        }
        (_, Outcome::NotHeld(_)) if is_found => {
            check.differs(seen, feeway + ": it would be charged twice")
        }
        (_, _) => check.differs(seen, feeway),
    }
}

/// Of all answers to payments, the one that took longest.
pub(crate) fn latency(tried: &[&Attempted], max_latency: Duration) -> Finding {
    let check = Check::Latency;
    if tried
        .iter()
        .any(|one| matches!(one.answer, Err(Fault::TimedOut)))
    {
        let feeway = "pins what is not answered, and sends everything else to other processors";
        return check.differs("a payment was not answered in time", feeway);
    }
    let answered = tried.iter().filter_map(|one| one.answer.as_ref().ok());
    let Some(slowest) = answered.map(|seen| seen.took).max() else {
        return check.cannot_tell("no payment was answered");
    };
    let seen = format!("{} at most", words::time(slowest));
    if slowest <= max_latency {
        return check.fits(seen, "waits for it as long as --patience allows");
    }
    let longer = words::time(max_latency);
    let feeway = format!("counts it as slow (over {longer}) and prefers others that are not");
    check.tolerated(seen, feeway)
}
