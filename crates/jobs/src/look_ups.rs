use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use feeway_health::Rank;
use tokio::time::Instant;

/// How often a payment that is surely held is looked up.
pub const INTERVAL: Duration = Duration::from_secs(60);

/// What is known of every processor's look-up.
#[derive(Debug)]
pub struct LookUps(Vec<LookUp>);

#[derive(Debug, Default)]
struct LookUp {
    is_trusted: AtomicBool,
    /// When the next held payment is to be looked up; nothing before the first.
    next: Mutex<Option<Instant>>,
}

impl LookUps {
    /// Nothing is known of so many processors.
    pub fn new(processors: usize) -> Self {
        Self((0..processors).map(|_| LookUp::default()).collect())
    }

    /// Whether an absence that is late enough counts.
    pub fn are_trusted(&self, rank: Rank) -> bool {
        self.0[rank.index()].is_trusted.load(Ordering::Relaxed)
    }

    /// Sets that. True when it was otherwise before.
    pub fn set_trusted(&self, rank: Rank, trusted: bool) -> bool {
        let is_trusted = &self.0[rank.index()].is_trusted;
        is_trusted.swap(trusted, Ordering::Relaxed) != trusted
    }

    /// Whether a payment that is held now is to be looked up. If so, no other one is for a while.
    pub fn take_turn(&self, rank: Rank, now: Instant) -> bool {
        let next = &self.0[rank.index()].next;
        let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
        if next.is_some_and(|next| now < next) {
            return false;
        }
        *next = Some(now + INTERVAL);
        true
    }
}
