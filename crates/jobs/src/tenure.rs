use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use feeway_domain::{Hold, ProcessorName};
use tokio::sync::Notify;

use crate::sabotage::Sabotage;

/// Entries by a processor that they name and that is not configured here.
pub type Unconfigured = BTreeMap<ProcessorName, usize>;

/// One owner's entries in this front's care: its own, or adopted ones.
#[derive(Debug)]
pub struct Tenure {
    /// The hold on the owner.
    pub hold: Hold,
    lost: AtomicBool,
    /// The store can no longer forget it.
    lasting: AtomicBool,
    /// Payments of this owner that the registry holds.
    in_hand: AtomicUsize,
    /// Entries that wait in the journal because nothing here can work on them.
    pub unplaceable: AtomicUsize,
    /// Those of them that name a processor which is not configured here, by its name.
    unconfigured: Mutex<Unconfigured>,
    /// Entries wait in the journal, or may do so: the feeder has work.
    behind: AtomicBool,
    times_behind: AtomicUsize,
    work: Notify,
}

impl Tenure {
    /// A tenure that has just begun.
    pub fn new(hold: Hold) -> Arc<Self> {
        Arc::new(Self {
            hold,
            lost: AtomicBool::new(false),
            lasting: AtomicBool::new(false),
            in_hand: AtomicUsize::new(0),
            unplaceable: AtomicUsize::new(0),
            unconfigured: Mutex::default(),
            behind: AtomicBool::new(false),
            times_behind: AtomicUsize::new(0),
            work: Notify::new(),
        })
    }

    /// Whether the owner is this front's own present incarnation.
    pub fn is_own(&self) -> bool {
        self.hold.owner == self.hold.holder
    }

    /// Whether somebody else holds the owner now.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Whether the store can no longer forget it, so that attempts may start.
    pub fn is_lasting(&self) -> bool {
        self.lasting.load(Ordering::Relaxed) || Sabotage::StartAtOnce.is_on()
    }

    /// The store can no longer forget it.
    pub fn set_lasting(&self) {
        self.lasting.store(true, Ordering::Relaxed);
    }

    /// Somebody else holds the owner now: nothing new may be done under this hold.
    pub fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
        self.work.notify_one();
    }

    /// Whether entries wait in the journal.
    pub fn is_behind(&self) -> bool {
        self.behind.load(Ordering::Relaxed)
    }

    /// Entries were left in the journal: wakes the feeder.
    pub fn fall_behind(&self) {
        self.times_behind.fetch_add(1, Ordering::Relaxed);
        self.behind.store(true, Ordering::Relaxed);
        self.work.notify_one();
    }

    /// How often entries were left behind. To be read before the queue is.
    pub fn times_behind(&self) -> usize {
        self.times_behind.load(Ordering::Relaxed)
    }

    /// The feeder has come to the end of the queue. False when entries were left behind
    /// since `seen`, which the end it saw may not have had yet.
    pub fn catch_up(&self, seen: usize) -> bool {
        let caught_up = self.times_behind() == seen;
        if caught_up {
            self.behind.store(false, Ordering::Relaxed);
        }
        caught_up
    }

    /// Waits until entries were left behind, or the tenure is lost. Cancel safe.
    pub async fn work(&self) {
        self.work.notified().await;
    }

    /// Payments of this owner that are in hand or cannot be worked on here.
    pub fn accounted_for(&self) -> usize {
        self.in_hand.load(Ordering::Relaxed) + self.unplaceable.load(Ordering::Relaxed)
    }

    /// Entries that name processors which are not configured here.
    pub(crate) fn unconfigured(&self) -> Unconfigured {
        self.lock_unconfigured().clone()
    }

    /// The feeder found these. True when they are others than before.
    pub fn set_unconfigured(&self, found: Unconfigured) -> bool {
        let mut known = self.lock_unconfigured();
        let is_news = *known != found;
        *known = found;
        is_news
    }

    fn lock_unconfigured(&self) -> MutexGuard<'_, Unconfigured> {
        self.unconfigured
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether some cannot be worked on here.
    pub fn has_unplaceable(&self) -> bool {
        self.unplaceable.load(Ordering::Relaxed) > 0
    }

    /// Counts a payment as in hand until the returned share is dropped.
    pub fn share(self: &Arc<Self>) -> Share {
        self.in_hand.fetch_add(1, Ordering::Relaxed);
        Share(Arc::clone(self))
    }
}

/// A payment's hold on its tenure.
#[derive(Debug)]
pub struct Share(Arc<Tenure>);

impl Share {
    /// The tenure.
    pub fn tenure(&self) -> &Arc<Tenure> {
        &self.0
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.in_hand.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All tenures of this front.
#[derive(Debug, Default)]
pub struct Tenures(Mutex<Vec<Arc<Tenure>>>);

impl Tenures {
    /// The present incarnation's, once it is enlisted.
    pub fn own(&self) -> Option<Arc<Tenure>> {
        self.list()
            .iter()
            .find(|tenure| tenure.is_own() && !tenure.is_lost())
            .cloned()
    }

    /// Whether entries of any wait in the journal.
    pub fn are_behind(&self) -> bool {
        self.list().iter().any(|tenure| tenure.is_behind())
    }

    /// All of them.
    pub fn all(&self) -> Vec<Arc<Tenure>> {
        self.list().clone()
    }

    /// One more.
    pub fn add(&self, tenure: Arc<Tenure>) {
        self.list().push(tenure);
    }

    /// Gives one up.
    pub fn remove(&self, hold: &Hold) {
        self.list().retain(|tenure| tenure.hold != *hold);
    }

    fn list(&self) -> MutexGuard<'_, Vec<Arc<Tenure>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
