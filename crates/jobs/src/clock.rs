use std::time::{Duration, SystemTime};

use feeway_domain::RequestedAt;
use tokio::time::Instant;

/// Tells the time of day that attempts are stamped with. Ages never depend on it.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The machine's.
    System,
    /// So much at an instant of the monotonic clock, which tests can pause.
    Set {
        /// The time of day.
        at: RequestedAt,
        /// When it was that.
        since: Instant,
    },
}

impl Clock {
    /// The time of day in microseconds; a clock before 1970 or after 9999 is held there.
    pub fn now(&self) -> RequestedAt {
        let micros = match self {
            Self::System => {
                let since_1970 = SystemTime::now()
                    .duration_since(SystemTime::UNIX_EPOCH)
                    .unwrap_or(Duration::ZERO);
                micros(since_1970)
            }
            Self::Set { at, since } => at.micros().saturating_add(micros(since.elapsed())),
        };
        RequestedAt::from_micros(micros).unwrap_or(RequestedAt::MAX)
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
