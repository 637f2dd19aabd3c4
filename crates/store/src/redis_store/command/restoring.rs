//! What is repeated when Redis may have forgotten it.

use std::time::Duration;

use feeway_domain::{CorrelationId, Hold, JournalTime, Payment, ProcessorName, Settlement};
use redis::Cmd;

use super::{add_hold, call, call_with_settlements, whole_millis};
use crate::keys;
use crate::redis_store::past::Adoptions;

pub(crate) fn restore_hold(hold: &Hold) -> Cmd {
    let owner = keys::owner(&hold.owner);
    let mut call = call("restore_hold", &[keys::OWNERS, &owner, keys::EPOCH]);
    add_hold(&mut call, hold);
    call.arg("run");
    call
}

/// A front meets the data behind a new connection, which is to have this identity.
pub(crate) fn meet(run: &str, identity: &str, adoptions: &Adoptions) -> Cmd {
    let mut call = call("meet", &[keys::META, keys::STARTS]);
    call.arg(run)
        .arg(identity)
        .arg(adoptions.before())
        .arg(adoptions.text());
    call
}

/// An operator lets the fronts go on with data that they do not belong to.
pub(crate) fn adopt_store(seen: Option<&str>, identity: &str, by: &str) -> Cmd {
    let mut call = call("adopt_store", &[keys::META]);
    call.arg(seen.unwrap_or_default()).arg(identity).arg(by);
    call
}

/// A processor's whole export was found equal to the ledger.
pub(crate) fn note_reconciled(processor: &ProcessorName) -> Cmd {
    let mut call = call("note_reconciled", &[keys::RECONCILED, keys::META]);
    call.arg(processor.as_str());
    call
}

pub(crate) fn restore_entry(id: CorrelationId, entry: &[u8], hold: &Hold) -> Cmd {
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
pub(crate) fn restore_reject(
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

pub(crate) fn restore_purge(generation: u64) -> Cmd {
    let mut call = call("restore_purge", &[keys::OPEN]);
    call.arg(generation);
    call
}

/// As [`settle_all`] with one, of what was acknowledged in a generation of the data.
pub(crate) fn restore_settle(settlement: &Settlement) -> Cmd {
    call_with_settlements("restore_settle", std::iter::once(settlement), &[])
}
