//! What is repeated when Redis may have forgotten it.

use std::time::Duration;

use feeway_domain::{CorrelationId, Hold, JournalTime, Payment, ProcessorName, Settlement};
use redis::Cmd;

use super::{add_hold, call, call_with_settlements, whole_millis};
use crate::keys;

/// A hold is there as before.
pub fn restore_hold(hold: &Hold) -> Cmd {
    let owner = keys::owner(&hold.owner);
    let mut call = call("restore_hold", &[keys::OWNERS, &owner, keys::EPOCH]);
    add_hold(&mut call, hold);
    call.arg("run");
    call
}

/// A front meets the data behind a new connection, which is to have this identity.
pub fn meet(run: &str, identity: &str, before: &str, adoptions: &str) -> Cmd {
    let mut call = call("meet", &[keys::META, keys::STARTS]);
    call.arg(run).arg(identity).arg(before).arg(adoptions);
    call
}

/// An operator lets the fronts go on with data that they do not belong to.
pub fn adopt_store(seen: Option<&str>, identity: &str, by: &str) -> Cmd {
    let mut call = call("adopt_store", &[keys::META]);
    call.arg(seen.unwrap_or_default()).arg(identity).arg(by);
    call
}

/// A processor's whole export was found equal to the ledger.
pub fn note_reconciled(processor: &ProcessorName) -> Cmd {
    let mut call = call("note_reconciled", &[keys::RECONCILED, keys::META]);
    call.arg(processor.as_str());
    call
}

/// An entry is there as before, unless one of another lineage is.
pub fn restore_entry(id: CorrelationId, entry: &[u8], hold: &Hold) -> Cmd {
    let (settled, rejected) = (keys::settled(id), keys::rejected(id));
    let mut call = call(
        "restore_entry",
        &[keys::OPEN, &settled, &rejected, keys::OWNERS],
    );
    call.arg(id.as_bytes()).arg(entry);
    add_hold(&mut call, hold);
    call
}

/// What is known of the entry is the time of acceptance, and how often it had been renamed.
pub fn restore_reject(
    payment: &Payment,
    why: &str,
    kept_for: Duration,
    accepted: Option<(JournalTime, u32)>,
) -> Cmd {
    let (settled, rejected) = (keys::settled(payment.id), keys::rejected(payment.id));
    let mut call = call("restore_reject", &[keys::OPEN, &settled, &rejected]);
    call.arg(payment.id.as_bytes())
        .arg(payment.amount.cents())
        .arg(why)
        .arg(whole_millis(kept_for));
    if let Some((accepted_at, moves)) = accepted {
        call.arg(accepted_at.micros()).arg(moves);
    }
    call
}

/// The data has this generation at least.
pub fn restore_purge(generation: u64) -> Cmd {
    let mut call = call("restore_purge", &[keys::OPEN]);
    call.arg(generation);
    call
}

/// As [`settle_all`](super::settle_all) with one, of what was acknowledged in a generation of the data.
pub fn restore_settle(settlement: &Settlement) -> Cmd {
    call_with_settlements("restore_settle", std::iter::once(settlement), &[])
}
