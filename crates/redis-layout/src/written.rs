//! The writes that are repeated to a Redis that may have forgotten them.

use std::time::Duration;

use feeway_books::recent::{Repeated, Write};
use feeway_domain::{
    CorrelationId, Entry, Hold, Incarnation, JournalTime, Payment, ProcessorName, Restamp, Run,
    Settlement, Site,
};
use redis::Cmd;

use crate::command;
use crate::record;

/// Processors of a front, each with the URLs that were known of it, as Redis has them.
pub type KnownSites = Box<[(Site, Box<str>)]>;

/// A write that Redis has acknowledged, and all that it takes to repeat it.
///
/// A note that all attempts of a payment have ended is not among them. Without it the next
/// holder only waits for longer; but since it is gone, that one may make an attempt without a
/// renaming, and a note that came back would deny it. One that Redis still has is void as soon
/// as the renaming after it is repeated.
#[derive(Clone, Debug)]
pub enum Written {
    /// An incarnation was enlisted, or an owner adopted.
    Hold(Hold),
    /// An incarnation came with its processors, of each of which these URLs were known then.
    Sites {
        /// Its place.
        hold: Hold,
        /// What was known of them.
        sites: KnownSites,
    },
    /// We put a payment into the journal, or made its entry name another processor: the whole
    /// entry, since it may be forgotten as a whole. It is put into words when it is needed, which is
    /// almost never.
    Entry {
        /// Under which hold.
        hold: Hold,
        /// What is to be paid.
        payment: Payment,
        /// Who may have seen it.
        processor: Option<ProcessorName>,
        /// How often the entry was renamed.
        moves: u32,
        /// When it was accepted.
        accepted_at: JournalTime,
    },
    /// A payment was found in the journal with this entry.
    Found {
        /// Its id.
        id: CorrelationId,
        /// The whole entry, as it was read.
        entry: Box<[u8]>,
        /// Under which hold it was read.
        hold: Hold,
    },
    /// A payment is in the ledger.
    Settle(Settlement),
    /// A payment is in the ledger by an operator's run.
    Stated {
        /// What is settled.
        settlement: Settlement,
        /// By which run.
        run: Box<Run>,
    },
    /// A payment is rejected.
    Reject {
        /// What was to be paid.
        payment: Payment,
        /// What each processor said.
        why: Box<str>,
        /// For how long its id is known.
        kept_for: Duration,
        /// Who owned it.
        owner: Incarnation,
        /// When it was accepted and how often its entry had been renamed, unless functions of an
        /// earlier version carried it out.
        accepted: Option<(JournalTime, u32)>,
    },
    /// A holder is going.
    Resign(Hold),
    /// An owner is forgotten.
    Discharge(Hold),
    /// A payment left a processor. Forgotten, it would never be looked up once more.
    Freed {
        /// What is to be paid.
        payment: Payment,
        /// Which one it left.
        processor: ProcessorName,
    },
    /// A payment is about to be settled at another time than its processor says.
    Restamp(Restamp),
    /// All payments were purged, which made this the generation of the data. Also what others
    /// purged: nobody may know it but us when Redis forgets it.
    Purge {
        /// The generation of what comes after it.
        generation: u64,
    },
    /// A look-up is not trusted any longer. Trust is not repeated, and a repeated distrust may
    /// undo it: it has to be earned again, which costs time. Distrust that stays forgotten
    /// could let a payment go that is held.
    Distrust {
        /// Whose look-up.
        processor: ProcessorName,
        /// Where that one is.
        url: Box<str>,
    },
}

/// Writes that one step acknowledged, and the generation that the data had in it: a later purge
/// is a purge of these, whoever repeats them. Functions of an earlier version do not tell it.
#[derive(Debug)]
pub struct Acknowledged {
    /// The writes.
    pub writes: Vec<Written>,
    /// The generation; nothing where it was not told.
    pub generation: Option<u64>,
}

impl From<Option<Written>> for Acknowledged {
    fn from(written: Option<Written>) -> Self {
        Self {
            writes: Vec::from_iter(written),
            generation: None,
        }
    }
}

/// The command that does a write again, whatever of it Redis still knows.
pub fn replay(repeated: &Repeated<Written>) -> Cmd {
    let Repeated { write, generation } = repeated;
    let mut command = write.replay(generation.is_some());
    if let Some(generation) = generation
        && write.is_of_payments()
    {
        command.arg(*generation);
        write.add_lineage(&mut command);
    }
    command
}

impl Write for Written {
    /// Those have the generation as an argument.
    fn is_of_payments(&self) -> bool {
        match self {
            Self::Entry { .. }
            | Self::Found { .. }
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

impl Written {
    /// What one step acknowledged, if that is all.
    pub fn of(self, generation: Option<u64>) -> Acknowledged {
        Acknowledged {
            writes: vec![self],
            generation,
        }
    }

    /// The payment that it is about.
    pub fn id(&self) -> Option<CorrelationId> {
        match self {
            Self::Entry { payment, .. }
            | Self::Reject { payment, .. }
            | Self::Freed { payment, .. } => Some(payment.id),
            Self::Found { id, .. } => Some(*id),
            Self::Settle(settlement) | Self::Stated { settlement, .. } => {
                Some(settlement.payment.id)
            }
            Self::Restamp(restamp) => Some(restamp.id),
            Self::Hold(_)
            | Self::Sites { .. }
            | Self::Resign(_)
            | Self::Discharge(_)
            | Self::Purge { .. }
            | Self::Distrust { .. } => None,
        }
    }

    /// What keeps it from changing an entry of another lineage.
    fn add_lineage(&self, command: &mut Cmd) {
        if let Self::Entry { .. } | Self::Found { .. } = self {
            command.arg("lineage");
        } else if let Self::Reject { owner, .. } = self {
            command.arg(owner.as_str());
        }
    }

    fn replay(&self, has_generation: bool) -> Cmd {
        match self {
            Self::Hold(hold) => command::restore_hold(hold),
            Self::Sites { hold, sites } => command::restore_sites(hold, sites),
            Self::Entry {
                hold,
                payment,
                processor,
                moves,
                accepted_at,
            } => {
                let entry = record::write_entry(&Entry {
                    payment: *payment,
                    owner: hold.owner.clone(),
                    processor: processor.clone(),
                    moves: *moves,
                    accepted_at: *accepted_at,
                });
                command::restore_entry(payment.id, entry.as_bytes(), hold)
            }
            Self::Found { id, entry, hold } => command::restore_entry(*id, entry, hold),
            Self::Settle(settlement) if has_generation => command::restore_settle(settlement),
            Self::Settle(settlement) => command::settle_all(std::iter::once(settlement)),
            Self::Stated { settlement, run } => command::restore_stated(settlement, run),
            Self::Reject {
                payment,
                why,
                kept_for,
                accepted,
                ..
            } => command::restore_reject(payment, why, *kept_for, *accepted),
            Self::Resign(hold) => command::resign(hold),
            Self::Discharge(hold) => command::discharge(hold),
            // It left now at the latest, and the latest counts. If it was looked up and
            // removed meanwhile, it is looked up again, which does no harm.
            Self::Freed { payment, processor } => command::note_freed(payment, processor),
            Self::Restamp(restamp) => command::note_restamp(restamp),
            Self::Purge { generation } => command::restore_purge(*generation),
            Self::Distrust { processor, url } => command::trust_look_up(processor, url, false),
        }
    }
}
