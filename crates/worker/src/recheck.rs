//! Looks payments up once more at processors that they left because they were absent there.
//!
//! No time is long enough to be sure: a look-up may lag for longer than `absence_after`. What
//! is found after all is booked, as a conflict where another processor holds it too.

use std::sync::Arc;
use std::time::Duration;

use feeway_domain::{
    Freed, GetAnswer, ProcessorClient, RequestedAt, Settle, Status, Store, StoreFault,
};
use feeway_health::Rank;

use crate::context::Context;
use crate::persist::settlement;
use crate::restamp::{self, Found};
use crate::watched::Watched;

/// How long after it left.
const AFTER: Duration = Duration::from_secs(60);

/// Between two looks for those whose time has come.
const PERIOD: Duration = Duration::from_secs(5);

/// Before a processor is asked again that says an impossible time.
const PAUSE: Duration = Duration::from_secs(1);

/// The most of one look.
const PAGE: usize = 64;

/// Runs until the worker ends. Every front does it; what two of them find out is booked once.
pub(crate) async fn recheck_for_ever<S: Store, C: ProcessorClient>(context: Arc<Context<S, C>>) {
    loop {
        tokio::time::sleep(PERIOD).await;
        let freed = match context.store.freed(AFTER, PAGE).await {
            Ok(freed) => freed,
            Err(StoreFault::Away | StoreFault::Full | StoreFault::Closed | StoreFault::Unknown) => {
                continue;
            }
        };
        for freed in freed {
            let known = match context.board.rank(&freed.processor) {
                Some(rank) if !context.board.stands_back(rank) => {
                    recheck(&context, &freed, rank).await
                }
                // Another front may have it, or this one may ask it later.
                Some(_) | None => Ok(Known::No),
            };
            let Freed {
                payment, processor, ..
            } = &freed;
            // Should either fail, it is looked up once more, which does no harm.
            match known {
                Ok(Known::Yes) => context.store.forget_freed(&freed).await.unwrap_or_default(),
                // At the end of the line, so that it keeps nobody else from their turn.
                Ok(Known::No) => {
                    let again = context.store.note_freed(payment, processor).await;
                    again.unwrap_or_default();
                }
                Err(
                    StoreFault::Away | StoreFault::Full | StoreFault::Closed | StoreFault::Unknown,
                ) => {}
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Known {
    Yes,
    /// No usable answer: in another minute.
    No,
}

async fn recheck<S: Store, C: ProcessorClient>(
    context: &Arc<Context<S, C>>,
    freed: &Freed,
    rank: Rank,
) -> Result<Known, StoreFault> {
    let Freed {
        payment, processor, ..
    } = freed;
    let mut is_told = false;
    let answer = loop {
        let answer = Watched::new(context, rank).get(payment.id).await;
        let GetAnswer::Held {
            amount,
            requested_at,
        } = answer
        else {
            break answer;
        };
        if amount != payment.amount {
            break answer;
        }
        if is_settled_there(context, freed).await? {
            return Ok(Known::Yes);
        }
        let found = found(context, freed, rank, requested_at);
        if let Some(at) = restamp::time_to_book(context, &found, &mut is_told).await {
            let settlement = settlement(context, *payment, rank, at);
            let settled = context.store.settle(&settlement).await?;
            tell(context, freed, &settled);
            return Ok(Known::Yes);
        }
        tokio::time::sleep(PAUSE).await;
    };
    match answer {
        GetAnswer::Held { amount, .. } => {
            tracing::error!(id = %payment.id, %processor, ours = %payment.amount, theirs = %amount,
                "the processor now holds a payment that it did not hold before it was released, with another amount");
            Ok(Known::Yes)
        }
        GetAnswer::Absent => Ok(Known::Yes),
        GetAnswer::Pending
        | GetAnswer::Unreadable(_)
        | GetAnswer::Unclear
        | GetAnswer::Unreachable => Ok(Known::No),
    }
}

/// It came back, and is booked there as it should be.
async fn is_settled_there<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    freed: &Freed,
) -> Result<bool, StoreFault> {
    let state = context.store.find(freed.payment.id).await?;
    Ok(state.is_some_and(|state| match state.status {
        Status::Settled { processor, .. } => processor == freed.processor,
        Status::Open { .. } | Status::Rejected { .. } | Status::Conflict { .. } => false,
    }))
}

/// Nobody knows any longer when it was accepted. It was sent there before it left.
fn found<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    freed: &Freed,
    rank: Rank,
    theirs: RequestedAt,
) -> Found {
    let possible = restamp::possible_since(context, None);
    let left_at = RequestedAt::from_micros(freed.at.micros());
    Found {
        id: freed.payment.id,
        rank,
        theirs,
        possible,
        instead: left_at.unwrap_or(possible.nearest(theirs)),
    }
}

/// What was found after all, in words that say what to do.
fn tell<S: Store, C: ProcessorClient>(context: &Context<S, C>, freed: &Freed, settled: &Settle) {
    let Freed {
        payment, processor, ..
    } = freed;
    if let Settle::TooOld { .. } = settled {
        context.meters.uncounted.increment(1);
    }
    match settled {
        // Another front was quicker.
        Settle::Known => {}
        Settle::Conflict { first } => {
            context.meters.conflicts.increment(1);
            tracing::error!(id = %payment.id, %processor, other = %first,
                "charged twice: the processor holds this payment after all, though it had answered \"not found\" and the payment went to another one; refund it at one of the two, and raise --absence-after of the fronts");
        }
        Settle::Settled | Settle::TooOld { .. } => {
            tracing::error!(id = %payment.id, %processor,
                "the processor holds this payment after all, though it had answered \"not found\"; no other processor does, and it is booked there; raise --absence-after of the fronts");
        }
    }
}
