//! Books what a look-up found, unless the processor cannot have taken it at that time.
//!
//! A clock that is wrong, or a router that answers with what it has, must not put a payment into
//! a day on which it did not happen. Such a time is told and asked for once more. A processor
//! that insists holds the payment all the same: the books get a time of ours, and it is noted
//! that they do.

use std::sync::Arc;

use feeway_domain::{
    CorrelationId, JournalTime, Possible, ProcessorClient, RequestedAt, Restamp, Store,
};
use feeway_health::Rank;
use feeway_jobs::job::Job;
use tokio::time::Instant;

use crate::context::Context;
use crate::persist;

/// A payment that a look-up found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) id: CorrelationId,
    pub(crate) rank: Rank,
    /// The instant in the processor's books.
    pub(crate) theirs: RequestedAt,
    /// What is possible.
    pub(crate) possible: Possible,
    /// The instant that ours get when the processor insists on an impossible one.
    pub(crate) instead: RequestedAt,
}

/// Books a payment that a look-up found, or gives it back when it is to be looked up again.
pub(crate) async fn book<S: Store, C: ProcessorClient>(
    context: &Arc<Context<S, C>>,
    mut job: Job,
    rank: Rank,
    theirs: RequestedAt,
) -> Option<Job> {
    let mut requested_at = Some(theirs);
    // Whatever any clock says now, what it was sent with is believed.
    if job.stamps_at(rank).all(|stamp| stamp != theirs) {
        let possible = possible_since(context, Some((job.accepted, job.accepted_at)));
        let own = job.stamps_at(rank).next();
        let found = Found {
            id: job.payment.id,
            rank,
            theirs,
            possible,
            instead: own.unwrap_or(possible.nearest(theirs)),
        };
        requested_at = time_to_book(context, &found, &mut job.is_time_told).await;
    }
    let Some(requested_at) = requested_at else {
        return Some(job);
    };
    persist::settle(context, &job, rank, requested_at).await;
    None
}

/// The time that the books get; nothing when the processor is to be asked again, which is told
/// then.
pub(crate) async fn time_to_book<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    found: &Found,
    is_told: &mut bool,
) -> Option<RequestedAt> {
    let Found {
        id,
        rank,
        theirs,
        possible,
        instead,
    } = found;
    if possible.includes(*theirs) {
        return Some(*theirs);
    }
    let processor = context.board.name(*rank);
    if !std::mem::replace(is_told, true) {
        context.meters.impossible_time(*rank);
        tracing::error!(%id, %processor, field = "requestedAt", %theirs, %possible,
            "the processor holds the payment at an impossible time; looking it up again");
        return None;
    }
    tracing::error!(%id, %processor, %theirs, ours = %instead,
        "the processor reports the impossible time again: the payment is booked at our own time");
    let restamp = Restamp {
        id: *id,
        processor: processor.clone(),
        theirs: *theirs,
        ours: *instead,
    };
    persist::note_restamp(&context.store, &restamp).await;
    Some(*instead)
}

/// When a processor can have booked a payment that was accepted then, if that is known. Its own
/// clock and the journal's may differ, and each may be the right one.
pub(crate) fn possible_since<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    accepted: Option<(Instant, JournalTime)>,
) -> Possible {
    let own = context.time_of_day(accepted).micros();
    let journal = context.journal_now().map_or(own, JournalTime::micros);
    let accepted = accepted.map(|(accepted, accepted_at)| {
        let age = i64::try_from(accepted.elapsed().as_micros()).unwrap_or(i64::MAX);
        own.saturating_sub(age).min(accepted_at.micros())
    });
    Possible::between(
        accepted.map(instant),
        instant(own.max(journal)),
        context.config.clock_slip,
    )
}

/// This instant, or the nearest that there is.
fn instant(micros: i64) -> RequestedAt {
    let within = micros.clamp(RequestedAt::MIN.micros(), RequestedAt::MAX.micros());
    RequestedAt::from_micros(within).unwrap_or(RequestedAt::MAX)
}
