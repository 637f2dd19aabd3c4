use std::sync::Arc;
use std::time::Duration;

use feeway_domain::{JournalTime, Payment, Refusal, RequestedAt};
use feeway_health::{Board, Claim, Flight, Rank, Tie};
use tokio::time::Instant;

use crate::declines::{Declined, JUDGED_AFTER};
use crate::meters::{Meters, Pinned};
use crate::registry::{InHand, Kept};
use crate::tenure::Share;

/// The first rest of a payment that was refused; each is twice as long as the one before.
const FIRST_REST: Duration = Duration::from_millis(200);

/// The longest rest of a payment whose attempts have all ended.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// The longest rest between two look-ups of a payment that is in doubt.
const LONGEST_DOUBT_REST: Duration = Duration::from_secs(5);

/// So many of its last attempts' stamps a payment keeps.
const STAMPS: usize = 4;

/// The rounds of patience after which no decline is questioned any longer.
const ROUNDS: u32 = 3;

/// A payment in this front's hands.
#[derive(Debug)]
pub struct Job {
    /// What is to be paid.
    pub payment: Payment,
    /// The processor its journal entry names, if any.
    pub named: Option<Rank>,
    /// When the journal said so.
    pub named_at: Instant,
    /// The board's shifts then. After another one an operator may have decided about it.
    pub named_in: u64,
    /// How often the store had lost its past by then. After another time it is looked up first.
    pub adoptions: u64,
    /// How often its entry was renamed.
    pub moves: u32,
    /// What is believed of its entry was true once the registry had it, and no attempt needs a
    /// renaming first. An entry that was read from the journal may have moved, or ended,
    /// between the reading and then; and a note that all attempts have ended must be void
    /// before the next one starts.
    pub confirmed: bool,
    /// What ties it to the processor that its entry names.
    pub bond: Bond,
    /// Processors that may have stored an attempt of it. 409 and 422 are a no only to the first.
    pub seen_by: RankSet,
    /// The processors that declined it and are not to be asked again.
    pub declined: Vec<Decline>,
    /// The last attempt of it that was declined.
    pub last_declined: Option<Declined>,
    /// When a processor declined it first.
    pub(crate) first_declined: Option<Instant>,
    /// What its last attempts were stamped with, and where they went, the latest one first.
    stamps: [Option<(Rank, RequestedAt)>; STAMPS],
    /// The processors that refused it until its patience was over: it tries others first.
    pub left: RankSet,
    /// When it was accepted, on the monotonic clock.
    pub accepted: Instant,
    /// The same by the journal's clock.
    pub accepted_at: JournalTime,
    /// The processor that refused it last, and by which attempt.
    pub refused: Option<(Rank, Flight)>,
    /// Until when it should not be posted there again, unless somebody has to find out whether
    /// the processor works.
    pub rest_until: Option<Instant>,
    /// From when on it may find that out.
    pub rouse_from: Instant,
    /// Until when it must not, because an attempt may still be going on inside.
    pub(crate) ghost_until: Option<Instant>,
    /// Rests taken, for the back-off.
    pub(crate) rests: u32,
    /// Its late absence was found and cannot be believed, and that has been said.
    pub is_distrust_told: bool,
    /// That the processor holds it with another amount, or that its answer cannot be read, has
    /// been said.
    pub is_trouble_told: bool,
    /// A processor held it at an impossible time, and that has been said.
    pub is_time_told: bool,
    /// Counts it as in hand under its hold.
    pub share: Share,
    /// Counts it on the board as one that may be posted where it is tied.
    tie: Option<Tie>,
    /// Counts it on the board as one that the processor may have.
    claim: Option<Claim>,
    in_hand: InHand,
    counted: Option<Pinned>,
}

/// A processor's refusal of a payment.
#[derive(Clone, Copy, Debug)]
pub struct Decline {
    /// Who refused it.
    pub rank: Rank,
    /// With which status.
    pub status: u16,
    /// The attempt that was declined.
    pub declined: Option<Declined>,
    /// It was found to speak of this payment, not of the processor.
    pub is_final: bool,
}

