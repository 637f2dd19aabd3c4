//! Store steps that are repeated until the store has answered.

use feeway_domain::{
    Hold, Note, Payment, ProcessorClient, ProcessorName, Reject, Rename, RequestedAt, Restamp,
    Settle, Settlement, Status, Store, StoreFault,
};
use feeway_health::Rank;
use feeway_jobs::job::{Bond, Job};
use feeway_jobs::sabotage::Sabotage;
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::context::Context;

/// That a processor holds a payment, at this instant of its books and for its present fee.
pub(crate) fn settlement<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    payment: Payment,
    rank: Rank,
    requested_at: RequestedAt,
) -> Settlement {
    let processor = &context.config.processors[rank.index()];
    Settlement {
        payment,
        processor: processor.name.clone(),
        requested_at,
        fee: processor.fee,
    }
}

/// Records that a processor holds a payment, for as long as it takes.
pub(crate) async fn settle<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    job: &Job,
    rank: Rank,
    requested_at: RequestedAt,
) {
    let payment = job.payment;
    let settlement = settlement(context, payment, rank, requested_at);
    let mut backoff = Backoff::default();
    // It may have been carried out by a step of ours that was not answered.
    let mut may_be_ours = false;
    loop {
        let started = Instant::now();
        let settled = context.store.settle_unhurried(&settlement).await;
        context.meters.settle.record(started.elapsed());
        match settled {
            Ok(Settle::Known) if !may_be_ours => return,
            Ok(Settle::Settled | Settle::Known) => {
                context.meters.settled(rank, payment.amount, job.accepted);
                return;
            }
            // The store tells of it, since it tells every caller's.
            Ok(Settle::Conflict { .. }) => {
                context.meters.conflicts.increment(1);
                return;
            }
            Ok(Settle::TooOld { oldest }) => {
                context.meters.uncounted.increment(1);
                let Settlement {
                    processor,
                    requested_at,
                    ..
                } = &settlement;
                tracing::error!(id = %payment.id, %processor, %requested_at, %oldest, "settled in an hour that is closed: no summary counts it");
                return;
            }
            Err(StoreFault::Unknown) => {
                may_be_ours = true;
                backoff.pause().await;
            }
            Err(StoreFault::Away | StoreFault::Full | StoreFault::Closed) => backoff.pause().await,
        }
    }
}

/// Makes an entry name another processor. A step without an answer is repeated to the same
/// target until it is answered, because it may have been carried out.
pub(crate) async fn rename<S: Store>(
    store: &S,
    hold: &Hold,
    payment: &Payment,
    moves: u32,
    to: &ProcessorName,
) -> Rename {
    let mut backoff = Backoff::default();
    loop {
        match store.rename(hold, payment.id, moves, to).await {
            Ok(reply) => return reply,
            Err(_) => backoff.pause().await,
        }
    }
}

/// Notes that every attempt of a payment has ended. It is tried once: without the note a
/// front that finds the payment in the journal leaves it where it is.
pub(crate) async fn note_answered<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    job: &Job,
) {
    let tenure = job.share.tenure();
    let noted = context
        .store
        .note_answered(&tenure.hold, job.payment.id, job.moves)
        .await;
    match noted {
        Ok(Note::Noted | Note::Stale)
        | Err(StoreFault::Away | StoreFault::Full | StoreFault::Closed | StoreFault::Unknown) => {}
        Ok(Note::Fenced) => context.lose(tenure),
    }
}

/// A payment that is tied to a processor is no longer open, or its entry is another than ours: the
/// store forgot that and the payment was accepted anew. The processor may hold it all the same, so
/// it is looked up there in a while, and booked if it is found, as a conflict if need be.
pub(crate) async fn look_up_later<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    job: &Job,
) {
    if Sabotage::ForgetOtherLineages.is_on() {
        return;
    }
    if let Some(rank) = job.named.filter(|_| job.bond != Bond::Free) {
        note_freed(&context.store, &job.payment, context.board.name(rank)).await;
    }
}

/// Of a payment that is let go while it is tied to a processor: whoever has its entry goes on asking
/// that processor, unless there is no such entry any more.
pub(crate) async fn leave<S: Store, C: ProcessorClient>(context: &Context<S, C>, job: &Job) {
    let Some(rank) = job.named.filter(|_| job.bond != Bond::Free) else {
        return;
    };
    let there = context.board.name(rank);
    let mut backoff = Backoff::default();
    let found = loop {
        match context.store.find(job.payment.id).await {
            Ok(found) => break found,
            Err(_) => backoff.pause().await,
        }
    };
    let is_kept_there = found.is_some_and(|state| match state.status {
        Status::Open { processor } => processor.as_ref() == Some(there),
        Status::Settled { processor, .. } => processor == *there,
        Status::Rejected { .. } | Status::Conflict { .. } => false,
    });
    if !is_kept_there {
        look_up_later(context, job).await;
    }
}

/// Remembers that a payment leaves a processor because it is absent there, or that it may be held
/// there.
pub(crate) async fn note_freed<S: Store>(store: &S, payment: &Payment, from: &ProcessorName) {
    let mut backoff = Backoff::default();
    loop {
        match store.note_freed(payment, from).await {
            Ok(()) => return,
            Err(_) => backoff.pause().await,
        }
    }
}

/// Remembers that a payment is about to be booked at another time than its processor says.
pub(crate) async fn note_restamp<S: Store>(store: &S, restamp: &Restamp) {
    let mut backoff = Backoff::default();
    loop {
        match store.note_restamp(restamp).await {
            Ok(()) => return,
            Err(_) => backoff.pause().await,
        }
    }
}

/// Ends a payment that every processor declined.
pub(crate) async fn reject<S: Store>(
    store: &S,
    hold: &Hold,
    payment: &Payment,
    why: &str,
) -> Reject {
    let mut backoff = Backoff::default();
    loop {
        match store.reject(hold, payment, why).await {
            Ok(reply) => return reply,
            Err(_) => backoff.pause().await,
        }
    }
}
