use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use feeway_domain::{
    CorrelationId, Entry, Hold, JournalTime, Payment, ProcessorName, Restamp, Run, Settlement, Site,
};
use redis::Cmd;
use tokio::time::Instant;
use tracing::warn;

use crate::record;
use crate::redis_store::command;

/// How long an acknowledged write may be forgotten by a Redis that is killed: with
/// `appendfsync everysec` up to two seconds, and one to spare.
const KEPT: Duration = Duration::from_secs(3);

/// The most writes that are kept: 3 s at 20 000 writes a second, at about 150 bytes 10 MB.
const MAX_KEPT: usize = 65_536;

/// Processors of a front, each with the URLs that were known of it, as Redis has them.
pub(crate) type KnownSites = Box<[(Site, Box<str>)]>;

/// A write that Redis has acknowledged, and all that it takes to repeat it.
///
/// A note that all attempts of a payment have ended is not among them. Without it the next
/// holder only waits for longer; but since it is gone, that one may make an attempt without a
/// renaming, and a note that came back would deny it. One that Redis still has is void as soon
/// as the renaming after it is repeated.
#[derive(Clone, Debug)]
pub(crate) enum Written {
    /// An incarnation was enlisted, or an owner adopted.
    Hold(Hold),
    /// An incarnation came with its processors, of each of which these URLs were known then.
    Sites { hold: Hold, sites: KnownSites },
    /// We put a payment into the journal. Its entry is put into words when it is needed,
    /// which is almost never.
    Kept {
        hold: Hold,
        payment: Payment,
        processor: Option<ProcessorName>,
        accepted_at: JournalTime,
    },
    /// A payment was found in the journal with this entry.
    Found {
        id: CorrelationId,
        entry: Box<[u8]>,
        hold: Hold,
    },
    /// An entry names another processor.
    Rename {
        id: CorrelationId,
        moves: u32,
        to: ProcessorName,
    },
    /// A payment is in the ledger.
    Settle(Settlement),
    /// A payment is in the ledger by an operator's run.
    Stated {
        settlement: Settlement,
        run: Box<Run>,
    },
    /// A payment is rejected.
    Reject {
        payment: Payment,
        why: Box<str>,
        kept_for: Duration,
        /// When it was accepted and how often its entry had been renamed, unless functions of an
        /// earlier version carried it out.
        lineage: Option<(JournalTime, u32)>,
    },
    /// A holder is going.
    Resign(Hold),
    /// An owner is forgotten.
    Discharge(Hold),
    /// A payment left a processor. Forgotten, it would never be looked up once more.
    Freed {
        payment: Payment,
        processor: ProcessorName,
    },
    /// A payment is about to be settled at another time than its processor says.
    Restamp(Restamp),
    /// All payments were purged, which made this the generation of the data. Also what others
    /// purged: nobody may know it but us when Redis forgets it.
    Purge { generation: u64 },
    /// A look-up is not trusted any longer. Trust is not repeated, and a repeated distrust may
    /// undo it: it has to be earned again, which costs time. Distrust that stays forgotten
    /// could let a payment go that is held.
    Distrust {
        processor: ProcessorName,
        url: Box<str>,
    },
}

/// Writes that one step acknowledged, and the generation that the data had in it: a later purge
/// is a purge of these, whoever repeats them. Functions of an earlier version do not tell it.
#[derive(Debug)]
pub(crate) struct Acknowledged {
    pub(crate) writes: Vec<Written>,
    pub(crate) generation: Option<u64>,
}

impl From<Option<Written>> for Acknowledged {
    fn from(written: Option<Written>) -> Self {
        Self {
            writes: Vec::from_iter(written),
            generation: None,
        }
    }
}

/// A write to be repeated.
#[derive(Clone, Debug)]
pub(crate) struct Repeated {
    written: Written,
    generation: Option<u64>,
}

impl Repeated {
    /// The command that does it again, whatever of it Redis still knows.
    pub(crate) fn replay(&self) -> Cmd {
        let mut command = self.written.replay(self.generation.is_some());
        if let Some(generation) = self.generation
            && self.written.is_of_payments()
        {
            command.arg(generation);
        }
        command
    }
}

impl Written {
    pub(crate) fn of(self, generation: Option<u64>) -> Acknowledged {
        Acknowledged {
            writes: vec![self],
            generation,
        }
    }

