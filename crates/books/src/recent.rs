//! What the store acknowledged lately, and what of it is owed to a store that may have forgotten it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

/// How long an acknowledged write may be forgotten by a store that is killed: with
/// `appendfsync everysec` up to two seconds, and one to spare.
pub const FORGETFUL_FOR: Duration = Duration::from_secs(3);

/// The most writes that are kept: 3 s at 20 000 writes a second, at about 150 bytes 10 MB. When
/// there are so many, no new payments are accepted. What ends a payment that is in hand comes on
/// top, and so many there are at most.
const MAX_KEPT: usize = 65_536;

/// A write that can be repeated.
pub trait Write: Clone {
    /// Whether a purge makes it void.
    fn is_of_payments(&self) -> bool;

    /// Whether it gave an incarnation its place.
    fn is_enlistment(&self) -> bool;

    /// Everything was purged, which made this the generation of the data.
    fn purge(generation: u64) -> Self;
}

/// A write to be repeated, and the generation that the data had when it was acknowledged: a later
/// purge is a purge of this too, whoever repeats it. Older stores do not tell it.
#[derive(Clone, Debug)]
pub struct Repeated<W> {
    /// What was done.
    pub write: W,
    /// In which generation of the data.
    pub generation: Option<u64>,
}

/// What the store acknowledged in its last three seconds, in order, and what is owed to a new run.
#[derive(Debug)]
pub struct Recent<W>(Mutex<Writes<W>>);

#[derive(Debug)]
struct Writes<W> {
    writes: VecDeque<Kept<W>>,
    answered_at: Instant,
    forgetful_for: Duration,
    /// The generation of the data, as the last answer had it.
    generation: u64,
}

#[derive(Debug)]
struct Kept<W> {
    /// When the store acknowledged it last.
    at: Instant,
    /// The present run may have forgotten it and has not acknowledged it since.
    is_owed: bool,
    repeated: Repeated<W>,
}

impl<W: Write> Default for Recent<W> {
    fn default() -> Self {
        Self(Mutex::new(Writes {
            writes: VecDeque::new(),
            answered_at: Instant::now(),
            forgetful_for: FORGETFUL_FOR,
            generation: 0,
        }))
    }
}

impl<W: Write> Recent<W> {
    fn lock(&self) -> MutexGuard<'_, Writes<W>> {
        self.0.lock().expect("nothing panics under this lock")
    }

    /// How long what is acknowledged may be forgotten; zero where it is on the disk before that.
    pub fn set_forgetful_for(&self, time: Duration) {
        self.lock().forgetful_for = time;
    }

    /// The store answered, and this is what it did, in this generation of the data.
    pub fn answered(&self, writes: impl IntoIterator<Item = W>, generation: Option<u64>) {
        let now = Instant::now();
        let mut recent = self.lock();
        recent.answered_at = now;
        if let Some(generation) = generation {
            // A purge, whoever made it. A front that has just started may be told of one that
            // the store has not on its disk yet.
            if generation > recent.generation {
                recent.push(now, W::purge(generation), None);
            }
            recent.generation = generation;
        }
        for write in writes {
            recent.push(now, write, generation);
        }
        recent.prune();
    }

    /// When the store answered last.
    pub fn answered_at(&self) -> Instant {
        self.lock().answered_at
    }

    /// Forgets everything about payments, after a purge that did not raise the generation.
    pub fn clear(&self) {
        let writes = &mut self.lock().writes;
        writes.retain(|kept| !kept.repeated.write.is_of_payments());
    }

    /// The store is in another run. What it may have forgotten is owed to it until it has
    /// acknowledged that, one by one.
    pub fn owe(&self) {
        let mut recent = self.lock();
        recent.prune();
        for kept in &mut recent.writes {
            kept.is_owed = true;
        }
    }

    /// The store is to have this as well, before all else that is owed to it.
    pub fn owe_first(&self, writes: impl IntoIterator<Item = W, IntoIter: DoubleEndedIterator>) {
        let now = Instant::now();
        let mut recent = self.lock();
        let generation = Some(recent.generation);
        for write in writes.into_iter().rev() {
            recent.writes.push_front(Kept {
                at: now,
                is_owed: true,
                repeated: Repeated { write, generation },
            });
        }
    }

    /// The first of what is owed.
    pub fn owed(&self, limit: usize) -> Vec<Repeated<W>> {
        let recent = self.lock();
        let owed = recent.writes.iter().filter(|kept| kept.is_owed);
        owed.take(limit).map(|kept| kept.repeated.clone()).collect()
    }

    /// So many of what is owed have been answered.
    pub fn repeated(&self, count: usize) {
        let now = Instant::now();
        let mut recent = self.lock();
        recent.answered_at = now;
        let owed = recent.writes.iter_mut().filter(|kept| kept.is_owed);
        for kept in owed.take(count) {
            kept.is_owed = false;
            kept.at = now;
        }
        recent.prune();
    }

    /// Forgets what is not owed, for tests that show what comes of that.
    pub fn forget_repeated(&self) {
        self.lock().writes.retain(|kept| kept.is_owed);
    }

    /// Whether so much is kept that no more may come in.
    pub fn is_full(&self) -> bool {
        self.lock().writes.len() >= MAX_KEPT
    }

    /// How many acknowledged writes the store may still forget, as of its last answer.
    pub fn len(&self) -> usize {
        self.lock().writes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the store may forget that this process has a place.
    pub fn has_enlistment(&self) -> bool {
        let recent = self.lock();
        let mut writes = recent.writes.iter();
        writes.any(|kept| kept.repeated.write.is_enlistment())
    }

    /// What was acknowledged since an instant, or is owed.
    pub fn since(&self, instant: Instant) -> Vec<W> {
        let recent = self.lock();
        let kept = recent.writes.iter();
        let kept = kept.filter(|kept| kept.is_owed || kept.at >= instant);
        kept.map(|kept| kept.repeated.write.clone()).collect()
    }
}

