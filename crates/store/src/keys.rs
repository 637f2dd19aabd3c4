//! The names of all keys. Every key of payments carries the shard tag `{0}`.

use std::fmt::{self, Display};

use feeway_domain::{CorrelationId, Incarnation, ProcessorName};

use crate::roll_up::Unit;

pub(crate) const SCHEMA: &str = "{0}:schema";
pub(crate) const OPEN: &str = "{0}:open";
pub(crate) const OWNERS: &str = "{0}:owners";
pub(crate) const EPOCH: &str = "{0}:epoch";
pub(crate) const CONFLICTS: &str = "{0}:conflicts";
/// `<processor>:<quarter>` of every roll-up of days that exists.
pub(crate) const PROCESSORS: &str = "{0}:processors";
/// The lines of the ledger that are in conflict, once more.
pub(crate) const CONFLICTED: &str = "{0}:conflicted";
/// The rejected ids, by the time of that.
pub(crate) const REJECTIONS: &str = "{0}:rejections";
/// The oldest exact instant, in microseconds; a whole hour.
pub(crate) const HORIZON: &str = "{0}:horizon";
/// Who left a processor because it was absent there, by the time of that.
pub(crate) const FREED: &str = "{0}:freed";
/// The processors whose look-ups are trusted, with their URLs.
pub(crate) const LOOK_UPS: &str = "{0}:look-ups";
/// Whose time in the books is ours and not their processor's, by the time of that.
pub(crate) const RESTAMPED: &str = "{0}:restamped";
/// The URLs that lead to each processor's ledger.
pub(crate) const URLS: &str = "{0}:urls";
/// The share that each processor keeps, as fronts have said.
pub(crate) const FEES: &str = "{0}:fees";
/// The runs that settled by an export, by the time of that.
pub(crate) const SETTLING_RUNS: &str = "{0}:settling-runs";
/// What operators decided.
pub(crate) const RESOLUTIONS: &str = "{0}:resolutions";
/// The processors from which the fronts are to stand back, and what the last order was of those
/// from which they no longer are to.
pub(crate) const STAND_BACK: &str = "{0}:stand-back";
/// Which data this is.
pub(crate) const META: &str = "{0}:meta";
/// The runs of servers that had it, each with the time of the last heartbeat before it.
pub(crate) const STARTS: &str = "{0}:starts";
/// The processors whose exports were found equal to the ledger, with the time of that.
pub(crate) const RECONCILED: &str = "{0}:reconciled";
pub(crate) const LEASE: &str = "feeway:lease:health";

pub(crate) fn owner(incarnation: &Incarnation) -> String {
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
pub(crate) fn settled(id: CorrelationId) -> String {
    format!("{}", shown::settled(id))
}

pub(crate) fn rejected(id: CorrelationId) -> String {
    format!("{}", shown::rejected(id))
}

pub(crate) fn ledger(hour: i64) -> String {
    format!("{{0}}:ledger:{hour}")
}

/// The roll-up of an hour's seconds, or of a quarter's days and hours.
pub(crate) fn sum(processor: &ProcessorName, unit: Unit, period: i64) -> String {
    format!("{{0}}:sum:{processor}:{}:{period}", unit.letter())
}

/// The payments that a run settled.
pub(crate) fn stated(run: &str) -> String {
    format!("{{0}}:stated:{run}")
}

pub(crate) fn health(processor: &ProcessorName) -> String {
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
