use std::time::{Duration, Instant, SystemTime};

/// The instant now, by the monotonic clock.
#[expect(
    clippy::disallowed_methods,
    reason = "xtask has no async runtime whose clock a test could pause"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Seconds since 1970, by the machine's clock.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// The end of a bounded wait.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn after(wait: Duration) -> Self {
        Self(now() + wait)
    }

    pub(crate) fn passed(self) -> bool {
        self.remaining().is_zero()
    }

    pub(crate) fn remaining(self) -> Duration {
        self.0.saturating_duration_since(now())
    }
}