/// What ties a payment to the processor that its entry names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bond {
    /// Nothing: whatever was sent there is not held.
    Free,
    /// This front knows that every attempt ever made there has ended, and the last answer says
    /// no. It is free once it was absent late enough.
    Refused {
        /// When the last answer was read.
        at: Instant,
        /// What it said; nothing when another front read it.
        by: Option<Refusal>,
    },
    /// Nobody can rule out that the processor has it or will have it: it ends there.
    Doubt,
}

impl Job {
    /// A payment that this front has just got into its hands.
    pub fn new(
        payment: Payment,
        named: Option<Rank>,
        moves: u32,
        (accepted, accepted_at): (Instant, JournalTime),
        share: Share,
        in_hand: InHand,
    ) -> Self {
        let job = Self {
            payment,
            named,
            named_at: Instant::now(),
            named_in: 0,
            adoptions: 0,
            moves,
            confirmed: true,
            bond: Bond::Free,
            seen_by: RankSet::default(),
            declined: Vec::new(),
            last_declined: None,
            first_declined: None,
            stamps: [None; STAMPS],
            left: RankSet::default(),
            accepted,
            accepted_at,
            refused: None,
            rest_until: None,
            rouse_from: Instant::now(),
            ghost_until: None,
            rests: 0,
            is_distrust_told: false,
            is_trouble_told: false,
            is_time_told: false,
            share,
            tie: None,
            claim: None,
            in_hand,
            counted: None,
        };
        job.note();
        job
    }

    /// What the journal says of it, for a store that loses it.
    fn note(&self) {
        self.in_hand.note(Kept {
            payment: self.payment,
            tenure: Arc::clone(self.share.tenure()),
            named: self.named,
            moves: self.moves,
            accepted_at: self.accepted_at,
        });
    }

    /// Its entry names this processor now, in these shifts of the board.
    pub fn renamed(&mut self, rank: Rank, shifts: u64) {
        self.named = Some(rank);
        self.moves += 1;
        self.named_at = Instant::now();
        self.named_in = shifts;
        self.confirmed = true;
        self.note();
    }

    /// Ties it to the processor that its entry names.
    pub fn bind(&mut self, bond: Bond, board: &Arc<Board>) {
        self.bond = bond;
        self.claim = self.named.map(|rank| board.claim(rank));
    }

    /// Pins it to the processor its entry names.
    pub fn pin(mut self, board: &Arc<Board>, meters: &Meters) -> Self {
        self.bind(Bond::Doubt, board);
        self.count_as_pinned(meters);
        self
    }

    /// Counts it as pinned for as long as it is in hand.
    pub fn count_as_pinned(&mut self, meters: &Meters) {
        self.counted.get_or_insert_with(|| Pinned::new(meters));
    }

    /// Nothing ties it any longer.
    pub fn free(&mut self) {
        self.bond = Bond::Free;
        self.counted = None;
        self.is_distrust_told = false;
        self.tie = None;
        self.claim = None;
    }

    /// Counts it on the board as one that may be posted where it is tied, or no longer.
    pub fn set_tie(&mut self, tie: Option<Tie>) {
        self.tie = tie;
    }

    /// Whether its hold is lost: somebody else goes on with it.
    pub fn is_lost(&self) -> bool {
        self.share.tenure().is_lost()
    }

    /// No processor has ever refused it.
    pub fn is_fresh(&self) -> bool {
        self.refused.is_none() && self.first_declined.is_none() && self.left.is_empty()
    }

    /// Whether it has waited for its patience.
    pub fn is_impatient(&self, patience: Duration, now: Instant) -> bool {
        now >= self.accepted + patience
    }

    /// The processors that declined it.
    pub fn declined_by(&self) -> RankSet {
        let mut ranks = RankSet::default();
        for decline in &self.declined {
            ranks.add(decline.rank);
        }
        ranks
    }

    /// It is certain that a processor that declined it does not hold it.
    pub fn add_decline(&mut self, rank: Rank, status: u16) {
        let declined = self.last_declined;
        let at = declined.map_or_else(Instant::now, |declined| declined.at);
        self.first_declined.get_or_insert(at);
        self.declined.push(Decline {
            rank,
            status,
            declined,
            is_final: false,
        });
    }

