//! Looks payments up once more at processors that they left because they were absent there.
//!
//! No time is long enough to be sure: a look-up may lag for longer than `absence_after`. What
//! is found after all is booked, as a conflict where another processor holds it too.

use std::sync::Arc;
use std::time::Duration;

use feeway_domain::{Freed, GetAnswer, ProcessorClient, Settle, Store, StoreFault};
use feeway_health::Rank;

use crate::context::Context;
use crate::persist::settlement;
use crate::watched::Watched;

/// How long after it left.
const AFTER: Duration = Duration::from_secs(60);

/// Between two looks for those whose time has come.
const PERIOD: Duration = Duration::from_secs(5);

/// The most of one look.
const PAGE: usize = 64;

/// Runs until the worker ends. Every front does it; what two of them find out is booked once.
pub(crate) async fn recheck_for_ever<S: Store, C: ProcessorClient>(context: Arc<Context<S, C>>) {
    loop {
        tokio::time::sleep(PERIOD).await;
        let freed = match context.store.freed(AFTER, PAGE).await {
            Ok(freed) => freed,
            Err(StoreFault::Away | StoreFault::Full | StoreFault::Unknown) => continue,
        };
        for freed in freed {
            let known = match context.board.rank(&freed.processor) {
                Some(rank) => recheck(&context, &freed, rank).await,
                // Another front may have it.
                None => Ok(Known::No),
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
                Err(StoreFault::Away | StoreFault::Full | StoreFault::Unknown) => {}
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
    match Watched::new(context, rank).get(payment.id).await {
        GetAnswer::Held {
            amount,
            requested_at,
        } if amount == payment.amount => {
            let settlement = settlement(context, *payment, rank, requested_at);
            let settled = context.store.settle(&settlement).await?;
            tell(context, freed, &settled);
            Ok(Known::Yes)
        }
        GetAnswer::Held { amount, .. } => {
            tracing::error!(id = %payment.id, %processor, ours = %payment.amount, theirs = %amount,
                "a payment left this processor as absent, and now it holds one of that id with another amount");
            Ok(Known::Yes)
        }
        GetAnswer::Absent => Ok(Known::Yes),
        GetAnswer::Pending
        | GetAnswer::Unreadable(_)
        | GetAnswer::Unclear
        | GetAnswer::Unreachable => Ok(Known::No),
    }
}

/// What was found after all, in words that say what to do.
fn tell<S: Store, C: ProcessorClient>(context: &Context<S, C>, freed: &Freed, settled: &Settle) {
    let Freed {
        payment, processor, ..
    } = freed;
    match settled {
        // It came back, and is settled there as it should be.
        Settle::Known => {}
        Settle::Conflict { first } => {
            context.meters.conflicts.increment(1);
            tracing::error!(id = %payment.id, %processor, other = %first,
                "charged twice: a look-up found this payment long after it had left the processor as absent; refund it at one of the two, and raise --absence-after");
        }
        Settle::Settled | Settle::TooOld { .. } => {
            tracing::error!(id = %payment.id, %processor,
                "a look-up found this payment long after it had left the processor as absent; it is booked there; raise --absence-after");
        }
    }
}
