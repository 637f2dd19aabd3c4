use std::time::{Duration, Instant, SystemTime};

/// The instant now, by the monotonic clock.
#[expect(
    clippy::disallowed_methods,
    reason = "xtask has no async runtime whose clock a test could pause"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// Seconds since 1970, by the machine's clock.
pub fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// The end of a bounded wait.
#[derive(Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// The instant so long from now.
    pub fn after(wait: Duration) -> Self {
        Self(now() + wait)
    }

    /// Whether the wait is over.
    pub fn passed(self) -> bool {
        self.remaining().is_zero()
    }

    /// What is left of the wait; zero once it is over.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(now())
    }
}
