//! The listing's words: single payments in the order of time, a page at a time.

use crate::{CorrelationId, Fee, JournalTime, Money, PaymentState, ProcessorName, Window};

/// The most lines of one page.
pub const MAX_PAGE: usize = 1_000;

/// Which payments are listed, and by which time they are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// The ledger, line by line, by `requestedAt`: a payment that two processors hold has
    /// two lines, as it is in the books of both.
    Settled,
    /// What is accepted and not settled, by the time of acceptance.
    Open,
    /// The open ones that name a processor.
    Pinned,
    /// What every processor refused, by the time of that.
    Rejected,
    /// The lines of payments that more than one processor holds, by `requestedAt`.
    Conflict,
}

/// What a page is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Which payments.
    pub listed: Listed,
    /// Whose time lies in here.
    pub window: Window,
    /// Behind this place; from the oldest when there is none.
    pub after: Option<Cursor>,
    /// At most so many lines, up to [`MAX_PAGE`].
    pub limit: usize,
}

/// A place in a listing. It stays where it is, whatever comes or goes around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The time of the line that stands or stood there.
    pub at: JournalTime,
    /// Its payment.
    pub id: CorrelationId,
    /// Its amount.
    pub amount: Money,
    /// Its processor, if it names one.
    pub processor: Option<ProcessorName>,
}

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The payment; of a conflict, as this processor holds it.
    pub state: PaymentState,
    /// The time it is listed by.
    pub at: JournalTime,
    /// The processor's fee in force, once it is settled.
    pub fee: Option<Fee>,
}

impl Line {
    /// Where it stands.
    pub fn cursor(&self) -> Cursor {
        Cursor {
            at: self.at,
            id: self.state.id,
            amount: self.state.amount,
            processor: self.state.status.processor().cloned(),
        }
    }
}

/// Some lines in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// They may be fewer than asked for, even none, when there is a next page.
    pub lines: Vec<Line>,
    /// Where the next page begins; none when this was the last.
    pub next: Option<Cursor>,
}
