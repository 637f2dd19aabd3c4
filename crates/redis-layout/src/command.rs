//! The calls of library `feeway_v1`: which keys and arguments each function takes.

mod accept;
mod restoring;
mod sites;
pub mod stand_back;
mod statement;
mod subject;

use std::time::Duration;

use feeway_books::horizon::{LEAP, LEAP_PACE};
use feeway_books::roll_up::{Place, Unit};
use feeway_domain::{
    CorrelationId, Custody, Freed, Hold, Incarnation, JournalTime, LAPSE, MAX_FREED,
    MAX_RESOLUTIONS, MAX_RESTAMPED, Payment, ProcessorName, Restamp, Settlement,
};
use redis::{Cmd, cmd};

use crate::keys;
use crate::record;

pub use accept::{accept_all, known_all};
pub use restoring::{
    adopt_store, meet, note_reconciled, restore_entry, restore_hold, restore_purge, restore_reject,
    restore_settle,
};
pub use sites::{census, enlist_at, restore_sites, tell_fees};
pub use statement::{restore_stated, run_payments, settle_stated, settling_runs, undo_stated};
pub use subject::{Subject, subject};

fn call(function: &str, keys: &[&str]) -> Cmd {
    let mut call = cmd("FCALL");
    call.arg(function).arg(keys.len()).arg(keys);
    call
}

fn add_hold(call: &mut Cmd, hold: &Hold) {
    call.arg(hold.owner.as_str())
        .arg(hold.holder.as_str())
        .arg(hold.epoch);
}

fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn whole_micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// What a front says of the run that its connections lead to.
#[derive(Clone, Debug, Default)]
pub struct RunClaim {
    /// The run to which it has repeated everything; empty while there is none.
    pub repeated_in: String,
    /// Everything is on the disk before it is answered.
    pub always: bool,
}

fn add_claim(call: &mut Cmd, claim: &RunClaim) {
    call.arg(&claim.repeated_in).arg(u8::from(claim.always));
}

/// An incarnation gets its place.
pub fn enlist(incarnation: &Incarnation, claim: &RunClaim) -> Cmd {
    let owner = keys::owner(incarnation);
    let mut call = call("enlist", &[keys::OWNERS, &owner, keys::EPOCH]);
    call.arg(incarnation.as_str()).arg(whole_micros(LAPSE));
    add_claim(&mut call, claim);
    call
}

/// Which run this is, and whether it is open.
pub fn run_state() -> Cmd {
    call("run_state", &[])
}

/// Makes an entry name a processor.
pub fn rename(hold: &Hold, id: CorrelationId, moves: u32, to: &ProcessorName) -> Cmd {
    let mut call = call("rename", &[keys::OPEN, &keys::owner(&hold.owner)]);
    call.arg(id.as_bytes()).arg(moves).arg(to.as_str());
    add_hold(&mut call, hold);
    call.arg("lineage");
    call
}

/// Settlements of one processor with one fee, all in one hour.
///
/// # Panics
/// Without any.
pub fn settle_all<'a>(settlements: impl ExactSizeIterator<Item = &'a Settlement> + Clone) -> Cmd {
    call_with_settlements("settle_all", settlements, &[])
}

/// As [`settle_all`] with one, where the processor's yes comes from an operator.
pub fn resolve_held(settlement: &Settlement, seen: &Custody, resolution: &str) -> Cmd {
    let owner = keys::owner(&seen.entry.owner);
    let one = std::iter::once(settlement);
    let mut call = call_with_settlements("resolve_held", one, &[&owner]);
    add_resolution(&mut call, seen, resolution);
    call
}

/// An operator says that a processor does not hold a payment.
pub fn resolve_not_held(seen: &Custody, resolution: &str) -> Cmd {
    let owner = keys::owner(&seen.entry.owner);
    let names = [keys::OPEN, &owner, keys::OWNERS, keys::EPOCH];
    let mut call = call("resolve_not_held", &names);
    call.arg(seen.entry.payment.id.as_bytes());
    add_resolution(&mut call, seen, resolution);
    call
}

/// An operator has a rejected payment tried again.
pub fn reopen(id: CorrelationId, owner: &Incarnation, by: &str) -> Cmd {
    let (settled, rejected) = (keys::settled(id), keys::rejected(id));
    let (record, queue) = (keys::owner(owner), keys::queue(owner));
    let names = [
        keys::OPEN,
        &settled,
        &rejected,
        keys::OWNERS,
        keys::EPOCH,
        &record,
        &queue,
    ];
    let mut call = call("reopen", &names);
    call.arg(id.as_bytes())
        .arg(owner.as_str())
        .arg(by)
        .arg(MAX_RESOLUTIONS);
    call
}

