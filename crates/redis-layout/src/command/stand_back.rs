//! The calls about standing back from a processor, and what an operator decides meanwhile.

use feeway_domain::{Custody, Hold, LAPSE, MAX_RESOLUTIONS, ProcessorName, Settlement};
use redis::Cmd;

use super::{call, call_with_settlements, whole_micros};
use crate::keys;
use crate::record;

/// The orders to stand back from a processor.
pub fn stand_backs() -> Cmd {
    call("stand_backs", &[keys::STAND_BACK])
}

/// The last such order for a processor.
pub fn last_stand_back(processor: &ProcessorName) -> Cmd {
    let mut call = call("last_stand_back", &[keys::STAND_BACK]);
    call.arg(processor.as_str());
    call
}

/// Orders to stand back from a processor, if the last order is the one that was seen.
pub fn stand_back(processor: &ProcessorName, after: Option<&str>, token: &str, by: &str) -> Cmd {
    let mut call = call("stand_back", &[keys::STAND_BACK]);
    call.arg(processor.as_str()).arg(token).arg(by).arg(after);
    call
}

/// Ends such an order.
pub fn end_stand_back(processor: &ProcessorName, token: &str) -> Cmd {
    let mut call = call("end_stand_back", &[keys::STAND_BACK]);
    call.arg(processor.as_str()).arg(token);
    call
}

/// A front has heard an order.
pub fn confirm_stand_back(own: &Hold, processor: &ProcessorName, token: &str) -> Cmd {
    let owner = keys::owner(&own.owner);
    let mut call = call("confirm_stand_back", &[keys::STAND_BACK, &owner]);
    call.arg(processor.as_str())
        .arg(token)
        .arg(own.holder.as_str())
        .arg(own.epoch);
    call
}

/// Which fronts there are, and what they have confirmed.
pub fn fronts() -> Cmd {
    call("fronts", &[keys::OWNERS])
}

/// As a settlement of one, where the processor's yes comes from an operator.
pub fn decide_held(settlement: &Settlement, seen: &Custody, token: &str, resolution: &str) -> Cmd {
    let one = std::iter::once(settlement);
    let more_keys = [keys::STAND_BACK, keys::OWNERS];
    let mut call = call_with_settlements("decide_held", one, &more_keys);
    add_decision(&mut call, seen, token, resolution);
    call
}

/// An operator says that a processor does not hold a payment, while all fronts stand back from it.
pub fn decide_not_held(seen: &Custody, token: &str, resolution: &str) -> Cmd {
    let names = [keys::OPEN, keys::STAND_BACK, keys::OWNERS];
    let mut call = call("decide_not_held", &names);
    call.arg(seen.entry.payment.id.as_bytes());
    add_decision(&mut call, seen, token, resolution);
    call
}

fn add_decision(call: &mut Cmd, seen: &Custody, token: &str, resolution: &str) {
    call.arg(record::write_entry(&seen.entry))
        .arg(token)
        .arg(whole_micros(LAPSE))
        .arg(resolution)
        .arg(MAX_RESOLUTIONS);
}
