use std::collections::VecDeque;

use tokio::time::Instant;
use tracing::info;

/// The most arrivals kept: at one a window, 14 hours of them.
const KEPT: usize = 10_000;

/// When the health was asked, also the asks that were refused.
#[derive(Default)]
pub(crate) struct Asks {
    arrivals: VecDeque<i64>,
    last: Option<Instant>,
}

impl Asks {
    /// Notes and logs an ask that arrives now, `at_us` microseconds after 1970.
    pub(crate) fn arrive(&mut self, at_us: i64) {
        let now = Instant::now();
        let gap_us = self
            .last
            .and_then(|last| u64::try_from(now.duration_since(last).as_micros()).ok());
        info!(at_us, gap_us, "health asked");
        self.last = Some(now);
        if self.arrivals.len() == KEPT {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(at_us);
    }

    /// The arrivals in order, in microseconds since 1970.
    pub(crate) fn arrivals(&self) -> Vec<i64> {
        self.arrivals.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_arrivals_are_kept() {
        let mut asks = Asks::default();
        for at_us in 0..=10_000 {
            asks.arrive(at_us);
        }
        assert_eq!(asks.arrivals(), (1..=10_000).collect::<Vec<_>>());
    }
}
