//! Which processors' look-ups are believed when they find nothing.
//!
//! A router without a look-up answers 404 as well, and a processor may look things up in books
//! that it does not write. So an absence counts only where a payment that is surely held was
//! found before: the first held one is looked up, and then one a minute.

use std::sync::Arc;
use std::time::Duration;

use feeway_domain::{GetAnswer, Payment, ProcessorClient, ProcessorName, Store, StoreFault};
use feeway_health::Rank;
use feeway_jobs::look_ups::INTERVAL;
use tokio::time::{Instant, sleep};

use crate::backoff::Backoff;
use crate::context::Context;
use crate::trust::note_trust;
use crate::watched::Watched;

/// The first pause after a look-up that did not find a held payment; each is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// How often look-ups without a usable answer are repeated.
const UNCLEAR_MAX: u32 = 8;

/// A POST was answered with a yes: now and then that payment is looked up.
pub(crate) fn note_held<S: Store, C: ProcessorClient>(
    context: &Arc<Context<S, C>>,
    rank: Rank,
    payment: &Payment,
) {
    let now = Instant::now();
    if context.look_ups.take_turn(rank, now) {
        let task = prove(Arc::clone(context), rank, *payment, now);
        context.tasks.spawn(task);
    }
}

/// Reads what all fronts know of the look-ups, now and then. Runs until the worker ends.
pub(crate) async fn recall_for_ever<S: Store, C: ProcessorClient>(context: Arc<Context<S, C>>) {
    let mut backoff = Backoff::default();
    loop {
        match context.store.trusted_look_ups().await {
            Ok(trusted) => {
                recall(&context, &trusted);
                backoff = Backoff::default();
                sleep(INTERVAL).await;
            }
            Err(StoreFault::Away | StoreFault::Full | StoreFault::Closed | StoreFault::Unknown) => {
                backoff.pause().await
            }
        }
    }
}

/// Believes what is remembered. Should that be older than what this front has just found out,
/// it finds it out again with the next held payment.
fn recall<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    trusted: &[(ProcessorName, String)],
) {
    for (processor, rank) in context.config.processors.iter().zip(context.board.ranks()) {
        let is_known = trusted
            .iter()
            .any(|(name, url)| *name == processor.name && *url == processor.url);
        context.look_ups.set_trusted(rank, is_known);
    }
}

/// Looks up a payment that the processor said it holds. It is given as long to be found as an
/// absence has to last to be believed.
async fn prove<S: Store, C: ProcessorClient>(
    context: Arc<Context<S, C>>,
    rank: Rank,
    payment: Payment,
    held_at: Instant,
) {
    let client = Watched::new(&context, rank);
    let late_from = held_at + context.config.absence_after;
    let (mut pause, mut unclear) = (FIRST_PAUSE, 0);
    while !context.board.stands_back(rank) {
        let sent_at = Instant::now();
        match client.get(payment.id).await {
            // Which the client has noted.
            GetAnswer::Held { .. } => return,
            GetAnswer::Absent if sent_at >= late_from => {
                note_trust(&context, rank, false);
                return;
            }
            GetAnswer::Absent => {}
            GetAnswer::Pending
            | GetAnswer::Unreadable(_)
            | GetAnswer::Unclear
            | GetAnswer::Unreachable => {
                unclear += 1;
                if unclear == UNCLEAR_MAX {
                    return;
                }
            }
        }
        let left = late_from.saturating_duration_since(Instant::now());
        sleep(if left.is_zero() {
            pause
        } else {
            pause.min(left)
        })
        .await;
        pause *= 2;
    }
}
