//! What an operator settles because a processor's export has it and the ledger has not.

use crate::{Money, ProcessorName, RequestedAt};

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
