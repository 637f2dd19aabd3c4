use std::sync::atomic::{AtomicUsize, Ordering};

/// A bounded number of places to wait in.
pub(crate) struct Places {
    taken: AtomicUsize,
    limit: usize,
}

/// One place; given back when dropped.
pub(crate) struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Places {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            taken: AtomicUsize::new(0),
            limit,
        }
    }

    /// A place, unless all are taken.
    pub(crate) fn take(&self) -> Option<Place<'_>> {
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
                (taken < self.limit).then_some(taken + 1)
            })
            .ok()
            .map(|_| Place(&self.taken))
    }

    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}
