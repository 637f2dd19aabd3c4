//! When a processor's decline is final, so that a payment may be rejected for it.
//!
//! A broken proxy declines whatever it gets, and its first declines look like any other: the
//! processor held a payment a moment ago. So a decline is judged by what became of the attempts
//! that were started next to it. Where these were held, it speaks of its payment; where other
//! payments were declined as well, it may speak of the processor.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use feeway_domain::CorrelationId;
use feeway_health::Rank;
use tokio::time::Instant;

/// How near in time a processor must have held another payment.
const NEAR: Duration = Duration::from_secs(60);

/// How long after a decline it is judged at the earliest, so that what becomes of the attempts
/// next to it is known.
pub(crate) const JUDGED_AFTER: Duration = Duration::from_secs(1);

/// The most declines of a processor that are remembered. One that is forgotten is not final, so
/// its payment is tried again. At about 100 bytes each, 0.8 MB.
const MAX_DECLINES: usize = 8_192;

/// The most yeses that are remembered: about as many attempts may be overtaken by another.
const MAX_HELD: usize = 1_024;

/// The place of an attempt among all of a front at one processor, in the order of their starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn(u64);

/// An attempt that was declined.
#[derive(Clone, Copy, Debug)]
pub struct Declined {
    turn: Turn,
    /// When the answer was read.
    pub(crate) at: Instant,
}

/// What each processor answered lately, by rank.
#[derive(Debug)]
pub struct Declines(Vec<OfProcessor>);

#[derive(Debug, Default)]
struct OfProcessor {
    turns: AtomicU64,
    answers: Mutex<Answers>,
}

#[derive(Debug, Default)]
struct Answers {
    held: BTreeMap<u64, Instant>,
    declined: BTreeMap<u64, Neighbours>,
}

/// A decline, and the nearest attempts before and after it that were held, with the times at
/// which they were answered.
#[derive(Debug)]
struct Neighbours {
    id: CorrelationId,
    before: Option<(u64, Instant)>,
    after: Option<(u64, Instant)>,
}

impl Declines {
    /// Nothing was declined yet.
    pub fn new(processors: usize) -> Self {
        Self((0..processors).map(|_| OfProcessor::default()).collect())
    }

    /// An attempt starts.
    pub fn start(&self, rank: Rank) -> Turn {
        let turns = &self.0[rank.index()].turns;
        Turn(turns.fetch_add(1, Ordering::Relaxed))
    }

    /// It was answered with a yes.
    pub fn held(&self, rank: Rank, Turn(turn): Turn) {
        self.answers(rank).add_held(turn, Instant::now());
    }

    /// It was answered with a decline.
    pub fn declined(&self, rank: Rank, turn: Turn, id: CorrelationId) -> Declined {
        self.answers(rank).add_declined(turn.0, id);
        Declined {
            turn,
            at: Instant::now(),
        }
    }

    /// Whether a decline speaks of its payment: no attempt of another payment was declined
    /// between the nearest ones that were held, and one of these was held near in time.
    pub fn is_final(&self, rank: Rank, declined: Declined, now: Instant) -> bool {
        let Declined { turn, at } = declined;
        if now < at + JUDGED_AFTER {
            return false;
        }
        let answers = self.answers(rank);
        let Some(Neighbours { id, before, after }) = answers.declined.get(&turn.0) else {
            return false;
        };
        let from = before.map_or(0, |(turn, _)| turn);
        let to = after.map_or(u64::MAX, |(turn, _)| turn);
        let is_near = |(_, held_at): (u64, Instant)| {
            let (earlier, later) = (held_at.min(at), held_at.max(at));
            later - earlier <= NEAR
        };
        [*before, *after].into_iter().flatten().any(is_near)
            && answers
                .declined
                .range(from..to)
                .all(|(_, other)| other.id == *id)
    }

