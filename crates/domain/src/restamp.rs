//! Payments that are booked at another time than their processor says.

use crate::{CorrelationId, JournalTime, ProcessorName, RequestedAt};

/// How many of them are kept; the oldest go first. At about 150 bytes each, 1.5 MB.
pub const MAX_RESTAMPED: usize = 10_000;

/// A processor holds a payment, and insists on a time at which it cannot have taken it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restamp {
    /// Which payment.
    pub id: CorrelationId,
    /// Who holds it.
    pub processor: ProcessorName,
    /// The instant in the processor's books.
    pub theirs: RequestedAt,
    /// The instant in ours.
    pub ours: RequestedAt,
}

/// A restamp as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restamped {
    /// When it was noted, by the store's clock.
    pub at: JournalTime,
    /// What was noted.
    pub restamp: Restamp,
}
