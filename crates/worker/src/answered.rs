//! Memory intake: brings into the journal what clients were promised.

use std::sync::Arc;
use std::time::Duration;

use feeway_domain::{Accept, ProcessorClient, Store, StoreFault};
use feeway_jobs::answered::Promise;
use tokio::time::{Instant, timeout};

use crate::accept::{count, deal};
use crate::backoff::Backoff;
use crate::context::Context;

/// How long the first of fewer waits for others: at 30 000 a second there are enough by then.
const WAIT: Duration = Duration::from_millis(2);

/// Brings what is promised into the journal. Never ends.
pub(crate) async fn journal_for_ever<S: Store, C: ProcessorClient>(context: Arc<Context<S, C>>) {
    let answered = &context.answered;
    loop {
        answered.begun().await;
        // One that is told of an earlier many goes early, which does no harm.
        timeout(WAIT, answered.enough()).await.unwrap_or_default();
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
