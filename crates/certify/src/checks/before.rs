//! Look-ups of what the processor cannot know.

use feeway_domain::{CorrelationId, GetAnswer};

use crate::check::{Check, Finding};
use crate::wire::{Answer, Fault, Wire, look_up_answer};
use crate::words;

/// Twice, since a cache may answer the second time. The id is that of the first payment, so that
/// a cached answer shows as a lag.
pub(crate) async fn unknown(wire: &Wire, id: CorrelationId) -> Finding {
    let mut answers = Vec::new();
    for _ in 0..2 {
        let answer = wire.look_up(&id.to_string()).await;
        let said = look_up_answer(&answer, id);
        answers.push((answer, said));
        if said != GetAnswer::Absent {
            break;
        }
    }
    let seen: Vec<_> = answers
        .iter()
        .map(|(answer, said)| words::looked_up(answer, said))
        .collect();
    let seen = seen.join(", then ");
    let check = Check::Unknown;
    if answers.iter().all(|(_, said)| *said == GetAnswer::Absent) {
        return check.fits(seen, "counts it as absent, if look-ups find what is held");
    }
    let is_ok = |answer: &Answer| answer.as_ref().is_ok_and(|seen| seen.status == 200);
    if answers.iter().any(|(answer, _)| is_ok(answer)) {
        let feeway = "cannot tell a payment that is held from one that is not";
        return check.differs(seen, feeway);
    }
    let feeway = "never learns that a payment is not held: what was refused stays pinned";
    check.differs(seen, feeway)
}

/// Feeway never sends such a look-up. A processor that answers it does not look at the id.
pub(crate) async fn malformed_id(wire: &Wire) -> Finding {
    let answer = wire.look_up("not-an-id").await;
    let seen = words::answer(&answer);
    let check = Check::MalformedId;
    match answer.as_ref().map(|seen| seen.status) {
        Ok(200..300) => check.differs(seen, "cannot believe look-ups that answer anything"),
        Ok(400..500) => check.fits(seen, "never asks this"),
        Err(Fault::Unreachable) => check.cannot_tell(seen),
        Ok(_) | Err(_) => check.tolerated(seen, "never asks this"),
    }
}
