//! What tests do with a store and see of it, beyond what a front can.

use std::sync::atomic::Ordering;

use feeway_domain::{CorrelationId, Entry, ProcessorName, Settlement};

use crate::MemorySnapshot;
use crate::MemoryStore;

impl MemoryStore {
    /// All it holds now, for [`MemoryStore::restore`].
    pub fn snapshot(&self) -> MemorySnapshot {
        MemorySnapshot(self.state().clone())
    }

    /// Forgets whatever was done since the snapshot was taken. The clock goes on.
    pub fn restore(&self, snapshot: &MemorySnapshot) {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state();
        state.clone_from(&snapshot.0);
        state.has_taken = false;
    }

    /// How often everything was purged: what is acknowledged is of this generation.
    pub fn generation(&self) -> u64 {
        self.state().generation
    }

    /// How many payments are open.
    pub fn open(&self) -> usize {
        self.state().journal.open()
    }

    /// Every settled payment in order of id, and once more for every conflict: the ledger,
    /// line by line.
    pub fn settlements(&self) -> Vec<Settlement> {
        self.state().books.settlements().cloned().collect()
    }

    /// The open entry of a payment, if it is open.
    pub fn entry(&self, id: CorrelationId) -> Option<Entry> {
        self.state().journal.entry(id).cloned()
    }

    /// The entry that a rejected payment had.
    pub fn rejected_entry(&self, id: CorrelationId) -> Option<Entry> {
        self.state().journal.rejected_entry(id, self.now())
    }

    /// The URLs that are known of a processor, the newest first.
    pub fn urls(&self, processor: &ProcessorName) -> Vec<String> {
        self.state().journal.urls(processor).to_vec()
    }
}
