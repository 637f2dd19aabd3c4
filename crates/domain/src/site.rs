//! Where a processor is, as a front has it and as the store knows it.
//!
//! A name stands for a ledger. Whoever sends a payment that an entry pins to a processor to
//! another ledger of that name may charge it twice, so the store remembers the URLs that lead
//! to the ledger of each name.

use std::collections::BTreeMap;

use crate::{Hold, Incarnation, ProcessorName};

/// The most URLs that are known of one processor; the oldest go first. With 8 processors and
/// URLs of some hundred bytes that is a few kilobytes in all.
pub const MAX_URLS: usize = 8;

/// Where a front reaches a processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Which.
    pub processor: ProcessorName,
    /// Its URL, written as everybody writes it and without a space.
    pub url: String,
    /// An operator vouches that the ledger there is the one of the known URLs.
    pub is_vouched: bool,
}

/// What the store knows of one processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Which.
    pub processor: ProcessorName,
    /// The URLs that lead to its ledger, the newest first.
    pub urls: Vec<String>,
}

/// Processors that a front brings with URLs that are not known of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// Grows with every hold that is given: while it is the same, nobody has come or adopted.
    pub epoch: u64,
    /// What is known of each of them.
    pub processors: Vec<Known>,
}

/// The reply to an incarnation that comes with its processors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enlist {
    /// It is its own holder now, and its URLs are known.
    Enlisted(Hold),
    /// Another front lives that sends payments of this processor to another URL, or of which
    /// nobody knows where it sends them: nothing happened.
    InUse {
        /// What is known of the processor.
        known: Known,
        /// That front.
        by: Incarnation,
    },
    /// These processors were at other URLs. Nobody lives who sends payments of those that are
    /// not vouched for to another URL than this one, and whoever was silent is fenced. Nothing
    /// else happened: the caller may come again with this if no open entry names any of those.
    Relocated(Relocation),
}

/// Open entries of one page of the journal, by the processor that they name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// How many name each.
    pub named: BTreeMap<ProcessorName, u64>,
    /// Where the next page begins; none after the last one.
    pub next: Option<u64>,
}