fn add_resolution(call: &mut Cmd, seen: &Custody, resolution: &str) {
    call.arg(record::write_entry(&seen.entry));
    match &seen.hold {
        Some(hold) => call.arg(hold.holder.as_str()).arg(hold.epoch),
        None => call.arg("").arg(""),
    };
    call.arg(seen.beat.map_or(0, JournalTime::micros))
        .arg(whole_micros(LAPSE))
        .arg(resolution)
        .arg(MAX_RESOLUTIONS);
}

fn call_with_settlements<'a>(
    function: &str,
    mut settlements: impl ExactSizeIterator<Item = &'a Settlement> + Clone,
    more_keys: &[&str],
) -> Cmd {
    let all = settlements.clone();
    let first = settlements.next().expect("somebody is to be settled");
    let place = Place::of(first.requested_at);
    let sum = |unit| keys::sum(&first.processor, unit, place.slot(unit).0);
    let names = [
        keys::OPEN.to_owned(),
        keys::ledger(place.hour),
        sum(Unit::Second),
        sum(Unit::Day),
        keys::HORIZON.to_owned(),
    ];
    let names = names
        .iter()
        .map(String::as_str)
        .chain(more_keys.iter().copied());
    let names: Vec<&str> = names.collect();
    let mut call = call(function, &names);
    let cents = |settlement: &Settlement| settlement.payment.amount.cents();
    call.arg(first.processor.as_str())
        .arg(first.fee.millionths())
        .arg(&Unit::Day.bits(place.slot(Unit::Day).1))
        .arg(&Unit::Hour.bits(place.slot(Unit::Hour).1))
        .arg(all.clone().map(cents).sum::<i64>());
    for settlement in all {
        let second = Place::of(settlement.requested_at).slot(Unit::Second).1;
        call.arg(settlement.payment.id.as_bytes())
            .arg(settlement.requested_at.micros())
            .arg(cents(settlement))
            .arg(&Unit::Second.bits(second));
    }
    call
}

/// Ends a payment that every processor declined.
pub fn reject(hold: &Hold, id: CorrelationId, why: &str, kept_for: Duration) -> Cmd {
    let (owner, rejected) = (keys::owner(&hold.owner), keys::rejected(id));
    let mut call = call("reject", &[keys::OPEN, &owner, &rejected]);
    call.arg(id.as_bytes());
    add_hold(&mut call, hold);
    call.arg(why).arg(whole_millis(kept_for));
    call
}

/// Notes that every attempt of a payment has ended.
pub fn note_answered(hold: &Hold, id: CorrelationId, moves: u32) -> Cmd {
    let (owner, notes) = (keys::owner(&hold.owner), keys::answered(&hold.owner));
    let mut call = call("note_answered", &[keys::OPEN, &owner, &notes]);
    call.arg(id.as_bytes()).arg(moves);
    add_hold(&mut call, hold);
    call
}

/// Which payments of an owner have such a note, and at how many moves.
pub fn answered(owner: &Incarnation, ids: &[CorrelationId]) -> Cmd {
    let mut read = cmd("HMGET");
    read.arg(keys::answered(owner));
    for id in ids {
        read.arg(id.as_bytes());
    }
    read
}

/// A payment leaves a processor.
pub fn note_freed(payment: &Payment, processor: &ProcessorName) -> Cmd {
    let mut call = call("note_freed", &[keys::FREED]);
    let member = record::write_ledger_member(payment.id, processor, payment.amount);
    call.arg(member).arg(MAX_FREED);
    call
}

/// Payments that left a processor so long ago.
pub fn freed(age: Duration, limit: usize) -> Cmd {
    let mut call = call("freed", &[keys::FREED]);
    call.arg(whole_micros(age)).arg(limit.min(MAX_FREED));
    call
}

/// A payment that had left was looked up.
pub fn forget_freed(freed: &Freed) -> Cmd {
    let mut call = call("forget_freed", &[keys::FREED]);
    let (id, amount) = (freed.payment.id, freed.payment.amount);
    call.arg(record::write_ledger_member(id, &freed.processor, amount))
        .arg(freed.at.micros());
    call
}

/// A payment is booked at another time than its processor says.
pub fn note_restamp(restamp: &Restamp) -> Cmd {
    let mut call = call("note_restamp", &[keys::RESTAMPED]);
    call.arg(record::write_restamp(restamp)).arg(MAX_RESTAMPED);
    call
}

