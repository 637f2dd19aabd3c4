//! Writes payments into the journal, and sends them on their way.

use std::sync::Arc;
use std::time::Duration;

use feeway_domain::{
    Accept, CorrelationId, JournalTime, Payment, ProcessorClient, Status, Store, StoreFault,
};
use feeway_health::Permit;
use feeway_jobs::dispatcher::Dealt;
use feeway_jobs::job::Job;
use feeway_jobs::place::Place;
use feeway_jobs::tenure::Tenure;
use tokio::time::{Instant, timeout};

use crate::context::Context;
use crate::submit::{NotKept, Submit};

/// How long an intake waits for a new hold after its own was lost.
const ENLIST_WAIT: Duration = Duration::from_millis(250);

/// Writes the payment into the journal, and then sends it on its way.
pub(crate) async fn accept<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    tenure: Arc<Tenure>,
    payment: Payment,
    place: Place,
) -> Submit {
    let mut tenure = tenure;
    loop {
        match accept_once(context, &tenure, &payment, &place).await {
            Ok(Accept::Kept { accepted_at }) => {
                deal(context, &tenure, payment, accepted_at, place);
                return Submit::Kept;
            }
            Ok(Accept::Known) => {
                context.meters.repeated.increment(1);
                return Submit::Kept;
            }
            Ok(Accept::Ended) => return ended(context, payment.id).await,
            Ok(Accept::AmountDiffers) => return Submit::AmountDiffers,
            Ok(Accept::Full) => return Submit::NotKept(NotKept::JournalFull),
            Err(StoreFault::Full) => return Submit::NotKept(NotKept::MemoryFull),
            Ok(Accept::Fenced) => match next_tenure(context, &tenure).await {
                Some(next) => tenure = next,
                None => return Submit::NotKept(away(context)),
            },
            Err(StoreFault::Away) => return Submit::NotKept(away(context)),
            Err(StoreFault::Closed) => return Submit::NotKept(NotKept::StoreClosed),
            // If it is kept after all, the next heartbeats show one more payment than is
            // in hand, and the feeder fetches it.
            Err(StoreFault::Unknown) => return Submit::Unknown,
        }
    }
}

/// Why nothing can be kept, if more is known than that the store does not do it.
pub(crate) fn away<S: Store, C: ProcessorClient>(context: &Context<S, C>) -> NotKept {
    let standstill = &context.config.standstill;
    let says_why = standstill.is_on() || standstill.is_own();
    match standstill.why().filter(|_| says_why) {
        Some(why) => NotKept::StandsStill(why),
        None => NotKept::StoreAway,
    }
}

/// What became of a payment that is over.
async fn ended<S: Store, C: ProcessorClient>(context: &Context<S, C>, id: CorrelationId) -> Submit {
    let Ok(found) = context.store.find(id).await else {
        return Submit::Unknown;
    };
    match found.map(|state| state.status) {
        Some(Status::Rejected { reason }) => Submit::Rejected(reason),
        // It may have been reopened since, or forgotten because its time was over.
        Some(Status::Open { .. } | Status::Settled { .. } | Status::Conflict { .. }) | None => {
            context.meters.repeated.increment(1);
            Submit::Kept
        }
    }
}

async fn accept_once<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    tenure: &Tenure,
    payment: &Payment,
    place: &Place,
) -> Result<Accept, StoreFault> {
    let processor = place.processor(&context.board);
    let started = Instant::now();
    let accept = context.store.accept(&tenure.hold, payment, processor).await;
    context.meters.journal.record(started.elapsed());
    count(context, &accept);
    accept
}

/// Counts what was accepted.
pub(crate) fn count<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    accept: &Result<Accept, StoreFault>,
) {
    if let Ok(Accept::Kept { .. }) = accept {
        context.meters.accepted.increment(1);
        context.catch_up.arrived();
    }
}

/// Sends a payment on its way that is in the journal.
pub(crate) fn deal<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    tenure: &Arc<Tenure>,
    payment: Payment,
    accepted_at: JournalTime,
    place: Place,
) {
    match place {
        Place::Lane {
            slot,
            permit,
            in_hand,
        } => {
            let named = permit.as_ref().map(Permit::rank);
            let accepted = (Instant::now(), accepted_at);
            let mut job = Job::new(payment, named, 0, accepted, tenure.share(), in_hand);
            job.named_in = context.board.shifts();
            job.adoptions = context.config.standstill.adoptions();
            context.linger.send(slot, Dealt { job, permit });
        }
        Place::Journal => tenure.fall_behind(),
    }
}

/// After the own hold was lost: the next one, if it comes soon.
async fn next_tenure<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    lost: &Tenure,
) -> Option<Arc<Tenure>> {
    let enlisted = context.enlisted.notified();
    context.lose(lost);
    if let Some(next) = context.tenures.own() {
        return Some(next);
    }
    timeout(ENLIST_WAIT, enlisted).await.ok()?;
    context.tenures.own()
}
