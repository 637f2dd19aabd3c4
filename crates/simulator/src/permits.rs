use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::places::Places;

/// How many requests may be at work, and how many may wait for their turn.
pub(crate) struct Permits {
    working: Arc<Semaphore>,
    total: usize,
    queue: Places,
}

/// The right to be at work; given back when dropped.
pub(crate) struct Permit(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Permits {
    pub(crate) fn new(permits: usize, queue_limit: usize) -> Self {
        Self {
            working: Arc::new(Semaphore::new(permits)),
            total: permits,
            queue: Places::new(queue_limit),
        }
    }

    /// Waits for a permit, first come first served; nothing when the queue is full.
    ///
    /// Cancel safe: dropping the future gives up the place in the queue.
    pub(crate) async fn enter(&self) -> Option<Permit> {
        let working = Arc::clone(&self.working);
        if let Ok(permit) = Arc::clone(&working).try_acquire_owned() {
            return Some(Permit(permit));
        }
        let _place = self.queue.take()?;
        working.acquire_owned().await.ok().map(Permit)
    }

    /// How many requests hold a permit.
    pub(crate) fn working(&self) -> usize {
        self.total.saturating_sub(self.working.available_permits())
    }

    /// How many requests wait for one.
    pub(crate) fn queued(&self) -> usize {
        self.queue.taken()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    async fn enter_now(permits: &Permits) -> Option<Option<Permit>> {
        timeout(Duration::from_millis(1), permits.enter())
            .await
            .ok()
    }

    #[tokio::test(start_paused = true)]
    async fn over_the_permits_one_waits_and_over_the_queue_one_is_refused() {
        let permits = Arc::new(Permits::new(1, 1));
        let first = permits.enter().await.unwrap();
        let waiting = tokio::spawn({
            let permits = Arc::clone(&permits);
            async move { permits.enter().await.is_some() }
        });
        tokio::task::yield_now().await;
        assert_eq!((permits.working(), permits.queued()), (1, 1));
        assert!(matches!(enter_now(&permits).await, Some(None)));
        drop(first);
        assert!(waiting.await.unwrap());
        assert_eq!((permits.working(), permits.queued()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_waiting_gives_up_the_place() {
        let permits = Permits::new(1, 1);
        let _first = permits.enter().await.unwrap();
        for _ in 0..3 {
            assert!(enter_now(&permits).await.is_none(), "it waits");
            assert_eq!(permits.queued(), 0);
        }
    }
}
