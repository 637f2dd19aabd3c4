use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// The tasks of one worker; they end with it, all at once, and then there are no more.
#[derive(Debug)]
pub struct Tasks(Mutex<Option<JoinSet<()>>>);

impl Default for Tasks {
    fn default() -> Self {
        Self(Mutex::new(Some(JoinSet::new())))
    }
}

impl Tasks {
    /// Runs a task until it ends or all are aborted.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(tasks) = tasks.as_mut() else { return };
        // Ended ones are let go of here, so that the set holds no more than are running.
        while let Some(ended) = tasks.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "a task ended because of a bug");
            }
        }
        tasks.spawn(task);
    }

    /// Aborts what still runs.
    pub fn abort(&self) {
        let tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Which ends them.
        drop(tasks);
    }

    /// Runs a step where it is awaited, and as a task from where it is when it is dropped
    /// before its end. Costs no task as long as nobody hangs up.
    pub fn finish<F>(&self, step: F) -> Finish<'_, F>
    where
        F: Future + Send + 'static,
    {
        Finish {
            step: Some(Box::pin(step)),
            tasks: self,
        }
    }
}

/// A step that comes to its end whether or not somebody waits for it.
pub struct Finish<'a, F: Future + Send + 'static> {
    /// Nothing once it has ended.
    step: Option<Pin<Box<F>>>,
    tasks: &'a Tasks,
}

impl<F: Future + Send + 'static> Future for Finish<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Some(step) = &mut self.step else {
            return Poll::Pending;
        };
        let output = ready!(step.as_mut().poll(cx));
        self.step = None;
        Poll::Ready(output)
    }
}

impl<F: Future + Send + 'static> Drop for Finish<'_, F> {
    fn drop(&mut self) {
        let Some(step) = self.step.take() else { return };
        // Without a runtime the process is ending, and its tasks with it.
        if Handle::try_current().is_ok() {
            self.tasks.spawn(async move {
                step.await;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures_util::FutureExt as _;
    use tokio::time::sleep;

    use super::*;

    /// A step that takes a second and is counted at its end.
    fn counted(ends: &Arc<AtomicUsize>) -> impl Future<Output = &'static str> + use<> {
        let ends = Arc::clone(ends);
        async move {
            sleep(Duration::from_secs(1)).await;
            ends.fetch_add(1, Ordering::Relaxed);
            "done"
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_is_awaited_runs_in_place_and_once() {
        let (tasks, ends) = (Tasks::default(), Arc::default());
        assert_eq!(tasks.finish(counted(&ends)).await, "done");
        sleep(Duration::from_secs(9)).await;
        assert_eq!(ends.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_is_dropped_goes_on_from_where_it_was() {
        let (tasks, ends) = (Tasks::default(), Arc::default());
        assert_eq!(tasks.finish(counted(&ends)).now_or_never(), None);
        assert_eq!(ends.load(Ordering::Relaxed), 0);
        sleep(Duration::from_secs(9)).await;
        assert_eq!(ends.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_end_of_all_tasks_nothing_goes_on() {
        let (tasks, ends) = (Tasks::default(), Arc::default());
        let mut step = tasks.finish(counted(&ends));
        assert_eq!((&mut step).now_or_never(), None);
        let (other, late) = (counted(&ends).map(drop), counted(&ends).map(drop));
        tasks.spawn(other);
        tasks.abort();
        tasks.spawn(late);
        drop(step);
        sleep(Duration::from_secs(9)).await;
        assert_eq!(ends.load(Ordering::Relaxed), 0);
    }
}
