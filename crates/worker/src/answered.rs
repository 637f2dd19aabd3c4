//! Memory intake: payments whose clients are answered before the journal has them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use feeway_domain::{Accept, Payment, ProcessorClient, Store, StoreFault};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::context::Context;
use crate::gateway::{Place, count, deal};
use crate::persist::Backoff;

/// How many there are at most, and so how many a front that is killed takes with it.
const MOST: u32 = 512;

/// When so many are there, the journal gets them. One step takes as many.
const ENOUGH: usize = 64;

/// How long the first of fewer waits for others: at 30 000 a second there are enough by then.
const WAIT: Duration = Duration::from_millis(2);

/// Payments that were promised and are not in the journal.
#[derive(Debug)]
pub(crate) struct Answered {
    room: Arc<Semaphore>,
    /// Those that are not on their way into the journal.
    waiting: Mutex<Vec<Promise>>,
    begun: Notify,
    enough: Notify,
}

#[derive(Debug)]
struct Promise {
    payment: Payment,
    place: Place,
    /// Its part of the room.
    _room: OwnedSemaphorePermit,
}

impl Default for Answered {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(MOST as usize)),
            waiting: Mutex::default(),
            begun: Notify::new(),
            enough: Notify::new(),
        }
    }
}

impl Answered {
    /// Promises to keep a payment, or gives its place back when there is no room.
    pub(crate) fn take(&self, payment: Payment, place: Place) -> Result<(), Place> {
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else {
            return Err(place);
        };
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(Promise {
            payment,
            place,
            _room: room,
        });
        match waiting.len() {
            1 => self.begun.notify_one(),
            ENOUGH => self.enough.notify_one(),
            _ => {}
        }
        Ok(())
    }

    /// How many are not in the journal.
    pub(crate) fn len(&self) -> usize {
        MOST as usize - self.room.available_permits()
    }

    /// Waits until there are none. Cancel safe.
    pub(crate) async fn none_left(&self) {
        // It is never closed.
        drop(self.room.acquire_many(MOST).await);
    }

    fn take_all(&self) -> Vec<Promise> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *waiting)
    }
}

/// Brings what is promised into the journal. Never ends.
pub(crate) async fn journal_for_ever<S: Store, C: ProcessorClient>(context: Arc<Context<S, C>>) {
    let answered = &context.answered;
    loop {
        answered.begun.notified().await;
        // One that is told of an earlier many goes early, which does no harm.
        timeout(WAIT, answered.enough.notified())
            .await
            .unwrap_or_default();
        let mut left = journal(&context, answered.take_all()).await;
        let mut backoff = Backoff::default();
        while !left.is_empty() {
            backoff.pause().await;
            left.append(&mut answered.take_all());
            left = journal(&context, left).await;
        }
    }
}

/// Brings some into the journal, and gives back those that are not there.
async fn journal<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    promises: Vec<Promise>,
) -> Vec<Promise> {
    let Some(tenure) = context.tenures.own() else {
        return promises;
    };
    let payments: Vec<_> = promises
        .iter()
        .map(|promise| (promise.payment, promise.place.processor(&context.board)))
        .collect();
    let started = Instant::now();
    let accepts = context.store.accept_many(&tenure.hold, &payments).await;
    let took = started.elapsed();
    context.meters.journal.record_many(took, payments.len());
    let is_fenced = accepts.contains(&Ok(Accept::Fenced));
    let mut left = Vec::new();
    for (promise, accept) in promises.into_iter().zip(accepts) {
        count(context, &accept);
        match accept {
            Ok(Accept::Kept { accepted_at }) => {
                deal(
                    context,
                    &tenure,
                    promise.payment,
                    accepted_at,
                    promise.place,
                );
            }
            // If a step of unknown fate kept it, the next heartbeats show one more payment
            // than is in hand, and the feeder fetches it.
            Ok(Accept::Known | Accept::Ended) => {}
            Ok(Accept::AmountDiffers) => {
                let id = promise.payment.id;
                tracing::error!(%id, "answered 202, but another payment with this id and another amount exists");
            }
            Ok(Accept::Fenced | Accept::Full)
            | Err(StoreFault::Full | StoreFault::Away | StoreFault::Closed | StoreFault::Unknown) => {
                left.push(promise)
            }
        }
    }
    if is_fenced {
        context.lose(&tenure);
    }
    left
}
