use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use feeway_domain::StoreFault;
use feeway_redis_layout::reply::Reply;
use feeway_redis_layout::written::Acknowledged;
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use redis::Cmd;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use crate::connection::CHECKOUT;
use crate::writer::Writer;

/// Payments in one step at most: at 3 µs each Redis does nothing else for 0.2 ms.
const GROUP: usize = 64;

/// Steps under way at a time: while Redis works on one, the next is on its way. What comes
/// when both are out makes up the next group.
const UNDER_WAY: usize = 2;

/// After this a payment goes, however many steps are out: a Redis that stalls for a moment
/// finds all of them in its socket, and answers in time.
const LONGEST_WAIT: Duration = Duration::from_millis(5);

/// Whether somebody waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// A client does.
    AtOnce,
    /// Nobody does, so that it may wait for others.
    Unhurried,
}

/// What is done with several payments in one step.
pub trait Step: Send + Sync + 'static {
    /// One payment, and all that is needed of it.
    type Item: Send + Sync;
    /// What is said about one payment.
    type Answer: Send;

    /// How long an unhurried payment waits for others at most.
    const UNHURRIED_WAIT: Duration = LONGEST_WAIT;

    /// Whether one may go in the step of another.
    fn goes_with(first: &Self::Item, other: &Self::Item) -> bool;

    /// The call for all of them.
    fn command<'a>(&self, items: impl ExactSizeIterator<Item = &'a Self::Item> + Clone) -> Cmd
    where
        Self::Item: 'a;

    /// What to ask instead when Redis's memory is full and it takes nothing.
    fn when_full<'a>(
        &self,
        items: impl ExactSizeIterator<Item = &'a Self::Item> + Clone,
    ) -> Option<Cmd>
    where
        Self::Item: 'a;

    /// The answer of each, and what was acknowledged.
    fn read<'a>(
        &self,
        reply: &Reply,
        items: impl ExactSizeIterator<Item = &'a Self::Item>,
    ) -> Result<Answers<Self>, StoreFault>
    where
        Self::Item: 'a;
}

/// The answer of each, and what was acknowledged.
pub type Answers<S> = (Vec<Result<<S as Step>::Answer, StoreFault>>, Acknowledged);

/// Takes the payments that are ready at the same time to Redis in one step. One in a hurry
/// that comes alone goes alone, and at once.
pub struct GroupCommit<S: Step> {
    /// As long as the number of payments that a front has in hand, which is bounded.
    queue: mpsc::UnboundedSender<Waiting<S>>,
    task: AbortHandle,
    path: Arc<Path<S>>,
}

/// How a group gets to Redis.
struct Path<S> {
    writer: Writer,
    step: S,
}

/// A payment that is not in Redis yet.
struct Waiting<S: Step> {
    item: S::Item,
    pace: Pace,
    since: Instant,
    reply: oneshot::Sender<Result<S::Answer, StoreFault>>,
}

impl<S: Step> Waiting<S> {
    fn goes_at(&self) -> Instant {
        self.since
            + match self.pace {
                Pace::AtOnce => LONGEST_WAIT,
                Pace::Unhurried => S::UNHURRIED_WAIT,
            }
    }

    /// Whoever asked may have gone, which changes nothing.
    fn answer(self, answer: Result<S::Answer, StoreFault>) {
        drop(self.reply.send(answer));
    }
}

impl<S: Step> Drop for GroupCommit<S> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<S: Step> GroupCommit<S> {
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(writer: Writer, step: S) -> Self {
        let (queue, waiting) = mpsc::unbounded_channel();
        let path = Arc::new(Path { writer, step });
        let task = tokio::spawn(commit(Arc::clone(&path), waiting));
        Self {
            queue,
            task: task.abort_handle(),
            path,
        }
    }

    /// Takes a payment to Redis. Dropping the future does not take it back.
    pub async fn take(&self, item: S::Item, pace: Pace) -> Result<S::Answer, StoreFault> {
        let (reply, replied) = oneshot::channel();
        let waiting = Waiting {
            item,
            pace,
            since: Instant::now(),
            reply,
        };
        if self.queue.send(waiting).is_err() {
            return Err(StoreFault::Away);
        }
        replied.await.unwrap_or(Err(StoreFault::Unknown))
    }

