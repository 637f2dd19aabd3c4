//! The journal's words: who owns an entry, who may touch it, and what each step replies.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{Payment, ProcessorName};

/// How often a front says that it lives.
pub const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long a front must have been silent, by Redis's clock, before another may adopt
/// what it owns. With one heartbeat to notice it, a take-over starts within 6 s.
pub const LAPSE: Duration = Duration::from_secs(5);

/// One life of a front: its name and a random part, `front-1.9f86d081`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Incarnation(Arc<str>);

impl Incarnation {
    /// The incarnation of this name; the caller makes it unique.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text Redis keeps.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The right to touch the entries of one owner: every compare-and-set names all three, and
/// fails once another holder has adopted the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Whose entries.
    pub owner: Incarnation,
    /// Who works on them: the owner itself until somebody adopted it.
    pub holder: Incarnation,
    /// Grows with every adoption.
    pub epoch: u64,
}

/// An instant by Redis's clock, in microseconds since 1970. Only the store makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JournalTime(i64);

impl JournalTime {
    /// The instant so many microseconds after 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// How long before `now` this was; zero when it was not.
    pub fn age(self, now: Self) -> Duration {
        let micros = now.0.saturating_sub(self.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

/// An open payment as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What is to be charged.
    pub payment: Payment,
    /// The incarnation that accepted it.
    pub owner: Incarnation,
    /// The only processor that may ever have seen it, if any may have.
    pub processor: Option<ProcessorName>,
    /// How often it was renamed since it was accepted. Every renaming names the number it
    /// builds on: without it, one that is carried out late could undo a later one, since an
    /// entry may come back to a processor it named before.
    pub moves: u32,
    /// When it was accepted; the order of the queue.
    pub accepted_at: JournalTime,
}

impl Entry {
    /// Whether both are states of one entry: accepted by the same incarnation at the same time.
    pub fn is_of(&self, other: &Self) -> bool {
        self.owner == other.owner && self.accepted_at == other.accepted_at
    }
}

/// The reply to an attempt to accept a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    /// It is in the journal now.
    Kept {
        /// When, by Redis's clock.
        accepted_at: JournalTime,
    },
    /// The same id and amount is already open: nothing happened.
    Known,
    /// The same id and amount is already settled or rejected: nothing happened.
    Ended,
    /// The same id is known with another amount: nothing happened.
    AmountDiffers,
    /// The journal has as many open payments as it may: nothing happened.
    Full,
    /// The hold is no longer good: nothing happened.
    Fenced,
}

/// The reply to naming (another) processor in an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rename {
    /// The entry names it now with one move more, or did so already.
    Named,
    /// The entry has moved otherwise and names this processor: nothing happened.
    Differs(Option<ProcessorName>),
    /// The payment is no longer open, or its entry is another than ours: it was rejected and
    /// reopened since, or forgotten and accepted anew. Nothing happened.
    Gone,
    /// The hold is no longer good: nothing happened.
    Fenced,
}

/// The reply to rejecting a payment that every processor refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// It is rejected now.
    Rejected,
    /// The payment is no longer open, or it was reopened since and belongs to another owner:
    /// nothing happened.
    Gone,
    /// The hold is no longer good: nothing happened.
    Fenced,
}

/// The reply to a note that every attempt of a payment has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// It is noted.
    Noted,
    /// The entry has moved otherwise, or the payment is no longer open: nothing happened.
    Stale,
    /// The hold is no longer good: nothing happened.
    Fenced,
}

/// A payment that left a processor because it was absent there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freed {
    /// Which.
    pub payment: Payment,
    /// The processor that it left.
    pub processor: ProcessorName,
    /// When, by the store's clock.
    pub at: JournalTime,
}

/// How many freed payments are remembered; the oldest go first. At about 100 bytes each, 1 MB.
pub const MAX_FREED: usize = 10_000;

/// The reply to a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Redis's clock.
    pub now: JournalTime,
    /// For each hold of the call, in order: how many open payments its owner has, or
    /// nothing when the hold is no longer good.
    pub queued: Vec<Option<u64>>,
    /// Owners whose holder has been silent for [`LAPSE`].
    pub lapsed: Vec<Incarnation>,
    /// Whether the store waits for nobody who may remember what it has forgotten. Until then
    /// nobody is adopted.
    pub is_open: bool,
}

/// The reply to an attempt to adopt an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Adopt {
    /// The owner is ours under this hold.
    Adopted(Hold),
    /// Its holder lives, or it is gone: nothing happened.
    Refused,
}
