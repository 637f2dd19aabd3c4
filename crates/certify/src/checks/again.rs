//! The same id again.

use std::time::Duration;

use feeway_domain::{GetAnswer, Money, Outcome, Payment, PostAnswer, RequestedAt};
use feeway_processor::payment_body;
use tokio::time::Instant;

use crate::attempted::{Attempted, now};
use crate::check::{Check, Finding};
use crate::checks::found::drift_micros;
use crate::sight::Sight;
use crate::wire::{Wire, post_answer};
use crate::words;

/// A payment that is held, with the instant at which it was found.
pub(crate) struct Held<'a> {
    pub(crate) first: &'a Attempted,
    pub(crate) found_at: RequestedAt,
}

impl<'a> Held<'a> {
    /// Nothing when the payment was not found, or not with its amount.
    pub(crate) fn of(first: &'a Attempted, sight: &Sight) -> Option<Self> {
        match sight.said {
            GetAnswer::Held {
                amount,
                requested_at,
            } if amount == first.payment.amount => Some(Self {
                first,
                found_at: requested_at,
            }),
            GetAnswer::Held { .. }
            | GetAnswer::Absent
            | GetAnswer::Pending
            | GetAnswer::Unreadable(_)
            | GetAnswer::Unclear
            | GetAnswer::Unreachable => None,
        }
    }
}

/// Posts the payment once more with another stamp, as Feeway does when it does not know what
/// became of an attempt.
pub(crate) async fn duplicate(
    wire: &Wire,
    held: &Held<'_>,
    lag_max: Duration,
) -> (Attempted, Finding) {
    let payment = held.first.payment;
    let again = Attempted::make(wire, payment, false).await;
    let after = Sight::take(wire, payment.id, Instant::now(), lag_max).await;
    let finding = judge(held, &again, &after);
    (again, finding)
}

fn judge(held: &Held<'_>, again: &Attempted, after: &Sight) -> Finding {
    let check = Check::Duplicate;
    let seen = words::posted(&again.answer, &again.said);
    let feeway = words::concluded(&again.outcome);
    match (again.outcome, after.said) {
        (Outcome::NotHeld(_), _) => {
            let feeway = format!("{feeway}: it would be charged twice");
            check.differs(format!("{seen}, of a payment that is held"), feeway)
        }
        (Outcome::Refused(_) | Outcome::Unknown(_), _) => check.differs(seen, feeway),
        (
            Outcome::Held(booked),
            GetAnswer::Held {
                amount,
                requested_at: theirs,
            },
        ) if amount == held.first.payment.amount => {
            let usual_drift = drift_micros(held.first.requested_at, held.found_at);
            if drift_micros(booked, theirs) > usual_drift {
                let seen = format!("{seen}; its books keep the first instant");
                let feeway = "books the instant of the repeat: summaries may differ by payments \
                              that were posted twice";
                return check.tolerated(seen, feeway);
            }
            match again.said {
                PostAnswer::Stored | PostAnswer::Duplicate { .. } => check.fits(seen, feeway),
                PostAnswer::Inconclusive
                | PostAnswer::Failing { .. }
                | PostAnswer::Overloaded { .. }
                | PostAnswer::Declined { .. }
                | PostAnswer::Misconfigured { .. }
                | PostAnswer::Unreachable
                | PostAnswer::Lost(_) => check.tolerated(seen, format!("{feeway}, by a look-up")),
            }
        }
        (Outcome::Held(_), _) => {
            let found = words::looked_up(&after.answer, &after.said);
            check.differs(format!("{seen}; then its look-up: {found}"), feeway)
        }
    }
}

/// Posts the id with a cent more. Feeway never does: its own intake refuses it.
pub(crate) async fn other_amount(wire: &Wire, held: &Held<'_>, lag_max: Duration) -> Finding {
    let check = Check::OtherAmount;
    let Payment { id, amount } = held.first.payment;
    let payment = Payment {
        id,
        amount: neighbour(amount),
    };
    let answer = wire.post(payment_body(&payment, now())).await;
    let said = post_answer(&answer, id);
    let after = Sight::take(wire, id, Instant::now(), lag_max).await;
    let seen = words::posted(&answer, &said);
    match after.said {
        GetAnswer::Held { amount: theirs, .. } if theirs != amount => {
            let seen = format!("{seen}; then it holds {theirs}");
            check.differs(
                seen,
                "goes by the id: its books and the processor's would differ",
            )
        }
        GetAnswer::Held { .. } if said == PostAnswer::Stored => {
            let seen = format!("{seen}; it holds the first amount");
            check.tolerated(seen, "never sends this")
        }
        GetAnswer::Held { .. } => check.fits(seen, "never sends this"),
        GetAnswer::Absent
        | GetAnswer::Pending
        | GetAnswer::Unreadable(_)
        | GetAnswer::Unclear
        | GetAnswer::Unreachable => {
            let found = words::looked_up(&after.answer, &after.said);
            check.cannot_tell(format!("{seen}; then its look-up: {found}"))
        }
    }
}

fn neighbour(amount: Money) -> Money {
    let cents = amount.cents();
    Money::from_cents(cents + 1)
        .or(Money::from_cents(cents - 1))
        .expect("only the largest amount has none above it")
}
