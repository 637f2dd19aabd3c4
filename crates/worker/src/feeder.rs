//! Brings entries that wait in the journal to the lanes, in order of acceptance: what no
//! lane had room for, what was accepted without our knowing, and what was adopted.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use feeway_domain::{Entry, ProcessorClient, Store, StoreFault};
use tokio::time::Instant;

use crate::config::PAGE;
use crate::context::Context;
use crate::dispatcher::Dealt;
use crate::job::Job;
use crate::persist::Backoff;
use crate::registry::{InHand, Refused};
use crate::sabotage::Sabotage;
use crate::tenure::Tenure;

/// Feeds one tenure's entries until it is lost.
pub(crate) async fn feed<S: Store, C: ProcessorClient>(
    context: Arc<Context<S, C>>,
    tenure: Arc<Tenure>,
) {
    while !tenure.is_lost() {
        tenure.work().await;
        if tenure.is_behind() {
            pass(&context, &tenure).await;
        }
    }
}

/// Goes once through the queue, from the oldest entry to the end.
async fn pass<S: Store, C: ProcessorClient>(context: &Context<S, C>, tenure: &Arc<Tenure>) {
    let mut backoff = Backoff::default();
    let mut after: Option<Entry> = None;
    let mut unplaceable = 0;
    while !tenure.is_lost() {
        let seen = tenure.times_behind();
        let page = match context
            .store
            .queued(&tenure.hold.owner, after.as_ref(), PAGE)
            .await
        {
            Ok(page) => page,
            Err(StoreFault::Away | StoreFault::Full | StoreFault::Unknown) => {
                backoff.pause().await;
                continue;
            }
        };
        let at_end = page.len() < PAGE;
        after = page.last().cloned().or(after);
        for entry in page {
            match feed_entry(context, tenure, entry).await {
                Fed::Yes => {}
                Fed::Unplaceable => unplaceable += 1,
                Fed::LanesEnded => return,
            }
        }
        if at_end && tenure.catch_up(seen) {
            let before = tenure.unplaceable.swap(unplaceable, Ordering::Relaxed);
            if unplaceable > 0 && unplaceable != before {
                tracing::error!(owner = %tenure.hold.owner, payments = unplaceable,
                    "open at processors that are not configured");
            }
            return;
        }
    }
}

enum Fed {
    /// It is in a lane, or in hand already.
    Yes,
    /// It is pinned to a processor that is not configured here.
    Unplaceable,
    LanesEnded,
}

async fn feed_entry<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    tenure: &Arc<Tenure>,
    entry: Entry,
) -> Fed {
    let named = match &entry.processor {
        None => None,
        Some(name) => match context.board.rank(name) {
            Some(rank) => Some(rank),
            None => {
                tracing::debug!(id = %entry.payment.id, processor = %name, "not configured");
                return Fed::Unplaceable;
            }
        },
    };
    let Some(in_hand) = enter(context, &entry).await else {
        return Fed::Yes;
    };
    if !tenure.is_own() {
        context.meters.adopted.increment(1);
    }
    let accepted: Instant = context.local_instant(entry.accepted_at);
    let share = tenure.share();
    let mut job = Job::new(entry.payment, named, entry.moves, accepted, share, in_hand);
    job.confirmed = Sabotage::TwoTasks.is_on();
    // Nobody alive knows what was started at a processor that an entry names.
    let pinned = named.is_some() && !Sabotage::AdopterCrossesOver.is_on();
    let job = if pinned {
        job.pin(&context.meters)
    } else {
        job
    };
    match context.dispatcher.room().await {
        Some(slot) => {
            slot.send(Dealt { job, permit: None });
            Fed::Yes
        }
        None => Fed::LanesEnded,
    }
}

/// Waits for room in the registry; nothing when the payment is in hand already.
async fn enter<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    entry: &Entry,
) -> Option<InHand> {
    loop {
        match context.registry.enter(entry.payment.id) {
            Ok(in_hand) => return Some(in_hand),
            Err(Refused::InHand) => return None,
            Err(Refused::Full) => context.registry.left().await,
        }
    }
}
