use std::time::Duration;

use feeway_domain::Payment;
use feeway_health::Rank;
use tokio::time::Instant;

use crate::meters::{Meters, Pinned};
use crate::registry::InHand;
use crate::tenure::Share;

/// A payment in this front's hands.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) payment: Payment,
    /// The processor its journal entry names, if any.
    pub(crate) named: Option<Rank>,
    /// How often its entry was renamed.
    pub(crate) moves: u32,
    /// What is believed of its entry was true once the registry had it. An entry that was
    /// read from the journal may have moved, or ended, between the reading and then.
    pub(crate) confirmed: bool,
    /// Nobody can rule out that the named processor has it or will have it: it ends there.
    pub(crate) pinned: bool,
    /// The processors that said the payment itself is malformed.
    pub(crate) refused: RankSet,
    /// When it was accepted, on the monotonic clock.
    pub(crate) accepted: Instant,
    /// Before this no other POST goes to the processor it is pinned to.
    pub(crate) post_not_before: Option<Instant>,
    /// Rests taken since it was pinned, for the back-off.
    pub(crate) rests: u32,
    /// Attempts at the processor it is pinned to that ended in doubt.
    pub(crate) doubts: u32,
    /// That the processor holds it with another amount has been said.
    pub(crate) is_mismatch_told: bool,
    pub(crate) share: Share,
    _in_hand: InHand,
    counted: Option<Pinned>,
}

impl Job {
    pub(crate) fn new(
        payment: Payment,
        named: Option<Rank>,
        moves: u32,
        accepted: Instant,
        share: Share,
        in_hand: InHand,
    ) -> Self {
        Self {
            payment,
            named,
            moves,
            confirmed: true,
            pinned: false,
            refused: RankSet::default(),
            accepted,
            post_not_before: None,
            rests: 0,
            doubts: 0,
            is_mismatch_told: false,
            share,
            _in_hand: in_hand,
            counted: None,
        }
    }

    /// Pins it to the processor its entry names.
    pub(crate) fn pin(mut self, meters: &Meters) -> Self {
        self.pinned = true;
        self.counted.get_or_insert_with(|| Pinned::new(meters));
        self
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.share.tenure().is_lost()
    }

    /// How long to rest before the next step at the processor it is pinned to: 100 ms,
    /// doubled each time, at most 5 s.
    pub(crate) fn next_rest(&mut self) -> Duration {
        const FIRST: Duration = Duration::from_millis(100);
        const LONGEST: Duration = Duration::from_secs(5);
        let rest = FIRST.saturating_mul(1 << self.rests.min(6)).min(LONGEST);
        self.rests += 1;
        rest
    }
}

/// A set of processors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RankSet(u8);

impl RankSet {
    pub(crate) fn add(&mut self, rank: Rank) {
        self.0 |= 1 << rank.index();
    }

    pub(crate) fn has(self, rank: Rank) -> bool {
        self.0 & (1 << rank.index()) != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}
