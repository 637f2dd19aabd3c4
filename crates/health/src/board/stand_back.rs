//! Standing back from a processor: nothing is started there, and what is under way is counted.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tracing::info;

use super::{Board, Rank};

/// Of one processor.
#[derive(Debug, Default)]
pub(crate) struct Retreat {
    is_on: bool,
    claims: usize,
}

impl Retreat {
    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }
}

impl Board {
    /// Stands back from these processors and from no other: there are no permits for them.
    /// Orders that came anew are a shift as well.
    pub fn set_stand_backs(&self, ranks: &[Rank]) {
        let mut bits = 0;
        {
            let mut standings = self.standings();
            for rank in self.ranks() {
                let is_on = ranks.contains(&rank);
                bits |= u8::from(is_on) << rank.index();
                let retreat = standings[rank.index()].retreat();
                let was_on = std::mem::replace(&mut retreat.is_on, is_on);
                if was_on != is_on {
                    info!(processor = %self.name(rank), stands_back = is_on, "the operator's order to stand back has changed");
                }
            }
            self.standing_back.store(bits, Ordering::Release);
        }
        self.shifts.fetch_add(1, Ordering::Release);
        self.announce();
    }

    /// Whether nothing may be started there.
    pub fn stands_back(&self, rank: Rank) -> bool {
        self.standing_back.load(Ordering::Acquire) & (1 << rank.index()) != 0
    }

    /// How often there were other orders. What was known of an entry before may have been
    /// decided by an operator since.
    pub fn shifts(&self) -> u64 {
        self.shifts.load(Ordering::Acquire)
    }

    /// Whether no permit for it is out, and no claim.
    pub fn is_quiet(&self, rank: Rank) -> bool {
        let mut standings = self.standings();
        let standing = &mut standings[rank.index()];
        standing.in_flight() == 0 && standing.retreat().claims == 0
    }

    /// Counts a payment as one that a processor may have and that is in hand here, until the
    /// returned claim is dropped.
    pub fn claim(self: &Arc<Self>, rank: Rank) -> Claim {
        self.standings()[rank.index()].retreat().claims += 1;
        Claim {
            board: Arc::clone(self),
            rank,
        }
    }
}

/// A payment in hand that its processor may have.
#[derive(Debug)]
pub struct Claim {
    board: Arc<Board>,
    rank: Rank,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut standings = self.board.standings();
        let claims = &mut standings[self.rank.index()].retreat().claims;
        *claims = claims.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;
    use crate::{BoardConfig, Ended, Need};

    fn board() -> Arc<Board> {
        let config = BoardConfig {
            max_latency: Duration::from_secs(1),
            probe_interval: Duration::from_millis(200),
            max_in_flight: 2,
        };
        let names = ["a", "b"].map(|name| name.parse().unwrap());
        Board::new(config, names.to_vec())
    }

    const A: usize = 0;

    #[tokio::test(start_paused = true)]
    async fn while_it_stands_back_there_is_no_permit_and_no_probe() {
        let (board, rank, now) = (board(), Rank::new(A), Instant::now());
        board.set_stand_backs(&[rank]);
        assert!(board.stands_back(rank) && !board.stands_back(Rank::new(1)));
        assert!(board.try_start(rank, now).is_none());
        assert!(board.try_start(Rank::new(1), now).is_some());
        board.set_stand_backs(&[]);
        let permit = board.try_start(rank, now).unwrap();
        permit.ended(Ended::Failed { earlier: None });
        board.set_stand_backs(&[rank]);
        tokio::time::advance(Duration::from_secs(9)).await;
        let probe = |need| board.try_probe(rank, Instant::now(), need);
        for need in [Need::Plain, Need::Tied, Need::Dire] {
            assert!(probe(need).is_none());
        }
        board.set_stand_backs(&[]);
        assert!(probe(Need::Plain).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn while_standing_back_an_open_permit_is_not_used_and_counts_as_busy() {
        let (board, rank, now) = (board(), Rank::new(A), Instant::now());
        let permit = board.try_start(rank, now).unwrap();
        assert!(permit.is_worth_using(now));
        board.set_stand_backs(&[rank]);
        assert!(!permit.is_worth_using(now) && !board.is_quiet(rank));
        let claim = board.claim(rank);
        drop(permit);
        assert!(!board.is_quiet(rank));
        drop(claim);
        assert!(board.is_quiet(rank));
    }

    #[tokio::test(start_paused = true)]
    async fn every_order_is_a_shift_and_a_change() {
        let (board, rank) = (board(), Rank::new(A));
        for (turn, ranks) in [(1, &[rank][..]), (2, &[rank]), (3, &[])] {
            let before = board.changes().count();
            board.set_stand_backs(ranks);
            assert_eq!(board.shifts(), turn);
            assert!(board.changes().count() > before);
        }
    }
}
