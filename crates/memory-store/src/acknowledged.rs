use feeway_books::recent::Write;
use feeway_domain::{
    CorrelationId, Entry, Hold, Payment, ProcessorName, Restamp, Run, Settlement, Site,
};

use crate::MemoryStore;

/// A write that a [`MemoryStore`] acknowledged, for [`MemoryStore::replay`].
#[derive(Clone, Debug)]
pub enum Acknowledged {
    /// An incarnation was enlisted, or an owner adopted.
    Hold(Hold),
    /// An incarnation came with its processors.
    Sites {
        /// Its own.
        hold: Hold,
        /// They, and the URLs that were known of each then.
        known: Vec<(Site, Vec<String>)>,
    },
    /// A payment is in the journal with this entry: it was put or found there, or renamed, under
    /// this hold.
    Entry {
        /// The entry as it was.
        entry: Entry,
        /// Of the one who put or found it.
        hold: Hold,
    },
    /// A payment is in the ledger.
    Settle(Settlement),
    /// A payment is in the ledger by an operator's run.
    Stated {
        /// It.
        settlement: Settlement,
        /// And the run.
        run: Run,
    },
    /// A payment is rejected.
    Reject {
        /// The entry that it had.
        entry: Entry,
        /// And why.
        why: String,
    },
    /// A holder is going.
    Resign(Hold),
    /// An owner is forgotten.
    Discharge(Hold),
    /// A payment left a processor.
    Freed {
        /// Which.
        payment: Payment,
        /// And where.
        processor: ProcessorName,
    },
    /// A payment is about to be settled at another time than its processor says.
    Restamp(Restamp),
    /// All payments were purged, which made this the generation of the data.
    Purge {
        /// Which.
        generation: u64,
    },
    /// A look-up is not trusted any longer.
    Distrust {
        /// Whose.
        processor: ProcessorName,
        /// And where it was.
        url: String,
    },
}

impl Acknowledged {
    /// The payment that it is about.
    pub fn id(&self) -> Option<CorrelationId> {
        match self {
            Self::Entry { entry, .. } | Self::Reject { entry, .. } => Some(entry.payment.id),
            Self::Settle(settlement) | Self::Stated { settlement, .. } => {
                Some(settlement.payment.id)
            }
            Self::Freed { payment, .. } => Some(payment.id),
            Self::Restamp(restamp) => Some(restamp.id),
            Self::Hold(_)
            | Self::Sites { .. }
            | Self::Resign(_)
            | Self::Discharge(_)
            | Self::Purge { .. }
            | Self::Distrust { .. } => None,
        }
    }
}

impl Write for Acknowledged {
    fn is_of_payments(&self) -> bool {
        match self {
            Self::Entry { .. }
            | Self::Settle(_)
            | Self::Stated { .. }
            | Self::Reject { .. }
            | Self::Freed { .. }
            | Self::Restamp(_) => true,
            Self::Hold(_)
            | Self::Sites { .. }
            | Self::Resign(_)
            | Self::Discharge(_)
            | Self::Purge { .. }
            | Self::Distrust { .. } => false,
        }
    }

    fn is_enlistment(&self) -> bool {
        if let Self::Hold(hold) | Self::Sites { hold, .. } = self {
            hold.owner == hold.holder
        } else {
            false
        }
    }

    fn purge(generation: u64) -> Self {
        Self::Purge { generation }
    }
}

impl MemoryStore {
    /// Repeats a write that was acknowledged and may have been forgotten since, as the store in
    /// Redis does when that has restarted. What is of an earlier
    /// generation than the data was purged since.
    pub fn replay(&self, write: &Acknowledged, generation: u64) {
        let now = self.now();
        let mut state = self.state();
        if generation < state.generation && write.is_of_payments() {
            return;
        }
        match write {
            Acknowledged::Hold(hold) => state.journal.restore_hold(hold, now),
            Acknowledged::Sites { hold, known } => {
                state.journal.restore_hold(hold, now);
                state.journal.restore_sites(hold, known);
            }
            Acknowledged::Entry { entry, hold } => {
                if state.books.find(entry.payment.id).is_some() {
                    state.promise(entry, now);
                } else if !state.journal.is_rejected(entry.payment.id, now) {
                    state.journal.restore_entry(entry, hold, now);
                }
            }
            Acknowledged::Settle(settlement) => {
                state.settle(settlement, now);
            }
            Acknowledged::Stated { settlement, run } => {
                if !state.runs.has_settled(&run.id, settlement.payment.id) {
                    state.settle_in_run(settlement, run, now);
                }
            }
            Acknowledged::Reject { entry, why } => {
                if state.books.find(entry.payment.id).is_none() {
                    let times = self.rejection_times();
                    state.journal.restore_reject(entry, why, times);
                }
            }
            Acknowledged::Resign(hold) => state.journal.resign(hold),
            Acknowledged::Discharge(hold) => {
                if self.check_open(&mut state).is_ok() {
                    state.journal.discharge(hold);
                }
            }
            Acknowledged::Freed { payment, processor } => {
                state.departures.note(payment, processor, now);
            }
            Acknowledged::Restamp(restamp) => state.restamps.note(restamp, now),
            Acknowledged::Purge { generation } => {
                if *generation > state.generation && !state.has_taken {
                    state.forget_all();
                    state.journal.forget_open();
                    state.generation = *generation;
                }
            }
            Acknowledged::Distrust { processor, url } => state.distrust(processor, url),
        }
    }
}
