//! Looks up what was answered on a connection that delivered an answer nobody had asked for.
//!
//! Each of these payments may have got the answer to another one: a yes where it was refused,
//! or a no, after which it went elsewhere, where it was stored.

use std::sync::Arc;
use std::time::Duration;

use feeway_domain::{
    CorrelationId, GetAnswer, Payment, PaymentState, ProcessorClient, RequestedAt, Settle, Status,
    Store, StoreFault,
};
use feeway_health::Rank;
use tokio::time::{Instant, sleep, sleep_until};

use crate::backoff::Backoff;
use crate::context::Context;
use crate::persist::settlement;
use crate::restamp::{self, Found};
use crate::watched::Watched;

/// How often a look-up without a usable answer is repeated, and the pause before.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_secs(5);

/// Runs until the worker ends.
pub(crate) async fn check_for_ever<S: Store, C: ProcessorClient>(
    context: Arc<Context<S, C>>,
    rank: Rank,
) {
    loop {
        let suspects = context.clients[rank.index()].misdelivered().await;
        let since = Instant::now();
        let mut absent = Vec::new();
        for id in suspects {
            if check(&context, rank, id).await == Checked::Absent {
                absent.push(id);
            }
        }
        if absent.is_empty() {
            continue;
        }
        // The look-up may lag.
        sleep_until(since + context.config.absence_after).await;
        for id in absent {
            if check(&context, rank, id).await == Checked::Absent {
                tell(
                    &context,
                    rank,
                    id,
                    "it is settled at the processor, which does not hold it",
                );
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Checked {
    /// Both books say the same, or it was told that they do not.
    Done,
    /// We settled it there, and the look-up finds nothing.
    Absent,
}

/// Compares what we say of a payment with what the processor says.
async fn check<S: Store, C: ProcessorClient>(
    context: &Arc<Context<S, C>>,
    rank: Rank,
    id: CorrelationId,
) -> Checked {
    let client = Watched::new(context, rank);
    let mut is_told = false;
    for _ in 0..TRIES {
        while context.board.stands_back(rank) {
            sleep(PAUSE).await;
        }
        let answer = client.get(id).await;
        let Some(ours) = find(context, id).await else {
            return Checked::Done;
        };
        match answer {
            GetAnswer::Held {
                amount,
                requested_at,
            } if amount == ours.amount => {
                if is_settled_at(context, &ours, rank) {
                    return Checked::Done;
                }
                let found = found(context, rank, id, requested_at);
                match restamp::time_to_book(context, &found, &mut is_told).await {
                    Some(at) => {
                        book(context, rank, Payment { id, amount }, at).await;
                        return Checked::Done;
                    }
                    None => sleep(PAUSE).await,
                }
            }
            GetAnswer::Held { .. } => {
                tell(
                    context,
                    rank,
                    id,
                    "the processor holds it with another amount",
                );
                return Checked::Done;
            }
            GetAnswer::Absent if is_settled_at(context, &ours, rank) => return Checked::Absent,
            GetAnswer::Absent => return Checked::Done,
            GetAnswer::Pending
            | GetAnswer::Unreadable(_)
            | GetAnswer::Unclear
            | GetAnswer::Unreachable => sleep(PAUSE).await,
        }
    }
    tell(context, rank, id, "it cannot be looked up at the processor");
    Checked::Done
}

/// Nobody knows any longer when it was accepted.
fn found<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    rank: Rank,
    id: CorrelationId,
    theirs: RequestedAt,
) -> Found {
    let possible = restamp::possible_since(context, None);
    Found {
        id,
        rank,
        theirs,
        possible,
        instead: context.time_of_day(None),
    }
}

async fn find<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    id: CorrelationId,
) -> Option<PaymentState> {
    let mut backoff = Backoff::default();
    loop {
        match context.store.find(id).await {
            Ok(found) => return found,
            Err(StoreFault::Away | StoreFault::Full | StoreFault::Closed | StoreFault::Unknown) => {
                backoff.pause().await
            }
        }
    }
}

fn is_settled_at<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    ours: &PaymentState,
    rank: Rank,
) -> bool {
    match &ours.status {
        Status::Settled { processor, .. } | Status::Conflict { processor, .. } => {
            processor == context.board.name(rank)
        }
        Status::Open { .. } | Status::Rejected { .. } => false,
    }
}

/// Books what the processor holds, whatever it seemed to answer.
async fn book<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    rank: Rank,
    payment: Payment,
    requested_at: RequestedAt,
) {
    let settlement = settlement(context, payment, rank, requested_at);
    let mut backoff = Backoff::default();
    let settled = loop {
        match context.store.settle(&settlement).await {
            Ok(settled) => break settled,
            Err(StoreFault::Away | StoreFault::Full | StoreFault::Closed | StoreFault::Unknown) => {
                backoff.pause().await
            }
        }
    };
    match settled {
        Settle::Known | Settle::Settled => {}
        Settle::Conflict { .. } => {
            context.meters.conflicts.increment(1);
            tell(
                context,
                rank,
                payment.id,
                "the processor holds it, and so does another one",
            );
        }
        Settle::TooOld { .. } => {
            context.meters.uncounted.increment(1);
            tell(
                context,
                rank,
                payment.id,
                "the processor has held it for so long that its books are closed",
            );
        }
    }
}

fn tell<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    rank: Rank,
    id: CorrelationId,
    why: &str,
) {
    let processor = context.board.name(rank);
    context.meters.misdelivered(rank);
    tracing::error!(%id, %processor, why,
        "a payment may have got another payment's answer: compare it with the processor's books");
}
