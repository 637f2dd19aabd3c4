//! Reports that the leader has made and nobody has brought.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So many in a row, and it is no chance.
const SILENCE: u32 = 3;

/// When a report was made is reckoned from its age, which wavers. Two of one processor are
/// seconds apart.
const APART: Duration = Duration::from_secs(1);

/// How many reports of each processor were made since the last one that was heard.
pub(crate) struct Unheard(Mutex<Vec<OfProcessor>>);

#[derive(Clone, Copy, Debug, Default)]
struct OfProcessor {
    last_made: Option<Instant>,
    unheard: u32,
}

impl Unheard {
    /// Of so many processors.
    pub(crate) fn new(processors: usize) -> Self {
        Self(Mutex::new(vec![OfProcessor::default(); processors]))
    }

    /// The last report of a processor was made then. The first one that is seen is old news.
    pub(crate) fn made(&self, processor: usize, made: Instant) {
        self.look(|all| {
            if let Some(of) = all.get_mut(processor) {
                let is_new = of.last_made.is_some_and(|last| made > last + APART);
                of.unheard = of.unheard.saturating_add(u32::from(is_new));
                of.last_made = Some(made);
            }
        });
    }

    /// A report of a processor has come.
    pub(crate) fn heard(&self, processor: usize) {
        self.look(|all| {
            if let Some(of) = all.get_mut(processor) {
                of.unheard = 0;
            }
        });
    }

    /// Nothing that was made before is missed any longer.
    pub(crate) fn forgive(&self) {
        self.look(|all| all.iter_mut().for_each(|of| of.unheard = 0));
    }

    /// Whether the reports of any processor fail to come.
    pub(crate) fn is_silence(&self) -> bool {
        self.look(|all| all.iter().any(|of| of.unheard >= SILENCE))
    }

    fn look<T>(&self, act: impl FnOnce(&mut Vec<OfProcessor>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND: Duration = Duration::from_millis(5_150);

    #[test]
    fn three_undelivered_reports_count_as_silence() {
        let unheard = Unheard::new(2);
        let start = Instant::now();
        for round in 0..4 {
            assert!(!unheard.is_silence(), "{round}");
            // Looked at twice, and not quite at the same age.
            unheard.made(1, start + ROUND * round);
            unheard.made(1, start + ROUND * round + Duration::from_millis(3));
            unheard.made(0, start + ROUND * round);
            unheard.heard(0);
        }
        assert!(unheard.is_silence());
        unheard.heard(0);
        assert!(
            unheard.is_silence(),
            "another processor's report is no excuse"
        );
        unheard.heard(1);
        assert!(!unheard.is_silence());
    }

    #[test]
    fn a_leader_that_makes_no_reports_is_not_silence() {
        let unheard = Unheard::new(1);
        let made = Instant::now();
        for _ in 0..10 {
            unheard.made(0, made);
        }
        assert!(!unheard.is_silence());
    }

    #[test]
    fn reports_made_while_disconnected_are_not_missed() {
        let unheard = Unheard::new(1);
        let start = Instant::now();
        for round in 0..3 {
            unheard.made(0, start + ROUND * round);
        }
        unheard.forgive();
        unheard.made(0, start + ROUND * 3);
        assert!(!unheard.is_silence());
    }
}
