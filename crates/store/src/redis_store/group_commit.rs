use std::collections::VecDeque;
use std::time::Duration;

use feeway_domain::{Accept, Hold, Payment, ProcessorName, StoreFault};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use crate::redis_store::command;
use crate::redis_store::connection::CHECKOUT;
use crate::redis_store::recent::Written;
use crate::redis_store::reply::Reply;
use crate::redis_store::writer::Writer;

/// Payments in one step at most: at 3 µs each Redis does nothing else for 0.2 ms.
const GROUP: usize = 64;

/// Steps under way at a time: while Redis works on one, the next is on its way. What comes
/// when both are out makes up the next group.
const UNDER_WAY: usize = 2;

/// After this a payment goes, however many steps are out: a Redis that stalls for a moment
/// finds all of them in its socket, and answers in time.
const LONGEST_WAIT: Duration = Duration::from_millis(5);

/// How long an unhurried payment waits for others at most: at 30 000 a second a group is
/// full by then.
const UNHURRIED_WAIT: Duration = Duration::from_millis(2);

/// Whether somebody waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// A client does.
    AtOnce,
    /// Nobody does, so that it may wait for others.
    Unhurried,
}

/// Writes the payments that are ready at the same time into the journal in one step. One
/// that comes alone goes alone, and at once.
#[derive(Debug)]
pub(crate) struct GroupCommit {
    /// As long as the number of requests that a front has in hand, which is bounded.
    queue: mpsc::UnboundedSender<Waiting>,
    task: AbortHandle,
}

/// A payment that is not in the journal yet.
#[derive(Debug)]
struct Waiting {
    hold: Hold,
    payment: Payment,
    processor: Option<ProcessorName>,
    pace: Pace,
    since: Instant,
    reply: oneshot::Sender<Result<Accept, StoreFault>>,
}

impl Waiting {
    fn goes_at(&self) -> Instant {
        self.since
            + match self.pace {
                Pace::AtOnce => LONGEST_WAIT,
                Pace::Unhurried => UNHURRIED_WAIT,
            }
    }

    /// Whoever asked may have gone, which changes nothing.
    fn answer(self, accept: Result<Accept, StoreFault>) {
        self.reply.send(accept).unwrap_or_default();
    }
}

impl Drop for GroupCommit {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl GroupCommit {
    /// # Panics
    /// Outside of a tokio runtime.
    pub(crate) fn start(writer: Writer, max_open: u64) -> Self {
        let (queue, waiting) = mpsc::unbounded_channel();
        let task = tokio::spawn(commit(writer, max_open, waiting));
        Self {
            queue,
            task: task.abort_handle(),
        }
    }

    /// Writes a payment into the journal. Dropping the future does not take it back.
    pub(crate) async fn accept(
        &self,
        hold: &Hold,
        payment: &Payment,
        processor: Option<&ProcessorName>,
        pace: Pace,
    ) -> Result<Accept, StoreFault> {
        let (reply, replied) = oneshot::channel();
        let waiting = Waiting {
            hold: hold.clone(),
            payment: *payment,
            processor: processor.cloned(),
            pace,
            since: Instant::now(),
            reply,
        };
        if self.queue.send(waiting).is_err() {
            return Err(StoreFault::Away);
        }
        replied.await.unwrap_or(Err(StoreFault::Unknown))
    }
}

/// Ends when nobody can send any more and all is answered.
async fn commit(writer: Writer, max_open: u64, mut queue: mpsc::UnboundedReceiver<Waiting>) {
    let mut waiting = VecDeque::new();
    let mut arrived = Vec::with_capacity(GROUP);
    let mut under_way = FuturesUnordered::new();
    let mut is_open = true;
    while is_open || !waiting.is_empty() || !under_way.is_empty() {
        while may_go(&waiting, under_way.len()) {
            let Some(group) = next_group(&mut waiting) else {
                break;
            };
            under_way.push(write(&writer, max_open, group));
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
fn may_go(waiting: &VecDeque<Waiting>, under_way: usize) -> bool {
    let Some(first) = waiting.front() else {
        return false;
    };
    let is_worth_it =
        || waiting.len() >= GROUP || waiting.iter().any(|waiting| waiting.pace == Pace::AtOnce);
    under_way < UNDER_WAY && is_worth_it() || first.goes_at() <= Instant::now()
}

/// The oldest payments of one hold.
fn next_group(waiting: &mut VecDeque<Waiting>) -> Option<Vec<Waiting>> {
    let first = waiting.front()?;
    let same = waiting
        .iter()
        .take(GROUP)
        .take_while(|next| next.hold == first.hold);
    let count = same.count();
    Some(waiting.drain(..count).collect())
}

async fn write(writer: &Writer, max_open: u64, group: Vec<Waiting>) {
    let Some(first) = group.first() else { return };
    let payments = group
        .iter()
        .map(|waiting| (&waiting.payment, waiting.processor.as_ref()));
    let command = command::accept_all(&first.hold, payments, max_open);
    let written = writer
        .write(command, first.since + CHECKOUT, |reply| read(reply, &group))
        .await;
    match written {
        Ok(accepts) => {
            for (waiting, accept) in group.into_iter().zip(accepts) {
                waiting.answer(Ok(accept));
            }
        }
        Err(fault) => {
            for waiting in group {
                waiting.answer(Err(fault));
            }
        }
    }
}

fn read(reply: &Reply, group: &[Waiting]) -> Result<(Vec<Accept>, Vec<Written>), StoreFault> {
    if reply.word() != "accepted" || reply.parts().len() != group.len() + 2 {
        return reply.unreadable();
    }
    let accepted_at = reply.time(1)?;
    let mut accepts = Vec::with_capacity(group.len());
    let mut written = Vec::with_capacity(group.len());
    for (at, waiting) in group.iter().enumerate() {
        let accept = match reply.text(at + 2) {
            Some("kept") => {
                written.push(Written::Kept {
                    hold: waiting.hold.clone(),
                    payment: waiting.payment,
                    processor: waiting.processor.clone(),
                    accepted_at,
                });
                Accept::Kept { accepted_at }
            }
            Some("differs") => Accept::AmountDiffers,
            Some("full") => Accept::Full,
            Some("fenced") => Accept::Fenced,
            other => {
                let Some(entry) = other.and_then(|other| other.strip_prefix("known ")) else {
                    return reply.unreadable();
                };
                // A client hears "kept" of this one too, so we vouch for the entry as it
                // is: whoever wrote it may never have heard that it was written.
                if !entry.is_empty() {
                    written.push(Written::Found {
                        id: waiting.payment.id,
                        entry: entry.as_bytes().into(),
                        hold: waiting.hold.clone(),
                    });
                }
                Accept::Known
            }
        };
        accepts.push(accept);
    }
    Ok((accepts, written))
}
