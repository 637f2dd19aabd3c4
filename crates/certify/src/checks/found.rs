//! What look-ups say of a payment that is held.

use std::time::Duration;

use feeway_domain::{GetAnswer, RequestedAt};
use tokio::time::sleep;

use crate::attempted::Attempted;
use crate::check::{Check, Finding};
use crate::sight::Sight;
use crate::wire::{Wire, look_up_answer};
use crate::words;

/// Instants that are further off are taken for impossible.
const SLIP_MICROS: u64 = 2_000_000;

/// How often a payment that was found is looked up again, and how far apart.
const LOOK_UPS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(50);

const NOTHING_HELD: &str = "no payment was found";

/// How far the instant in the processor's books is from the one that was sent.
pub(crate) fn drift_micros(ours: RequestedAt, theirs: RequestedAt) -> u64 {
    ours.micros().abs_diff(theirs.micros())
}

pub(crate) fn look_up(first: &Attempted, sight: &Sight) -> Finding {
    let check = Check::LookUp;
    let seen = words::looked_up(&sight.answer, &sight.said);
    match sight.said {
        GetAnswer::Held { .. } => check.fits(seen, "believes what look-ups say"),
        GetAnswer::Absent if !first.is_held() => check.cannot_tell(NOTHING_HELD),
        GetAnswer::Absent => {
            let seen = format!("{seen}, for a payment that was answered with yes");
            let feeway = "does not believe its \"not found\": what is refused stays pinned";
            check.differs(seen, feeway)
        }
        GetAnswer::Pending => check.differs(seen, "neither books the payment nor releases it"),
        GetAnswer::Unreadable(_) => {
            let feeway = "logs an error for each payment that needs a look-up; it stays open";
            check.differs(seen, feeway)
        }
        GetAnswer::Unclear | GetAnswer::Unreachable => check.differs(
            seen,
            "learns nothing: what is not answered clearly stays pinned",
        ),
    }
}

pub(crate) fn lag(sight: &Sight, is_held: bool, limits: [Duration; 2]) -> Finding {
    let [absence_after, lag_max] = limits;
    let check = Check::Lag;
    let Some(lag) = sight.lag() else {
        if !is_held || sight.said != GetAnswer::Absent {
            return check.cannot_tell(NOTHING_HELD);
        }
        let seen = format!("not found for {}", words::time(lag_max));
        return check.differs(
            seen,
            "would count what is held as absent, and charge it elsewhere",
        );
    };
    let after = words::time(absence_after);
    if lag.is_zero() {
        return check.fits(
            "found at once",
            format!("waits {after} before it believes \"not found\""),
        );
    }
    let seen = format!("found after {}", words::time(lag));
    if lag < absence_after {
        return check.fits(
            seen,
            format!("waits {after} before it believes \"not found\""),
        );
    }
    let feeway =
        format!("waits only {after}, and would charge it elsewhere: raise --absence-after");
    check.differs(seen, feeway)
}

pub(crate) fn amount(first: &Attempted, sight: &Sight) -> Finding {
    let check = Check::Amount;
    let GetAnswer::Held { amount, .. } = sight.said else {
        return check.cannot_tell(NOTHING_HELD);
    };
    let ours = first.payment.amount;
    if amount == ours {
        return check.fits(format!("{ours}, as posted"), "books it");
    }
    let seen = format!("{amount} instead of {ours}");
    check.differs(seen, "does not accept it as its payment: it stays pinned")
}

pub(crate) fn requested_at(first: &Attempted, sight: &Sight) -> Finding {
    let check = Check::RequestedAt;
    let GetAnswer::Held { requested_at, .. } = sight.said else {
        return check.cannot_tell(NOTHING_HELD);
    };
    let drift = drift_micros(first.requested_at, requested_at);
    if drift == 0 {
        return check.fits("to the microsecond", "books the same instant");
    }
    let seen = format!("{} off", words::time(Duration::from_micros(drift)));
    if drift <= SLIP_MICROS {
        let feeway =
            "books its own or the processor's: summaries may differ at the ends of a window";
        return check.tolerated(seen, feeway);
    }
    check.differs(seen, "does not believe it, and looks it up again")
}

/// Every look-up has to find what one has found: copies of the books may lag differently.
pub(crate) async fn steady(wire: &Wire, first: &Attempted, sight: &Sight) -> Finding {
    let check = Check::Steady;
    if !sight.is_found() {
        return check.cannot_tell(NOTHING_HELD);
    }
    let id = first.payment.id;
    for number in 1..=LOOK_UPS {
        sleep(PAUSE).await;
        let answer = wire.look_up(&id.to_string()).await;
        let said = look_up_answer(&answer, id);
        if said != sight.said {
            let what = match said {
                GetAnswer::Held { .. } => "another amount or instant".to_owned(),
                GetAnswer::Absent
                | GetAnswer::Pending
                | GetAnswer::Unreadable(_)
                | GetAnswer::Unclear
                | GetAnswer::Unreachable => words::looked_up(&answer, &said),
            };
            let seen = format!("look-up {number} after it was found: {what}");
            return check.differs(
                seen,
                "may count what is held as absent, and charge it elsewhere",
            );
        }
    }
    check.fits(
        format!("the same {LOOK_UPS} times"),
        "believes each of them",
    )
}