    /// Whether a purge makes it void. Those have the generation as their last argument.
    fn is_of_payments(&self) -> bool {
        match self {
            Self::Kept { .. }
            | Self::Found { .. }
            | Self::Rename { .. }
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

    fn replay(&self, has_generation: bool) -> Cmd {
        match self {
            Self::Hold(hold) => command::restore_hold(hold),
            Self::Sites { hold, sites } => command::restore_sites(hold, sites),
            Self::Kept {
                hold,
                payment,
                processor,
                accepted_at,
            } => {
                let entry = record::write_entry(&Entry {
                    payment: *payment,
                    owner: hold.owner.clone(),
                    processor: processor.clone(),
                    moves: 0,
                    accepted_at: *accepted_at,
                });
                command::restore_entry(payment.id, entry.as_bytes(), hold)
            }
            Self::Found { id, entry, hold } => command::restore_entry(*id, entry, hold),
            Self::Rename { id, moves, to } => command::restore_rename(*id, *moves, to),
            Self::Settle(settlement) if has_generation => command::restore_settle(settlement),
            Self::Settle(settlement) => command::settle_all(std::iter::once(settlement)),
            Self::Stated { settlement, run } => command::restore_stated(settlement, run),
            Self::Reject {
                payment,
                why,
                kept_for,
                lineage,
            } => command::restore_reject(payment, why, *kept_for, *lineage),
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

/// What Redis acknowledged in its last three seconds, in order.
pub(crate) struct Recent(Mutex<Writes>);

struct Writes {
    writes: VecDeque<(Instant, Repeated)>,
    answered_at: Instant,
    overflowed: bool,
    /// The generation of the data, as the last answer had it.
    generation: u64,
}

impl Recent {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Writes {
            writes: VecDeque::new(),
            answered_at: Instant::now(),
            overflowed: false,
            generation: 0,
        }))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Writes> {
        self.0.lock().expect("nothing panics under this lock")
    }

    /// Redis answered, and this is what it did.
    pub(crate) fn answered(&self, acknowledged: Acknowledged) {
        let Acknowledged { writes, generation } = acknowledged;
        let now = Instant::now();
        let mut recent = self.lock();
        recent.answered_at = now;
        recent.prune();
        if let Some(generation) = generation {
            // A purge, whoever made it. A front that has just started may be told of one that
            // Redis has not on its disk yet.
            if generation > recent.generation {
                recent.push(now, Written::Purge { generation }, None);
            }
            recent.generation = generation;
        }
        for written in writes {
            recent.push(now, written, generation);
        }
    }

    /// Forgets everything about payments, after a purge that did not raise the generation.
    pub(crate) fn clear(&self) {
        let writes = &mut self.lock().writes;
        writes.retain(|(_, repeated)| !repeated.written.is_of_payments());
    }

    /// What a Redis that was killed after its last answer may have forgotten.
    pub(crate) fn snapshot(&self) -> Vec<Repeated> {
        let mut recent = self.lock();
        recent.prune();
        let writes = recent.writes.iter();
        writes.map(|(_, repeated)| repeated.clone()).collect()
    }
}

impl Writes {
    fn push(&mut self, at: Instant, written: Written, generation: Option<u64>) {
        if self.writes.len() == MAX_KEPT {
            self.writes.pop_front();
            if !self.overflowed {
                self.overflowed = true;
                warn!(MAX_KEPT, "too many writes to keep three seconds of them");
            }
        }
        let repeated = Repeated {
            written,
            generation,
        };
        self.writes.push_back((at, repeated));
    }

    /// Ages are measured to the last answer, not to now: while Redis is away, nothing that
    /// it may have forgotten gets old.
    fn prune(&mut self) {
        let answered_at = self.answered_at;
        while let Some((at, _)) = self.writes.front() {
            if answered_at.duration_since(*at) <= KEPT {
                break;
            }
            self.writes.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use feeway_domain::Incarnation;

    fn hold(epoch: u64) -> Written {
        let owner = Incarnation::new("front-1");
        Written::Hold(Hold {
            owner: owner.clone(),
            holder: owner,
            epoch,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn writes_are_kept_for_three_seconds_of_answers() {
        let recent = Recent::new();
        recent.answered(Some(hold(1)).into());
        tokio::time::advance(Duration::from_secs(2)).await;
        recent.answered(Some(hold(2)).into());
        assert_eq!(recent.snapshot().len(), 2);
        tokio::time::advance(Duration::from_secs(2)).await;
        recent.answered(None.into());
        assert_eq!(recent.snapshot().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_ages_while_redis_is_away() {
        let recent = Recent::new();
        recent.answered(Some(hold(1)).into());
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(recent.snapshot().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn their_number_is_bounded() {
        let recent = Recent::new();
        for epoch in 0..=70_000 {
            recent.answered(Some(hold(epoch)).into());
        }
        assert_eq!(recent.snapshot().len(), MAX_KEPT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_purge_that_was_seen_is_repeated_once_and_before_what_came_after_it() {
        let recent = Recent::new();
        for (epoch, generation) in [(1, 4), (2, 4), (3, 5), (4, 5)] {
            recent.answered(hold(epoch).of(Some(generation)));
        }
        let repeated = recent.snapshot();
        let places = |is_so: fn(&Written) -> bool| {
            let places = repeated.iter().enumerate();
            let places = places.filter(|(_, one)| is_so(&one.written));
            places.map(|(place, _)| place).collect::<Vec<_>>()
        };
        assert_eq!(places(|one| matches!(one, Written::Purge { .. })), [0, 3]);
        assert_eq!(places(|one| matches!(one, Written::Hold(_))), [1, 2, 4, 5]);
    }
}
