//! What is no payment.

use bytes::Bytes;
use feeway_domain::{GetAnswer, Money, PostAnswer};

use crate::attempted::{new_id, now};
use crate::check::{Check, Finding};
use crate::wire::{Wire, look_up_answer, post_answer};
use crate::words;

const TAKES: &str = "never sends this; any client that does is charged";

/// Feeway never sends these. Whoever takes them books what nobody ordered.
pub(crate) async fn malformed(wire: &Wire, amount: Money) -> Finding {
    let check = Check::Malformed;
    let at = now();
    let (mut statuses, mut is_refused) = (Vec::new(), true);
    let mut ids = Vec::new();
    for (what, id, rest) in [
        ("a body that is not JSON", None, String::new()),
        (
            "a payment without an amount",
            None,
            format!(r#","requestedAt":"{at}"}}"#),
        ),
        (
            "an amount in words",
            None,
            format!(r#","amount":"ten","requestedAt":"{at}"}}"#),
        ),
        (
            "a negative amount",
            None,
            format!(r#","amount":-{amount},"requestedAt":"{at}"}}"#),
        ),
        (
            "an id that is not a UUID",
            Some("seven"),
            format!(r#","amount":{amount},"requestedAt":"{at}"}}"#),
        ),
    ] {
        let ours = new_id();
        let id = id.map_or_else(|| ours.to_string(), str::to_owned);
        let body = format!(r#"{{"correlationId":"{id}"{rest}"#);
        let answer = wire.post(Bytes::from(body)).await;
        let said = post_answer(&answer, ours);
        if matches!(said, PostAnswer::Stored | PostAnswer::Inconclusive) {
            let seen = format!("{} to {what}", words::answer(&answer));
            return check.differs(seen, TAKES);
        }
        let status = answer.as_ref().map(|seen| seen.status);
        is_refused &= matches!(status, Ok(400..500));
        statuses.push(words::status(&answer));
        ids.push((what, ours));
    }
    statuses.dedup();
    let seen = statuses.join(", then ");
    for (what, id) in ids {
        let answer = wire.look_up(&id.to_string()).await;
        let said = look_up_answer(&answer, id);
        if matches!(said, GetAnswer::Held { .. }) {
            return check.differs(format!("{seen}; {what} is held"), TAKES);
        }
        if said != GetAnswer::Absent {
            let found = words::looked_up(&answer, &said);
            return check.cannot_tell(format!("{seen}; then a look-up: {found}"));
        }
    }
    let seen = format!("{seen}; none is held");
    if is_refused {
        return check.fits(seen, "never sends this");
    }
    check.tolerated(seen, "never sends this")
}
