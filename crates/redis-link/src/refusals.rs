use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{ErrorKind, RedisError};
use tokio::time::Instant;

/// The pauses after a refusal double from the first to the second: a wrong password is not
/// put right by repeating it, and Redis notes every attempt.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The same of a Redis that is a replica: another one may take its place any moment.
const DEMOTION_PAUSE: Duration = Duration::from_millis(100);
const DEMOTION_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Since when, and how often in a row, Redis was of no use although it is there.
pub(crate) struct Refusals {
    first: Duration,
    longest: Duration,
    last: Mutex<Option<Refusal>>,
}

struct Refusal {
    pause: Duration,
    ask_again: Instant,
}

impl Refusals {
    /// It did not let us in.
    pub(crate) fn of_credentials() -> Self {
        Self::new(PAUSE, PAUSE_MAX)
    }

    /// It was a replica.
    pub(crate) fn of_demotions() -> Self {
        Self::new(DEMOTION_PAUSE, DEMOTION_PAUSE_MAX)
    }

    fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            last: Mutex::new(None),
        }
    }

    /// Whether the pause is over, if there is one.
    pub(crate) fn may_ask(&self) -> bool {
        let last = self.last();
        last.as_ref()
            .is_none_or(|refusal| refusal.ask_again <= Instant::now())
    }

    pub(crate) fn add(&self) {
        let mut last = self.last();
        let pause = last
            .as_ref()
            .map_or(self.first, |refusal| (refusal.pause * 2).min(self.longest));
        *last = Some(Refusal {
            pause,
            ask_again: Instant::now() + pause,
        });
    }

    pub(crate) fn end(&self) {
        *self.last() = None;
    }

    fn last(&self) -> MutexGuard<'_, Option<Refusal>> {
        // Nothing panics while holding it.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an error speaks of who we are, or of who Redis is, and not of its health.
pub(crate) fn is_refusal(error: &RedisError) -> bool {
    if error.kind() == ErrorKind::AuthenticationFailed {
        return true;
    }
    if matches!(error.code(), Some("WRONGPASS" | "NOAUTH" | "NOPERM")) {
        return true;
    }
    // The client wraps what it was told in an `Arc`, which is an error of its own.
    let source = error.source();
    let cause = source.and_then(|source| source.downcast_ref::<Arc<dyn Error + Send + Sync>>());
    let io = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
    io.and_then(io::Error::get_ref)
        .is_some_and(|inner| inner.is::<rustls::Error>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_double_until_the_longest_and_end_with_a_welcome() {
        let refusals = Refusals::of_credentials();
        assert!(refusals.may_ask());
        for pause_ms in [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000] {
            refusals.add();
            tokio::time::advance(Duration::from_millis(pause_ms - 1)).await;
            assert!(!refusals.may_ask(), "{pause_ms}");
            tokio::time::advance(Duration::from_millis(1)).await;
            assert!(refusals.may_ask(), "{pause_ms}");
        }
        refusals.add();
        refusals.end();
        assert!(refusals.may_ask());
    }
}
