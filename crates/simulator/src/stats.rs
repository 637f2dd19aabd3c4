/// How many seconds of arrivals are kept.
pub(crate) const SECONDS: usize = 120;
const SPAN: i64 = 120;

/// What became of the payments that were posted since the start. A purge leaves it alone.
pub(crate) struct Stats {
    pub(crate) counts: Counts,
    /// POSTs by second modulo [`SECONDS`], up to and with `newest`.
    arrivals: [u64; SECONDS],
    newest: i64,
}

/// POSTs by their end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// All of them.
    pub(crate) posts: u64,
    /// The id was there already.
    pub(crate) duplicates: u64,
    /// 429: neither permit nor place in the queue.
    pub(crate) busy: u64,
    /// 500 of the failure switch.
    pub(crate) failed: u64,
    /// 400.
    pub(crate) malformed: u64,
    /// There was a rule for them, whatever their end.
    pub(crate) ruled: u64,
}

impl Stats {
    pub(crate) fn new(second: i64) -> Self {
        Self {
            counts: Counts::default(),
            arrivals: [0; SECONDS],
            newest: second,
        }
    }

    /// Counts a POST that arrives in this second since 1970.
    pub(crate) fn arrive(&mut self, second: i64) {
        self.counts.posts += 1;
        self.turn(second);
        // A clock that was set back by more than the span has no place to count in.
        if second > self.newest - SPAN {
            self.arrivals[slot(second)] += 1;
        }
    }

    /// POSTs in each of the last [`SECONDS`] seconds, the present one last.
    pub(crate) fn per_second(&mut self, second: i64) -> Vec<(i64, u64)> {
        self.turn(second);
        (self.newest - SPAN + 1..=self.newest)
            .map(|second| (second, self.arrivals[slot(second)]))
            .collect()
    }

    fn turn(&mut self, second: i64) {
        let passed = (second - self.newest).clamp(0, SPAN);
        for gone in second - passed + 1..=second {
            self.arrivals[slot(gone)] = 0;
        }
        self.newest = self.newest.max(second);
    }
}

fn slot(second: i64) -> usize {
    usize::try_from(second.rem_euclid(SPAN)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy_seconds(stats: &mut Stats, now: i64) -> Vec<(i64, u64)> {
        let mut seconds = stats.per_second(now);
        assert_eq!(seconds.len(), SECONDS);
        assert_eq!(seconds.last().map(|last| last.0), Some(now));
        seconds.retain(|(_, count)| *count > 0);
        seconds
    }

    #[test]
    fn arrivals_are_counted_by_second_for_two_minutes() {
        let mut stats = Stats::new(1000);
        for second in [1000, 1000, 1001, 1119] {
            stats.arrive(second);
        }
        assert_eq!(
            busy_seconds(&mut stats, 1119),
            [(1000, 2), (1001, 1), (1119, 1)]
        );
        assert_eq!(busy_seconds(&mut stats, 1120), [(1001, 1), (1119, 1)]);
        assert_eq!(busy_seconds(&mut stats, 5000), []);
        assert_eq!(stats.counts.posts, 4);
    }

    #[test]
    fn a_clock_set_back_loses_no_count_of_the_last_two_minutes() {
        let mut stats = Stats::new(1000);
        stats.arrive(1000);
        stats.arrive(999);
        stats.arrive(1);
        assert_eq!(busy_seconds(&mut stats, 1000), [(999, 1), (1000, 1)]);
        assert_eq!(stats.counts.posts, 3);
    }
}
