//! Lives of the store: in a new one it may have forgotten what it answered lately.

use feeway_domain::{JournalTime, LAPSE, RELEASED, StoreFault};

use super::{Journal, Record};
use crate::MemoryStore;
use crate::State;

/// A holder that never lives.
pub(crate) const NOBODY: &str = "nobody";

/// One life of the store.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) number: u64,
    /// What tells it from others, also from those that were forgotten.
    id: u64,
    pub(crate) since: JournalTime,
    is_open: bool,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            number: 1,
            id: 0,
            since: JournalTime::from_micros(0),
            is_open: true,
        }
    }
}

impl Record {
    /// Whether its holder may remember what this run has forgotten.
    fn may_remember(&self, run: &Run, now: JournalTime) -> bool {
        let never_lives = [NOBODY, RELEASED].contains(&self.holder.as_str());
        self.run != run.number && !never_lives && !self.is_lapsed(now, run.since)
    }
}

impl Journal {
    /// As the function `find_run`. Whether the run is open.
    pub(crate) fn find_run(&mut self, id: u64, now: JournalTime) -> bool {
        if self.run.id != id {
            self.run = Run {
                number: self.run.number + 1,
                id,
                since: now,
                is_open: false,
            };
        }
        if !self.run.is_open {
            let mut records = self.owners.values();
            self.run.is_open = !records.any(|record| record.may_remember(&self.run, now));
        }
        self.run.is_open
    }

    /// The number of the run, for the record of a front that has repeated everything in the run of
    /// this id.
    pub(crate) fn repeated_in(&self, id: u64) -> u64 {
        if self.run.id == id {
            self.run.number
        } else {
            0
        }
    }
}

impl MemoryStore {
    /// What tells this life of the store from others.
    pub fn run(&self) -> u64 {
        self.runs.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// The same store for a front that has repeated everything to it in a run.
    #[must_use]
    pub fn repeated_in(&self, run: u64) -> Self {
        Self {
            repeated_in: Some(run),
            ..self.clone()
        }
    }

    /// The run to which whoever calls has repeated everything. Without fronts nobody forgets.
    pub(crate) fn claim(&self) -> u64 {
        self.repeated_in.unwrap_or_else(|| self.run())
    }

    /// Does nothing while the run is closed.
    pub(crate) fn check_open(&self, state: &mut State) -> Result<(), StoreFault> {
        if state.journal.find_run(self.run(), self.now()) {
            Ok(())
        } else {
            Err(StoreFault::Closed)
        }
    }

    /// As if nobody had to be waited for, for tests that show what comes of that.
    pub fn open_at_once(&self) {
        let mut state = self.state();
        state.journal.find_run(self.run(), self.now());
        state.journal.run.is_open = true;
    }

    /// Whether the present life waits for nobody who may remember what it has forgotten.
    pub fn is_open(&self) -> bool {
        self.check_open(&mut self.state()).is_ok()
    }
}

/// How long after its last word, or the beginning of the run, a holder counts as silent.
pub(crate) fn is_silent(beat: JournalTime, since: JournalTime, now: JournalTime) -> bool {
    beat.max(since).age(now) >= LAPSE
}