    /// From when on all its declines are final, whatever became of others.
    pub fn declined_for_good_at(&self, patience: Duration) -> Option<Instant> {
        self.first_declined.map(|first| first + patience * ROUNDS)
    }

    /// Those who declined it are asked again, but for the declines that are final.
    pub fn forget_doubtful_declines(&mut self) {
        for decline in self.declined.extract_if(.., |decline| !decline.is_final) {
            // No attempt there was stored, which its absence has proven: what it says to the
            // next one is said to a first.
            self.seen_by.remove(decline.rank);
        }
    }

    /// How long to wait before its declines are judged again.
    pub fn next_pause(&mut self) -> Duration {
        self.next_rest().max(JUDGED_AFTER)
    }

    /// An attempt starts with this stamp.
    pub fn add_stamp(&mut self, rank: Rank, stamp: RequestedAt) {
        self.stamps.rotate_right(1);
        self.stamps[0] = Some((rank, stamp));
    }

    /// What its attempts at a processor were stamped with, the latest one first.
    pub fn stamps_at(&self, rank: Rank) -> impl Iterator<Item = RequestedAt> {
        let stamps = self.stamps.iter().flatten();
        let there = stamps.filter(move |(at, _)| *at == rank);
        there.map(|(_, stamp)| *stamp)
    }

    /// The last attempt of it that this processor refused.
    pub fn refused_by(&self, rank: Rank) -> Option<Flight> {
        let refused = self.refused.filter(|(by, _)| *by == rank);
        refused.map(|(_, flight)| flight)
    }

    /// Whether it may be posted where it is tied, its rest aside: not while an earlier attempt
    /// may be going on inside, and not after a decline, unless it can never leave. A second
    /// attempt that gets 409 or 422 would prove nothing any more.
    pub fn may_be_posted(&self, now: Instant) -> bool {
        match self.bond {
            Bond::Free => false,
            Bond::Refused { by, .. } => match by {
                Some(Refusal::Declined { status }) => {
                    self.is_distrust_told && !matches!(status, 409 | 422)
                }
                Some(Refusal::Failing { .. }) => true,
                None => self.is_distrust_told,
            },
            Bond::Doubt => self.ghost_until.is_none_or(|until| now >= until),
        }
    }

    /// Whether it waits for its absence to count rather than for the processor: every further
    /// attempt would begin that wait anew.
    pub fn is_leaving(&self, patience: Duration, now: Instant) -> bool {
        let is_refused = match self.bond {
            Bond::Refused { by, .. } => matches!(by, Some(Refusal::Failing { .. }) | None),
            Bond::Free | Bond::Doubt => false,
        };
        is_refused && !self.is_distrust_told && self.is_impatient(patience, now)
    }

    /// From when on an absence would be late.
    pub fn late_from(&self, absence_after: Duration) -> Option<Instant> {
        match self.bond {
            Bond::Refused { at, .. } => Some(at + absence_after),
            Bond::Free | Bond::Doubt => None,
        }
    }

    /// How long to rest before the next step.
    pub fn next_rest(&mut self) -> Duration {
        let longest = match self.bond {
            Bond::Free | Bond::Refused { .. } => LONGEST_REST,
            Bond::Doubt => LONGEST_DOUBT_REST,
        };
        let rest = FIRST_REST.saturating_mul(1 << self.rests.min(8));
        self.rests += 1;
        rest.min(longest)
    }
}

/// A set of processors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RankSet(u8);

impl RankSet {
    /// One more.
    pub fn add(&mut self, rank: Rank) {
        self.0 |= 1 << rank.index();
    }

    pub(crate) fn remove(&mut self, rank: Rank) {
        self.0 &= !(1 << rank.index());
    }

    /// Whether it is among them.
    pub fn has(self, rank: Rank) -> bool {
        self.0 & (1 << rank.index()) != 0
    }

    /// Those of both.
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}
