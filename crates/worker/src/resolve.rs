//! Finds out what became of a payment that is tied to a processor.

use std::sync::Arc;

use feeway_domain::{GetAnswer, ProcessorClient, Refusal, Store};
use feeway_health::{Condition, Rank};
use feeway_jobs::job::{Bond, Job};
use feeway_jobs::sabotage::Sabotage;
use tokio::time::Instant;

use crate::attempt::Done;
use crate::context::Context;
use crate::persist;
use crate::restamp;
use crate::watched::Watched;

/// Asks the processor whether it has the payment. One that is absent late enough is free.
pub(crate) async fn look_up<S: Store, C: ProcessorClient>(
    context: &Arc<Context<S, C>>,
    mut job: Job,
) -> Done {
    let Some(rank) = job.named else {
        return Done::Over;
    };
    if job.is_lost() {
        persist::leave(context, &job).await;
        return Done::Over;
    }
    let client = Watched::new(context, rank);
    let sent_at = Instant::now();
    let late_from = job.late_from(context.config.absence_after);
    let answer = if late_from.is_some_and(|late_from| sent_at >= late_from) {
        client.get_apart(job.payment.id).await
    } else {
        client.get(job.payment.id).await
    };
    match answer {
        GetAnswer::Held {
            amount,
            requested_at,
        } if amount == job.payment.amount => {
            match restamp::book(context, job, rank, requested_at).await {
                None => Done::Over,
                Some(job) => Done::Unclear(job.pin(&context.board, &context.meters)),
            }
        }
        GetAnswer::Held { amount, .. } => {
            if !std::mem::replace(&mut job.is_trouble_told, true) {
                let processor = context.board.name(rank);
                tracing::error!(id = %job.payment.id, %processor, ours = %job.payment.amount,
                    theirs = %amount, "the processor holds the payment with another amount");
            }
            Done::Unclear(job.pin(&context.board, &context.meters))
        }
        GetAnswer::Absent if is_late(context, &mut job, rank, sent_at) => {
            free(context, job, rank).await
        }
        GetAnswer::Absent => Done::Absent(job),
        GetAnswer::Unreadable(unreadable) => {
            if !std::mem::replace(&mut job.is_trouble_told, true) {
                let processor = context.board.name(rank);
                context.meters.unreadable(rank);
                tracing::error!(id = %job.payment.id, %processor, field = unreadable.field,
                    reason = unreadable.reason, "the processor's answer about a payment cannot be read");
            }
            Done::Unclear(job)
        }
        GetAnswer::Pending | GetAnswer::Unclear | GetAnswer::Unreachable => Done::Unclear(job),
    }
}

/// Whether an absence proves that the processor does not hold the payment, and nothing speaks
/// for leaving it there all the same.
fn is_late<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    job: &mut Job,
    rank: Rank,
    sent_at: Instant,
) -> bool {
    if Sabotage::AbsenceAtOnce.is_on() && job.bond != Bond::Doubt {
        return true;
    }
    let Some(late_from) = job.late_from(context.config.absence_after) else {
        return false;
    };
    if sent_at < late_from || !wants_to_leave(context, job, rank, sent_at) {
        return false;
    }
    if context.look_ups.are_trusted(rank) {
        return true;
    }
    if !std::mem::replace(&mut job.is_distrust_told, true) {
        job.count_as_pinned(&context.meters);
        let processor = context.board.name(rank);
        tracing::warn!(id = %job.payment.id, %processor,
            "the processor does not find the payment, but its look-ups have never found any: the payment stays pinned to it");
    }
    false
}

/// A declined payment leaves; one that met a failing processor waits for it while it is
/// patient, and while that one is not slow.
fn wants_to_leave<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    job: &Job,
    rank: Rank,
    now: Instant,
) -> bool {
    match job.bond {
        Bond::Refused {
            by: Some(Refusal::Failing { .. }),
            ..
        } => {
            job.is_impatient(context.config.patience, now)
                || context.board.condition(rank, now) == Condition::Slow
        }
        Bond::Refused { .. } => true,
        Bond::Free | Bond::Doubt => false,
    }
}

/// Lets a payment go that a processor does not hold.
async fn free<S: Store, C: ProcessorClient>(
    context: &Arc<Context<S, C>>,
    mut job: Job,
    rank: Rank,
) -> Done {
    persist::note_freed(&context.store, &job.payment, context.board.name(rank)).await;
    let bond = job.bond;
    job.free();
    match bond {
        Bond::Refused {
            by: Some(Refusal::Declined { status }),
            ..
        } => {
            job.add_decline(rank, status);
            Done::Declined(job)
        }
        // Who read that answer knew what it said; perhaps that it does not want this payment.
        Bond::Refused { by: None, .. } => {
            job.left.add(rank);
            Done::NotHeld(job)
        }
        Bond::Refused { .. } | Bond::Free | Bond::Doubt => Done::NotHeld(job),
    }
}
