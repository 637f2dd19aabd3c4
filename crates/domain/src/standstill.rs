use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Why a running front accepts no new payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The store refuses every write, as a replica does, or one whose disk is full.
    Refusing,
    /// The store's memory is full: new payments are refused, and those that are open go on.
    Memory,
    /// A setting of the store is unsafe.
    Settings,
    /// The store has lost its past: it is empty, another one, or an older copy.
    Past,
    /// This front's clock is far off from the store's.
    Clock,
}

impl Cause {
    /// Each of them.
    pub const ALL: [Self; 5] = [
        Self::Refusing,
        Self::Memory,
        Self::Settings,
        Self::Past,
        Self::Clock,
    ];

    /// In one word, as metrics have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refusing => "refusing",
            Self::Memory => "memory",
            Self::Settings => "settings",
            Self::Past => "past",
            Self::Clock => "clock",
        }
    }

    /// Whether nothing at all may be started.
    fn stops(self) -> bool {
        match self {
            Self::Refusing | Self::Settings | Self::Past => true,
            Self::Memory | Self::Clock => false,
        }
    }

    /// Whether it is this front's alone, so that others may do what it does not.
    fn is_own(self) -> bool {
        match self {
            Self::Clock => true,
            Self::Refusing | Self::Memory | Self::Settings | Self::Past => false,
        }
    }
}

/// Whether a front has stopped accepting payments and starting attempts, whatever the processors
/// do, and why. What it has in hand stays in memory, and questions are answered.
///
/// Whoever finds a cause begins it here and ends it when it is over; intake, lanes and
/// readiness ask here and nowhere else. (An order to stand back from one processor is another
/// thing, see [`StandBack`](crate::StandBack).)
#[derive(Debug, Default)]
pub struct Standstill {
    is_on: AtomicBool,
    is_own: AtomicBool,
    adoptions: AtomicU64,
    causes: Mutex<BTreeMap<Cause, String>>,
}

impl Standstill {
    /// Whether nothing new may be started now. Every payment asks this, so it is one load.
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Whether there is a cause that is this front's alone: then it takes no new payments, and
    /// others should get them.
    pub fn is_own(&self) -> bool {
        self.is_own.load(Ordering::Relaxed)
    }

    /// There is this cause, in words that follow "because". Whether that is news.
    pub fn begin(&self, cause: Cause, why: &str) -> bool {
        let mut causes = self.lock();
        let is_news = causes.get(&cause).is_none_or(|known| known != why);
        if is_news {
            causes.insert(cause, why.to_owned());
        }
        self.update(&causes);
        is_news
    }

    /// A cause is over. Whether it was there.
    pub fn end(&self, cause: Cause) -> bool {
        let mut causes = self.lock();
        let was_there = causes.remove(&cause).is_some();
        self.update(&causes);
        was_there
    }

    /// Whether there is this cause.
    pub fn has(&self, cause: Cause) -> bool {
        self.lock().contains_key(&cause)
    }

    /// Why no new payments are accepted; nothing while they are, as far as is known here.
    pub fn why(&self) -> Option<String> {
        let causes = self.lock();
        let all: Vec<&str> = causes.values().map(String::as_str).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// An operator has put other data, or an older copy, in the place of the store's. What was
    /// believed of payments then may be forgotten there.
    pub fn adopted(&self) {
        self.adoptions.fetch_add(1, Ordering::AcqRel);
    }

    /// How often that has happened.
    pub fn adoptions(&self) -> u64 {
        self.adoptions.load(Ordering::Acquire)
    }

    fn update(&self, causes: &BTreeMap<Cause, String>) {
        let is_on = causes.keys().any(|cause| cause.stops());
        self.is_on.store(is_on, Ordering::Relaxed);
        let is_own = causes.keys().any(|cause| cause.is_own());
        self.is_own.store(is_own, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Cause, String>> {
        // Nothing panics while holding it.
        self.causes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_on_as_long_as_any_cause_stops() {
        let standstill = Standstill::default();
        assert_eq!((standstill.is_on(), standstill.why()), (false, None));
        assert!(standstill.begin(Cause::Memory, "memory is full"));
        assert!(!standstill.is_on(), "what is open goes on");
        assert!(standstill.begin(Cause::Refusing, "it is a replica"));
        assert!(standstill.is_on());
        let why = standstill.why().unwrap();
        assert_eq!(why, "it is a replica; memory is full");
        assert!(standstill.end(Cause::Memory));
        assert!(standstill.is_on());
        assert!(standstill.end(Cause::Refusing));
        assert_eq!((standstill.is_on(), standstill.why()), (false, None));
    }

    #[test]
    fn a_cause_of_this_front_alone_does_not_stop_open_payments() {
        let standstill = Standstill::default();
        standstill.begin(Cause::Clock, "its clock is off");
        assert_eq!((standstill.is_on(), standstill.is_own()), (false, true));
        standstill.begin(Cause::Past, "it is empty");
        assert_eq!((standstill.is_on(), standstill.is_own()), (true, true));
        standstill.end(Cause::Clock);
        assert_eq!((standstill.is_on(), standstill.is_own()), (true, false));
    }

    #[test]
    fn the_same_reason_again_is_not_news() {
        let standstill = Standstill::default();
        let news = ["a", "a", "b"].map(|why| standstill.begin(Cause::Refusing, why));
        assert_eq!(news, [true, false, true]);
        let over = [0, 1].map(|_| standstill.end(Cause::Refusing));
        assert_eq!(over, [true, false]);
    }
}
