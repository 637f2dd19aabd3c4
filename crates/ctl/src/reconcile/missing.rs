use feeway_domain::{JournalTime, PaymentState};

use super::difference::Difference;
use super::export::Exported;

/// A payment that the processor holds and the ledger has not.
#[derive(Debug)]
pub(super) struct Missing {
    pub(super) theirs: Exported,
    /// What we know of it instead, if anything.
    pub(super) known: Option<PaymentState>,
    /// When it was accepted, while it is open.
    pub(super) accepted_at: Option<JournalTime>,
    /// What came of settling it, if that was asked for.
    pub(super) done: Option<String>,
}

impl From<Missing> for Difference {
    fn from(one: Missing) -> Self {
        Self::TheirsNotOurs {
            theirs: one.theirs,
            known: one.known.map(|state| state.status),
            done: one.done,
        }
    }
}
