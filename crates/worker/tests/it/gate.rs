use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Everything a front does to the world and everything it learns from it passes its gate.
/// A shut gate is a paused front: what it was about to do happens once it wakes.
#[derive(Clone)]
pub(crate) struct Gate(Arc<(AtomicBool, Notify)>);

impl Gate {
    pub(crate) fn open() -> Self {
        Self(Arc::new((AtomicBool::new(true), Notify::new())))
    }

    pub(crate) fn set_open(&self, open: bool) {
        let (is_open, opened) = &*self.0;
        is_open.store(open, Ordering::Relaxed);
        if open {
            opened.notify_waiters();
        }
    }

    pub(crate) async fn pass(&self) {
        let (is_open, opened) = &*self.0;
        while !is_open.load(Ordering::Relaxed) {
            opened.notified().await;
        }
    }
}
