//! What an operator settles because a processor's export has it and the ledger has not.

use crate::{Fee, JournalTime, Money, Payment, ProcessorName, RequestedAt, Total};

/// How many runs are listed; the oldest go first.
pub const MAX_RUNS: usize = 100;

/// Of how many payments it is kept that a run settled them, in all runs together; those of the
/// oldest run go first. At about 110 bytes each, 22 MB.
pub const MAX_RUN_PAYMENTS: usize = 200_000;

/// What an operator settles by one export at one time, for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Hexadecimal digits that nobody else has.
    pub id: String,
    /// What the export is called.
    pub file: String,
    /// Who settles.
    pub by: String,
    /// How many payments it is about, at most [`MAX_RUN_PAYMENTS`].
    pub expected: usize,
}

/// A run as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedRun {
    /// Its id.
    pub id: String,
    /// When its first payment was settled, by the store's clock.
    pub at: JournalTime,
    /// Whose export it was.
    pub processor: ProcessorName,
    /// With which fee.
    pub fee: Fee,
    /// What the export was called.
    pub file: String,
    /// By whom.
    pub by: String,
    /// What it settled.
    pub total: Total,
    /// Of how many payments that is kept, so that they can be taken back.
    pub kept: u64,
    /// What of it was taken back, if anything.
    pub undone: Option<Undone>,
}

/// What of a run was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undone {
    /// When the last payment was.
    pub at: JournalTime,
    /// By whom.
    pub by: String,
    /// How many, and how much.
    pub total: Total,
}

/// What became of a payment that a run settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InRun {
    /// It can be taken back, unless somebody else has touched it since.
    Settled,
    /// It was taken back.
    Undone,
    /// It was settled there once more since, by a processor's answer.
    Confirmed,
}

/// A payment that a run settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunPayment {
    /// Which.
    pub payment: Payment,
    /// At which time.
    pub requested_at: RequestedAt,
    /// And what became of it.
    pub state: InRun,
}

/// A part of a run's payments, in no order. One that is kept all the time is in one part at
/// least.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunPage {
    /// They.
    pub payments: Vec<RunPayment>,
    /// Where the next part begins; none after the last one.
    pub next: Option<u64>,
}

/// The reply to taking back what a run settled. Unless it says otherwise nothing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// It is out of the ledger, now or from an earlier time. If it was open before it was
    /// settled it is open again.
    Undone,
    /// The run did not settle it, or that is no longer kept.
    Unknown,
    /// It was settled there once more since.
    Confirmed,
    /// Another processor holds it as well.
    Conflict,
    /// The books of that time are closed.
    TooOld,
    /// It is not in the ledger as the run had put it there.
    Changed,
}

/// The reply to settling a payment by a processor's export. Unless it says otherwise nothing
/// happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stated {
    /// It is in the ledger now.
    Settled,
    /// It was there already, held by the same processor.
    Known,
    /// Another processor holds it: the export may be of that one.
    Elsewhere {
        /// The one that was recorded first.
        holder: ProcessorName,
    },
    /// It is known with another amount.
    AmountDiffers {
        /// Which.
        ours: Money,
    },
    /// It was accepted later than that, or it lies in the future.
    Impossible,
    /// The books of that time are closed.
    TooOld {
        /// The oldest instant that can be counted.
        oldest: RequestedAt,
    },
    /// Somebody lives who does not stand back.
    Changed,
}
