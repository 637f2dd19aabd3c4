use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Counts the changes of a board, and wakes those who wait for the next one, in the order
/// in which they began to wait (tokio's `watch` wakes at random, which no run could repeat).
#[derive(Debug, Default)]
pub struct Changes {
    count: AtomicU64,
    notify: Notify,
}

impl Changes {
    /// How many there have been.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Waits until there have been others than `seen`. Cancel safe.
    pub async fn others_than(&self, seen: u64) {
        loop {
            // Created before the count is read, so that no change falls between the two.
            let notified = self.notify.notified();
            if self.count() != seen {
                return;
            }
            notified.await;
        }
    }

    pub(crate) fn announce(&self) {
        self.count.fetch_add(1, Ordering::Release);
        self.notify.notify_waiters();
    }
}
