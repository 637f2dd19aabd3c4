//! The names of all keys. Every key of payments carries the shard tag `{0}`.

use std::fmt::{self, Display};

use feeway_books::roll_up::Unit;
use feeway_domain::{CorrelationId, Incarnation, ProcessorName};

/// Which schema the data has.
pub const SCHEMA: &str = "{0}:schema";
/// The open payments.
pub const OPEN: &str = "{0}:open";
/// Who owns open payments, or may come to own some.
pub const OWNERS: &str = "{0}:owners";
pub(crate) const EPOCH: &str = "{0}:epoch";
/// Payments that two processors hold.
pub const CONFLICTS: &str = "{0}:conflicts";
/// `<processor>:<quarter>` of every roll-up of days that exists.
pub const PROCESSORS: &str = "{0}:processors";
/// The lines of the ledger that are in conflict, once more.
pub const CONFLICTED: &str = "{0}:conflicted";
/// The rejected ids, by the time of that.
pub const REJECTIONS: &str = "{0}:rejections";
/// The oldest exact instant, in microseconds; a whole hour.
pub const HORIZON: &str = "{0}:horizon";
/// Who left a processor because it was absent there, by the time of that.
pub(crate) const FREED: &str = "{0}:freed";
/// The processors whose look-ups are trusted, with their URLs.
pub const LOOK_UPS: &str = "{0}:look-ups";
/// Whose time in the books is ours and not their processor's, by the time of that.
pub const RESTAMPED: &str = "{0}:restamped";
/// The URLs that lead to each processor's ledger.
pub const URLS: &str = "{0}:urls";
/// The share that each processor keeps, as fronts have said.
pub const FEES: &str = "{0}:fees";
/// The runs that settled by an export, by the time of that.
pub(crate) const SETTLING_RUNS: &str = "{0}:settling-runs";
/// What operators decided.
pub const RESOLUTIONS: &str = "{0}:resolutions";
/// The processors from which the fronts are to stand back, and what the last order was of those
/// from which they no longer are to.
pub(crate) const STAND_BACK: &str = "{0}:stand-back";
/// Which data this is.
pub const META: &str = "{0}:meta";
/// The runs of servers that had it, each with the time of the last heartbeat before it.
pub const STARTS: &str = "{0}:starts";
/// The processors whose exports were found equal to the ledger, with the time of that.
pub const RECONCILED: &str = "{0}:reconciled";
pub(crate) const LEASE: &str = "feeway:lease:health";

/// The record of an owner.
pub fn owner(incarnation: &Incarnation) -> String {
    format!("{}", shown::owner(incarnation))
}

pub(crate) fn queue(incarnation: &Incarnation) -> String {
    format!("{}", shown::queue(incarnation))
}

/// The payments of an owner whose attempts have all ended, with the moves of their entries.
pub(crate) fn answered(incarnation: &Incarnation) -> String {
    format!("{{0}}:answered:{incarnation}")
}

/// Settled payments lie in 65 536 small hashes, by the first two bytes of their id, so
/// that Redis packs each: 512 to a hash are 33 million payments.
pub fn settled(id: CorrelationId) -> String {
    format!("{}", shown::settled(id))
}

/// Why a payment was rejected.
pub fn rejected(id: CorrelationId) -> String {
    format!("{}", shown::rejected(id))
}

/// The ledger of an hour.
pub fn ledger(hour: i64) -> String {
    format!("{{0}}:ledger:{hour}")
}

/// The roll-up of an hour's seconds, or of a quarter's days and hours.
pub fn sum(processor: &ProcessorName, unit: Unit, period: i64) -> String {
    format!("{{0}}:sum:{processor}:{}:{period}", unit.letter())
}

/// The payments that a run settled.
pub(crate) fn stated(run: &str) -> String {
    format!("{{0}}:stated:{run}")
}

/// What a processor said of its health.
pub fn health(processor: &ProcessorName) -> String {
    format!("feeway:health:{processor}")
}

/// The names as they are written, to be written where they are needed instead of into a
/// string first.
pub(crate) mod shown {
    use super::{CorrelationId, Display, Incarnation, fmt};

    pub(crate) fn owner(incarnation: &Incarnation) -> impl Display {
        fmt::from_fn(move |f| write!(f, "{{0}}:owner:{incarnation}"))
    }

    pub(crate) fn queue(incarnation: &Incarnation) -> impl Display {
        fmt::from_fn(move |f| write!(f, "{{0}}:queue:{incarnation}"))
    }

    pub(crate) fn settled(id: CorrelationId) -> impl Display {
        fmt::from_fn(move |f| {
            let [high, low, ..] = id.as_bytes();
            write!(f, "{{0}}:settled:{high:02x}{low:02x}")
        })
    }

    pub(crate) fn rejected(id: CorrelationId) -> impl Display {
        fmt::from_fn(move |f| write!(f, "{{0}}:rejected:{id}"))
    }
}
