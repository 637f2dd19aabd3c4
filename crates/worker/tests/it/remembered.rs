use std::time::Duration;

use feeway_store::Acknowledged;
use tokio::time::Instant;

/// How long a front remembers what it was told is written.
const KEPT: Duration = Duration::from_secs(3);

/// What a front was told is written, lately.
pub(crate) struct Remembered {
    lapses: u64,
    /// Each with the generation of the data then.
    writes: Vec<(Instant, (Acknowledged, u64))>,
}

impl Remembered {
    /// Nothing, after so many lapses of the store's memory.
    pub(crate) fn new(lapses: u64) -> Self {
        Self {
            lapses,
            writes: Vec::new(),
        }
    }

    pub(crate) fn note(&mut self, write: Option<(Acknowledged, u64)>) {
        self.forget_old();
        let now = Instant::now();
        self.writes.extend(write.map(|write| (now, write)));
    }

    /// What the store may have forgotten if it has had so many lapses.
    pub(crate) fn lapsed(&mut self, lapses: u64) -> Vec<(Acknowledged, u64)> {
        if self.lapses == lapses {
            return Vec::new();
        }
        self.lapses = lapses;
        self.forget_old();
        self.writes.iter().map(|(_, write)| write.clone()).collect()
    }

    fn forget_old(&mut self) {
        self.writes.retain(|(at, _)| at.elapsed() < KEPT);
    }
}
