use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The longest delay that can be set, in milliseconds: one hour.
pub(crate) const MAX_DELAY_MS: u32 = 3_600_000;

/// What an administrator can turn while the processor runs.
pub(crate) struct Switches {
    delay_ms: AtomicU32,
    failing: AtomicBool,
    token: Mutex<String>,
}

impl Switches {
    pub(crate) fn new(delay_ms: u32, failing: bool, token: String) -> Self {
        Self {
            delay_ms: AtomicU32::new(delay_ms),
            failing: AtomicBool::new(failing),
            token: Mutex::new(token),
        }
    }

    pub(crate) fn delay_ms(&self) -> u32 {
        self.delay_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms().into())
    }

    /// Sets the delay and returns the old one.
    pub(crate) fn set_delay_ms(&self, delay_ms: u32) -> u32 {
        self.delay_ms.swap(delay_ms, Ordering::Relaxed)
    }

    pub(crate) fn failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Sets the failure switch and returns what it was.
    pub(crate) fn set_failing(&self, failing: bool) -> bool {
        self.failing.swap(failing, Ordering::Relaxed)
    }

    pub(crate) fn token_is(&self, token: &[u8]) -> bool {
        let own = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        own.as_bytes() == token
    }

    pub(crate) fn set_token(&self, token: String) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }
}
