use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::places::Places;

/// How long one answered ask keeps the next one waiting.
pub(crate) const WINDOW: Duration = Duration::from_secs(5);

/// How many early asks wait for the next windows.
const QUEUE_LIMIT: usize = 2;

/// Answers one ask of the health a window; a window opens with the ask it answers.
pub(crate) struct HealthWindow {
    /// When the next window may open. Whoever holds the lock is next, the others wait
    /// for it in the order they came.
    next: Mutex<Instant>,
    queue: Places,
}

impl HealthWindow {
    pub(crate) fn new() -> Self {
        Self {
            next: Mutex::new(Instant::now()),
            queue: Places::new(QUEUE_LIMIT),
        }
    }

    /// Waits for a window of one's own; false when the queue is full.
    ///
    /// Cancel safe: dropping the future gives up the place in the queue and costs nobody
    /// a window.
    pub(crate) async fn enter(&self) -> bool {
        if let Ok(mut next) = self.next.try_lock()
            && *next <= Instant::now()
        {
            *next = Instant::now() + WINDOW;
            return true;
        }
        let Some(_place) = self.queue.take() else {
            return false;
        };
        let mut next = self.next.lock().await;
        sleep_until(*next).await;
        *next = Instant::now() + WINDOW;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::{JoinHandle, yield_now};
    use tokio::time::{advance, timeout};

    use super::*;

    /// Asks and tells after how long there was an answer, and which.
    fn ask(window: &Arc<HealthWindow>) -> JoinHandle<(bool, Duration)> {
        let (window, asked) = (Arc::clone(window), Instant::now());
        tokio::spawn(async move { (window.enter().await, asked.elapsed()) })
    }

    fn whole_seconds((answered, after): (bool, Duration)) -> (bool, u64) {
        (answered, after.as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn two_early_asks_wait_for_the_next_windows_and_the_third_is_refused() {
        let window = Arc::new(HealthWindow::new());
        assert!(window.enter().await);
        let (first, second) = (ask(&window), ask(&window));
        yield_now().await;
        assert_eq!(
            whole_seconds(ask(&window).await.unwrap()),
            (false, 0),
            "at once"
        );
        assert_eq!(whole_seconds(first.await.unwrap()), (true, 5));
        assert_eq!(whole_seconds(second.await.unwrap()), (true, 10));
        advance(Duration::from_secs(5)).await;
        assert_eq!(whole_seconds(ask(&window).await.unwrap()), (true, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn asks_a_window_apart_never_wait() {
        let window = Arc::new(HealthWindow::new());
        for _ in 0..5 {
            assert_eq!(ask(&window).await.unwrap(), (true, Duration::ZERO));
            advance(WINDOW).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_ask_that_gives_up_costs_nobody_a_window() {
        let window = Arc::new(HealthWindow::new());
        assert!(window.enter().await);
        let gave_up = timeout(Duration::from_secs(1), window.enter()).await;
        assert!(gave_up.is_err());
        assert_eq!(whole_seconds(ask(&window).await.unwrap()), (true, 4));
    }
}