    fn answers(&self, rank: Rank) -> MutexGuard<'_, Answers> {
        let answers = &self.0[rank.index()].answers;
        answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers {
    /// Tells the declines next to it. Those further away have a nearer one, so almost always
    /// there is nobody to tell.
    fn add_held(&mut self, turn: u64, at: Instant) {
        self.held.insert(turn, at);
        if self.held.len() > MAX_HELD {
            self.held.pop_first();
        }
        for (_, later) in self.declined.range_mut(turn..) {
            if later.before.is_some_and(|(nearer, _)| nearer > turn) {
                break;
            }
            later.before = Some((turn, at));
        }
        for (_, earlier) in self.declined.range_mut(..turn).rev() {
            if earlier.after.is_some_and(|(nearer, _)| nearer < turn) {
                break;
            }
            earlier.after = Some((turn, at));
        }
    }

    fn add_declined(&mut self, turn: u64, id: CorrelationId) {
        let at = |(&turn, &at): (&u64, &Instant)| (turn, at);
        let neighbours = Neighbours {
            id,
            before: self.held.range(..turn).next_back().map(at),
            after: self.held.range(turn..).next().map(at),
        };
        self.declined.insert(turn, neighbours);
        if self.declined.len() > MAX_DECLINES {
            self.declined.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn rank() -> Rank {
        Rank::new(0)
    }

    /// What becomes of an attempt: it is held, or a payment of this number is declined.
    #[derive(Clone, Copy)]
    enum Answer {
        Held,
        No(u8),
    }
    use Answer::{Held, No};

    /// Starts attempts in order, and answers them in the order of these places. Says of each
    /// decline whether it is final two seconds later.
    async fn judged(attempts: &[Answer], answered: &[usize]) -> Vec<bool> {
        let declines = Declines::new(1);
        let turns: Vec<Turn> = attempts.iter().map(|_| declines.start(rank())).collect();
        let mut found = vec![None; attempts.len()];
        for &place in answered {
            match attempts[place] {
                Held => declines.held(rank(), turns[place]),
                No(number) => {
                    let id = CorrelationId::from_bytes([number; 16]);
                    found[place] = Some(declines.declined(rank(), turns[place], id));
                }
            }
        }
        advance(2 * JUDGED_AFTER).await;
        let now = Instant::now();
        let found = found.into_iter().flatten();
        found
            .map(|declined| declines.is_final(rank(), declined, now))
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_decline_among_yeses_is_final_and_one_among_declines_is_not() {
        for (attempts, expected) in [
            (&[Held, No(1), Held][..], &[true][..]),
            (&[Held, No(1)], &[true]),
            (&[No(1), Held], &[true]),
            (&[No(1)], &[false]),
            (&[Held, No(1), No(2)], &[false, false]),
            (&[No(1), No(2), Held], &[false, false]),
            (&[Held, No(1), No(2), No(3), Held], &[false; 3]),
            (&[Held, No(1), Held, No(2), Held], &[true, true]),
            // The same payment once more says nothing new of the processor.
            (&[Held, No(1), No(1), Held], &[true, true]),
            (&[Held, No(1), No(2), No(1), Held], &[false; 3]),
            (
                &[Held, No(1), No(2), Held, No(1), Held],
                &[false, false, true],
            ),
        ] {
            let in_order: Vec<usize> = (0..attempts.len()).collect();
            assert_eq!(judged(attempts, &in_order).await, expected);
            let backwards: Vec<usize> = (0..attempts.len()).rev().collect();
            assert_eq!(judged(attempts, &backwards).await, expected, "backwards");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn declines_that_come_before_slower_yeses_are_told_apart_by_their_starts() {
        let attempts = [Held, No(1), Held, No(2), Held, No(3), No(4), Held];
        let answered = [1, 3, 5, 6, 4, 0, 7, 2];
        assert_eq!(
            judged(&attempts, &answered).await,
            [true, true, false, false]
        );
        // What has no answer so far is passed over.
        assert_eq!(judged(&attempts, &[0, 1, 7]).await, [true]);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_judged_after_a_second_and_by_a_yes_within_a_minute() {
        let id = CorrelationId::from_bytes([1; 16]);
        for (seconds, expected) in [(60, true), (61, false)] {
            let declines = Declines::new(1);
            declines.held(rank(), declines.start(rank()));
            advance(Duration::from_secs(seconds)).await;
            let declined = declines.declined(rank(), declines.start(rank()), id);
            let is_final = || declines.is_final(rank(), declined, Instant::now());
            assert!(!is_final());
            advance(JUDGED_AFTER).await;
            assert_eq!(is_final(), expected, "{seconds} s after a yes");
            advance(Duration::from_secs(58)).await;
            declines.held(rank(), declines.start(rank()));
            assert!(is_final(), "59 s before a yes");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded_and_what_is_forgotten_is_not_final() {
        let declines = Declines::new(1);
        let id = |number: u64| CorrelationId::from_bytes(u128::from(number).to_be_bytes());
        declines.held(rank(), declines.start(rank()));
        let first = declines.declined(rank(), declines.start(rank()), id(0));
        for number in 1..=10_000 {
            declines.held(rank(), declines.start(rank()));
            declines.declined(rank(), declines.start(rank()), id(number));
        }
        advance(JUDGED_AFTER).await;
        assert!(!declines.is_final(rank(), first, Instant::now()));
        let answers = declines.answers(rank());
        assert_eq!(answers.declined.len(), MAX_DECLINES);
        assert_eq!(answers.held.len(), MAX_HELD);
    }
}
