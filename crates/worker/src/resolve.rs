//! Finds out what became of a payment that is pinned to a processor.

use std::time::Duration;

use feeway_domain::{Doubt, GetAnswer, ProcessorClient, Store};
use tokio::time::Instant;

use crate::attempt::Done;
use crate::context::Context;
use crate::job::Job;
use crate::persist;

/// At most one attempt a minute that may leave a ghost: a request that goes on inside the
/// processor, with one of its permits, after we gave up on it.
const GHOST_INTERVAL: Duration = Duration::from_secs(60);

/// Asks the processor whether it has the payment.
pub(crate) async fn look_up<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    mut job: Job,
) -> Done {
    let Some(rank) = job.named else {
        return Done::Over;
    };
    if job.is_lost() {
        return Done::Over;
    }
    match context.clients[rank.index()].get(job.payment.id).await {
        GetAnswer::Held {
            amount,
            requested_at,
        } if amount == job.payment.amount => {
            persist::settle(context, &job, rank, requested_at).await;
            Done::Over
        }
        GetAnswer::Held { amount, .. } => {
            if !job.is_mismatch_told {
                let processor = context.board.name(rank);
                tracing::error!(id = %job.payment.id, %processor, ours = %job.payment.amount,
                    theirs = %amount, "the processor holds it with another amount");
                job.is_mismatch_told = true;
            }
            Done::Unclear(job)
        }
        GetAnswer::Absent => Done::Absent(job),
        GetAnswer::Unclear => Done::Unclear(job),
    }
}

/// Notes an attempt that ended in doubt, and with it when the next may start. A broken
/// connection has most likely left nothing behind, so the first one is repeated soon.
pub(crate) fn note_doubt(job: &mut Job, doubt: Doubt, now: Instant) {
    job.doubts += 1;
    let soon = match doubt {
        Doubt::Reset | Doubt::Unclear | Doubt::Unconfirmed => job.doubts == 1,
        Doubt::TimedOut => false,
    };
    job.post_not_before = if soon {
        None
    } else {
        Some(now + GHOST_INTERVAL)
    };
}
