use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Everything a front does to the world and everything it learns from it passes its gate.
/// A shut gate is a paused front: what it was about to do happens once it wakes.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Inner>);

#[derive(Default)]
struct Inner {
    is_shut: AtomicBool,
    is_walled_up: AtomicBool,
    opened: Notify,
}

impl Gate {
    pub(crate) fn open() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn set_open(&self, open: bool) {
        self.0.is_shut.store(!open, Ordering::Relaxed);
        if open {
            self.0.opened.notify_waiters();
        }
    }

    /// Shuts it for good: the front is dead.
    pub(crate) fn wall_up(&self) {
        self.0.is_walled_up.store(true, Ordering::Relaxed);
    }

    pub(crate) async fn pass(&self) {
        let Inner {
            is_shut,
            is_walled_up,
            opened,
        } = &*self.0;
        while is_shut.load(Ordering::Relaxed) || is_walled_up.load(Ordering::Relaxed) {
            opened.notified().await;
        }
    }
}
