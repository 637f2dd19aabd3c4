//! Whether the look-ups of a processor are believed, and what is remembered of that.

use std::sync::Arc;

use feeway_domain::{ProcessorClient, Store, StoreFault};
use feeway_health::Rank;

use crate::backoff::Backoff;
use crate::context::Context;

/// A look-up found a payment, or did not find one that is surely held.
pub(crate) fn note_trust<S: Store, C: ProcessorClient>(
    context: &Arc<Context<S, C>>,
    rank: Rank,
    trusted: bool,
) {
    if !context.look_ups.set_trusted(rank, trusted) {
        return;
    }
    let processor = context.board.name(rank);
    if trusted {
        tracing::info!(%processor, "look-ups find what the processor holds: its \"not found\" is believed");
    } else {
        tracing::error!(%processor, "a look-up does not find a payment that the processor holds: its \"not found\" is no longer believed");
    }
    let task = remember(Arc::clone(context), rank, trusted);
    context.tasks.spawn(task);
}

/// Writes down what was found out about a look-up.
async fn remember<S: Store, C: ProcessorClient>(
    context: Arc<Context<S, C>>,
    rank: Rank,
    trusted: bool,
) {
    let processor = &context.config.processors[rank.index()];
    let mut backoff = Backoff::default();
    loop {
        let store = &context.store;
        let step = store.trust_look_up(&processor.name, &processor.url, trusted);
        match step.await {
            Ok(()) => return,
            Err(StoreFault::Away | StoreFault::Full | StoreFault::Closed | StoreFault::Unknown) => {
                backoff.pause().await
            }
        }
    }
}