    /// Takes payments to Redis at once that are together already, and all go with each
    /// other. Dropping the future does not take them back.
    pub async fn take_together(&self, items: &[S::Item]) -> Vec<Result<S::Answer, StoreFault>> {
        let find_by = Instant::now() + CHECKOUT;
        let groups = items.chunks(GROUP).map(async |group| {
            let written = self.path.write(group.iter(), find_by).await;
            written.unwrap_or_else(|fault| group.iter().map(|_| Err(fault)).collect())
        });
        join_all(groups).await.into_iter().flatten().collect()
    }
}

impl<S: Step> Path<S> {
    /// The answer of each, or why there is none of any.
    async fn write<'a>(
        &self,
        items: impl ExactSizeIterator<Item = &'a S::Item> + Clone,
        find_by: Instant,
    ) -> Result<Vec<Result<S::Answer, StoreFault>>, StoreFault>
    where
        S::Item: 'a,
    {
        let command = self.step.command(items.clone());
        let read = |reply: &Reply| self.step.read(reply, items.clone());
        let written = self.writer.write(command, find_by, read).await;
        let instead = match written {
            Err(StoreFault::Full) => self.step.when_full(items.clone()),
            Ok(_) | Err(StoreFault::Away | StoreFault::Unknown | StoreFault::Closed) => None,
        };
        match instead {
            Some(instead) => self.writer.write(instead, find_by, read).await,
            None => written,
        }
    }
}

/// Ends when nobody can send any more and all is answered.
async fn commit<S: Step>(path: Arc<Path<S>>, mut queue: mpsc::UnboundedReceiver<Waiting<S>>) {
    let mut waiting = VecDeque::new();
    let mut arrived = Vec::with_capacity(GROUP);
    let mut under_way = FuturesUnordered::new();
    let mut is_open = true;
    while is_open || !waiting.is_empty() || !under_way.is_empty() {
        while may_go(&waiting, under_way.len()) {
            let Some(group) = next_group(&mut waiting) else {
                break;
            };
            under_way.push(write(&path, group));
        }
        let due = waiting.front().map(Waiting::goes_at);
        tokio::select! {
            biased;
            Some(()) = under_way.next(), if !under_way.is_empty() => {}
            count = queue.recv_many(&mut arrived, GROUP), if is_open => {
                is_open = count > 0;
                waiting.extend(arrived.drain(..));
            }
            () = wait_until(due), if due.is_some() => {}
        }
    }
}

/// A timer only for whom there is something to wait for.
async fn wait_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Whether the next group has waited for long enough.
fn may_go<S: Step>(waiting: &VecDeque<Waiting<S>>, under_way: usize) -> bool {
    let Some(first) = waiting.front() else {
        return false;
    };
    let is_worth_it =
        || waiting.len() >= GROUP || waiting.iter().any(|waiting| waiting.pace == Pace::AtOnce);
    under_way < UNDER_WAY && is_worth_it() || first.goes_at() <= Instant::now()
}

/// The oldest payment, and the next ones that go with it.
fn next_group<S: Step>(waiting: &mut VecDeque<Waiting<S>>) -> Option<Vec<Waiting<S>>> {
    let mut group = Vec::with_capacity(waiting.len().min(GROUP));
    group.push(waiting.pop_front()?);
    let mut at = 0;
    while group.len() < GROUP && at < waiting.len() {
        if S::goes_with(&group[0].item, &waiting[at].item) {
            group.extend(waiting.remove(at));
        } else {
            at += 1;
        }
    }
    Some(group)
}

async fn write<S: Step>(path: &Path<S>, group: Vec<Waiting<S>>) {
    let Some(first) = group.first() else { return };
    let items = group.iter().map(|waiting| &waiting.item);
    match path.write(items, first.since + CHECKOUT).await {
        Ok(answers) => {
            for (waiting, answer) in group.into_iter().zip(answers) {
                waiting.answer(answer);
            }
        }
        Err(fault) => {
            for waiting in group {
                waiting.answer(Err(fault));
            }
        }
    }
}
