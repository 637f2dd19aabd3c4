use std::time::Duration;

use feeway_domain::{CorrelationId, GetAnswer};
use tokio::time::{Instant, sleep};

use crate::wire::{Answer, Wire, look_up_answer};

/// Between two look-ups is an eighth of the time that has passed, so that a lag is known to an
/// eighth, but not less nor more than this. That makes about 70 look-ups in a minute.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// What look-ups of one payment came to.
#[derive(Clone, Debug)]
pub(crate) struct Sight {
    /// What came back from the last one.
    pub(crate) answer: Answer,
    /// What the client read in it.
    pub(crate) said: GetAnswer,
    /// How long after the answer to its POST it was sent.
    pub(crate) after: Duration,
    /// How many there were.
    pub(crate) look_ups: u32,
}

impl Sight {
    /// Looks a payment up until it is found, what is said of it cannot be read, or it was
    /// looked for long enough. The first look-up is sent at once.
    pub(crate) async fn take(
        wire: &Wire,
        id: CorrelationId,
        since: Instant,
        lag_max: Duration,
    ) -> Self {
        let mut look_ups = 0;
        loop {
            let after = since.elapsed();
            let answer = wire.look_up(&id.to_string()).await;
            let said = look_up_answer(&answer, id);
            look_ups += 1;
            let sight = Self {
                answer,
                said,
                after,
                look_ups,
            };
            let left = lag_max.saturating_sub(since.elapsed());
            if sight.is_decided() || left.is_zero() {
                return sight;
            }
            let pause = (since.elapsed() / 8).clamp(PAUSE_MIN, PAUSE_MAX);
            sleep(pause.min(left)).await;
        }
    }

    /// Whether the payment was found.
    pub(crate) fn is_found(&self) -> bool {
        matches!(self.said, GetAnswer::Held { .. })
    }

    /// How long it took to be found, if it was. Nothing is longer than the way there and back of
    /// the first look-up.
    pub(crate) fn lag(&self) -> Option<Duration> {
        let after = if self.look_ups == 1 {
            Duration::ZERO
        } else {
            self.after
        };
        self.is_found().then_some(after)
    }

    fn is_decided(&self) -> bool {
        self.is_found() || matches!(self.said, GetAnswer::Unreadable(_))
    }
}