impl<W> Writes<W> {
    fn push(&mut self, at: Instant, write: W, generation: Option<u64>) {
        self.writes.push_back(Kept {
            at,
            is_owed: false,
            repeated: Repeated { write, generation },
        });
    }

    /// Ages are measured to the last answer, not to now: while the store is away, nothing that
    /// it may have forgotten gets old.
    fn prune(&mut self) {
        while let Some(first) = self.writes.front() {
            let age = self.answered_at.duration_since(first.at);
            let is_lasting = self.forgetful_for.is_zero() || age > self.forgetful_for;
            if first.is_owed || !is_lasting {
                break;
            }
            self.writes.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Did {
        This(u32),
        Purge(u64),
    }

    impl Write for Did {
        fn is_of_payments(&self) -> bool {
            matches!(self, Self::This(_))
        }

        fn is_enlistment(&self) -> bool {
            matches!(self, Self::This(0))
        }

        fn purge(generation: u64) -> Self {
            Self::Purge(generation)
        }
    }

    fn owed(recent: &Recent<Did>) -> Vec<Did> {
        let owed = recent.owed(usize::MAX).into_iter();
        owed.map(|repeated| repeated.write).collect()
    }

    async fn pass(ms: u64) {
        tokio::time::advance(Duration::from_millis(ms)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn writes_are_kept_for_three_seconds_of_answers() {
        let recent = Recent::default();
        recent.answered([Did::This(0)], None);
        pass(2_000).await;
        recent.answered([Did::This(1)], None);
        assert_eq!((recent.len(), recent.has_enlistment()), (2, true));
        pass(2_000).await;
        assert_eq!(recent.len(), 2, "nothing ages while the store is away");
        recent.answered([], None);
        assert_eq!((recent.len(), recent.has_enlistment()), (1, false));
    }

    #[tokio::test(start_paused = true)]
    async fn where_everything_is_on_the_disk_nothing_is_kept() {
        let recent = Recent::default();
        recent.set_forgetful_for(Duration::ZERO);
        recent.answered([Did::This(0)], None);
        assert!(recent.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn owed_writes_stay_owed_until_they_are_answered() {
        let recent = Recent::default();
        recent.answered([Did::This(1), Did::This(2), Did::This(3)], None);
        recent.owe();
        pass(60_000).await;
        recent.repeated(1);
        assert_eq!(owed(&recent), [Did::This(2), Did::This(3)]);
        // It is killed again, and may have forgotten that as well.
        pass(2_000).await;
        recent.owe();
        assert_eq!(owed(&recent).len(), 3);
        recent.repeated(3);
        assert_eq!(owed(&recent), []);
        pass(2_500).await;
        recent.answered([], None);
        assert_eq!(recent.len(), 3);
        pass(600).await;
        recent.answered([], None);
        assert!(recent.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_memory_of_writes_reports_it_and_drops_nothing() {
        let recent = Recent::default();
        recent.answered((1..MAX_KEPT as u32).map(Did::This), None);
        assert!(!recent.is_full());
        recent.answered([Did::This(0), Did::This(0)], None);
        assert!(recent.is_full());
        assert_eq!(recent.len(), MAX_KEPT + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_purge_that_was_seen_is_repeated_once_and_before_what_came_after_it() {
        let recent = Recent::default();
        for (number, generation) in [(1, 4), (2, 4), (3, 5), (4, 5)] {
            recent.answered([Did::This(number)], Some(generation));
        }
        recent.owe();
        let expected = [
            Did::Purge(4),
            Did::This(1),
            Did::This(2),
            Did::Purge(5),
            Did::This(3),
            Did::This(4),
        ];
        assert_eq!(owed(&recent), expected);
    }
}