/// Whether the look-up of a processor is believed.
pub fn trust_look_up(processor: &ProcessorName, url: &str, trusted: bool) -> Cmd {
    let mut call = call("trust_look_up", &[keys::LOOK_UPS]);
    call.arg(processor.as_str()).arg(url).arg(u8::from(trusted));
    call
}

/// A front says that it lives, and finds out whether the run is open.
pub fn beat(holds: &[Hold], claim: &RunClaim) -> Cmd {
    let mut names = vec![keys::OWNERS.to_owned()];
    for hold in holds {
        names.push(keys::owner(&hold.owner));
        names.push(keys::queue(&hold.owner));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut call = call("beat", &names);
    call.arg(whole_micros(LAPSE));
    for hold in holds {
        add_hold(&mut call, hold);
    }
    add_claim(&mut call, claim);
    call
}

/// A holder is going.
pub fn resign(hold: &Hold) -> Cmd {
    let mut call = call("resign", &[&keys::owner(&hold.owner)]);
    call.arg(hold.holder.as_str()).arg(hold.epoch);
    call
}

/// Takes the place of an owner that fell silent.
pub fn adopt(owner: &Incarnation, holder: &Incarnation) -> Cmd {
    let record = keys::owner(owner);
    let mut call = call("adopt", &[keys::OWNERS, &record, keys::EPOCH]);
    call.arg(owner.as_str())
        .arg(holder.as_str())
        .arg(whole_micros(LAPSE));
    call
}

/// Forgets an owner without entries.
pub fn discharge(hold: &Hold) -> Cmd {
    let (record, queue) = (keys::owner(&hold.owner), keys::queue(&hold.owner));
    let mut call = call("discharge", &[keys::OWNERS, &record, &queue]);
    add_hold(&mut call, hold);
    call
}

/// Open payments of an owner, oldest first, from one on.
pub fn queued(
    owner: &Incarnation,
    after: Option<(JournalTime, CorrelationId)>,
    limit: usize,
) -> Cmd {
    let mut call = call("queued", &[keys::OPEN, &keys::queue(owner)]);
    call.arg(limit);
    if let Some((accepted_at, id)) = after {
        call.arg(accepted_at.micros()).arg(id.as_bytes());
    }
    call
}

/// Members of the ledger, or of another sorted set by time, between two instants.
pub fn lines(
    set: Option<&str>,
    (from, to): (i64, i64),
    limit: usize,
    after: Option<(JournalTime, Vec<u8>)>,
) -> Cmd {
    let names: Vec<&str> = [keys::HORIZON].into_iter().chain(set).collect();
    let mut call = call("lines", &names);
    call.arg(from).arg(to).arg(limit);
    if let Some((at, member)) = after {
        call.arg(at.micros()).arg(member);
    }
    call
}

/// Forgets what is older than the retention, so many steps of it.
pub fn retire(retention: Duration, grace: Duration, steps: usize) -> Cmd {
    let mut call = call("retire", &[keys::HORIZON]);
    call.arg(whole_micros(retention))
        .arg(whole_micros(grace))
        .arg(steps)
        .arg(whole_micros(LEAP))
        .arg(whole_micros(LEAP_PACE));
    call
}

/// Empties the ledger.
pub fn purge() -> Cmd {
    call("purge", &[keys::OPEN])
}

/// Asks for the lease, or for more of it.
pub fn lease(token: &str, ttl: Duration) -> Cmd {
    let mut call = call("lease", &[keys::LEASE]);
    call.arg(token).arg(whole_millis(ttl));
    call
}

/// Gives the lease back.
pub fn vacate(token: &str) -> Cmd {
    let mut call = call("vacate", &[keys::LEASE]);
    call.arg(token);
    call
}

/// Asks whether a processor may be asked for its health now.
pub fn ask(token: &str, processor: &ProcessorName, gap: Duration) -> Cmd {
    let mut call = call("ask", &[keys::LEASE, &keys::health(processor)]);
    call.arg(token).arg(whole_micros(gap));
    call
}

/// When a processor was asked last.
pub fn asked(processor: &ProcessorName) -> Cmd {
    call("asked", &[&keys::health(processor)])
}

/// Keeps what a processor said of its health.
pub fn publish(report: &feeway_domain::HealthReport) -> Cmd {
    let mut call = call("publish", &[&keys::health(&report.processor)]);
    call.arg(u8::from(report.failing))
        .arg(whole_micros(report.min_response_time));
    call
}
