//! The ledger's words: what is settled, and what can be asked about it.

use crate::{CorrelationId, Fee, Money, Payment, ProcessorName, RequestedAt, StoreFault, Total};

/// The fact that a processor holds a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// What was charged.
    pub payment: Payment,
    /// By whom.
    pub processor: ProcessorName,
    /// The instant in the processor's books.
    pub requested_at: RequestedAt,
    /// The processor's fee in force.
    pub fee: Fee,
}

/// The reply to settling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settle {
    /// It is in the ledger now.
    Settled,
    /// It was there already, held by the same processor: nothing happened.
    Known,
    /// Another processor holds it too. It must never happen; it is counted for both.
    Conflict {
        /// The one that was recorded first.
        first: ProcessorName,
    },
    /// It is older than the oldest exact instant, where the books are closed: it is known
    /// from now on, but counts in no summary. Somebody must look.
    TooOld {
        /// The oldest instant that could have been counted.
        oldest: RequestedAt,
    },
}

/// A stretch of time, both ends inclusive; a missing end is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    from: Option<RequestedAt>,
    to: Option<RequestedAt>,
}

/// `from` lies after `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("from is later than to")]
pub struct WindowError;

impl Window {
    /// The window between two instants.
    pub fn new(from: Option<RequestedAt>, to: Option<RequestedAt>) -> Result<Self, WindowError> {
        match (from, to) {
            (Some(from), Some(to)) if from > to => Err(WindowError),
            _ => Ok(Self { from, to }),
        }
    }

    /// Its first instant.
    pub fn from(&self) -> Option<RequestedAt> {
        self.from
    }

    /// Its last instant.
    pub fn to(&self) -> Option<RequestedAt> {
        self.to
    }

    /// Whether an instant lies in it.
    pub fn contains(&self, instant: RequestedAt) -> bool {
        self.from.is_none_or(|from| from <= instant) && self.to.is_none_or(|to| instant <= to)
    }
}

/// What was settled in a window: one total for each processor that the ledger knows,
/// in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary(pub Vec<(ProcessorName, Total)>);

impl Summary {
    /// Whether nothing was settled.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|(_, total)| total.count == 0)
    }

    /// The total of one processor; zero when the ledger does not know it.
    pub fn of(&self, processor: &ProcessorName) -> Total {
        self.0
            .iter()
            .find(|(name, _)| name == processor)
            .map_or_else(Total::default, |(_, total)| *total)
    }
}

/// A question to the ledger that has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerFault {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// Single payments of that time are no longer kept. Before the oldest instant, a
    /// summary may begin and end with whole hours only, or where nothing was settled.
    #[error("single payments are kept only since {oldest}")]
    TooOld {
        /// The oldest instant of which every payment is kept.
        oldest: RequestedAt,
    },
}

/// The reply to retiring what is older than the retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retire {
    /// Nothing old is left.
    Done,
    /// Some is.
    More,
}

/// Where a payment stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentState {
    /// Which.
    pub id: CorrelationId,
    /// How much.
    pub amount: Money,
    /// And where.
    pub status: Status,
}

/// The stations of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Accepted, not settled.
    Open {
        /// The only processor that may have seen it, if any.
        processor: Option<ProcessorName>,
    },
    /// A processor holds it.
    Settled {
        /// Which.
        processor: ProcessorName,
        /// The instant in its books.
        requested_at: RequestedAt,
    },
    /// Every processor refused it.
    Rejected {
        /// What each of them answered.
        reason: String,
    },
    /// More than one processor holds it.
    Conflict {
        /// The one that was recorded first.
        processor: ProcessorName,
        /// The instant in its books.
        requested_at: RequestedAt,
    },
}

impl Status {
    /// The processor that holds it or may have seen it, if any.
    pub fn processor(&self) -> Option<&ProcessorName> {
        match self {
            Self::Open { processor } => processor.as_ref(),
            Self::Settled { processor, .. } | Self::Conflict { processor, .. } => Some(processor),
            Self::Rejected { .. } => None,
        }
    }

    /// Why it was rejected, if it was.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Rejected { reason } => Some(reason),
            Self::Open { .. } | Self::Settled { .. } | Self::Conflict { .. } => None,
        }
    }
}

/// The reply to a purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purge {
    /// The ledger is empty now.
    Purged,
    /// So many payments are open: nothing happened.
    Open(u64),
}
