use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use feeway_domain::{
    Accept, CorrelationId, JournalTime, Payment, ProcessorClient, ProcessorName, Status, Store,
    StoreFault,
};
use feeway_health::{Board, Permit};
use tokio::time::{Instant, timeout, timeout_at};

use crate::IntakeMode;
use crate::context::Context;
use crate::dispatcher::{Dealt, Slot};
use crate::enlist::MovedProcessor;
use crate::job::{Job, RankSet};
use crate::meters::observe;
use crate::registry::{InHand, Refused};
use crate::router::{Route, Wish, route};
use crate::tenure::Tenure;

/// Where payments come in. A clone is the same gateway.
pub struct Gateway<S: Store, C: ProcessorClient>(pub(crate) Arc<Context<S, C>>);

/// What became of a submitted payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submit {
    /// It is kept, now or from an earlier time.
    Kept,
    /// It was kept at an earlier time, and every processor declined it since. This is what they
    /// answered.
    Rejected(String),
    /// The same id is known with another amount.
    AmountDiffers,
    /// It was not kept; send it again later.
    NotKept(NotKept),
    /// Nobody knows whether it was kept; send the same id again.
    Unknown,
}

/// Why a payment was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotKept {
    /// The journal is away.
    StoreAway,
    /// The front accepts nothing, for this reason.
    StandsStill(String),
    /// The journal may have forgotten payments, and waits for those who remember them.
    StoreClosed,
    /// The limit of open payments is reached.
    JournalFull,
    /// The journal's memory is full.
    MemoryFull,
    /// This front is going down.
    Busy,
}

/// How long an intake waits for a new hold after its own was lost.
const ENLIST_WAIT: Duration = Duration::from_millis(250);

/// How long payments wait for the first hold of this process, counted from its start. It listens
/// before it is enlisted, so that it can say what keeps it from being ready, and a load balancer
/// that has not seen it go down sends payments at once. That takes some 10 ms where Redis works.
const FIRST_HOLD_WAIT: Duration = Duration::from_millis(500);

/// Where an accepted payment will go.
#[derive(Debug)]
pub(crate) enum Place {
    /// To a lane, with a permit when it may be sent at once.
    Lane {
        slot: Slot,
        permit: Option<Permit>,
        in_hand: InHand,
    },
    /// It stays in the journal until the feeder fetches it.
    Journal,
}

impl<S: Store, C: ProcessorClient> Gateway<S, C> {
    /// Waits until this front may keep payments: it is enlisted in the journal. Cancel safe.
    pub async fn enlisted(&self) {
        loop {
            let enlisted = self.0.enlisted.notified();
            if self.0.tenures.own().is_some() {
                return;
            }
            enlisted.await;
        }
    }

    /// Waits until it turns out that this front may not take part, because a processor is not
    /// where it was: also long after it took part, if others took over while it slept. Cancel
    /// safe.
    pub async fn refused(&self) -> MovedProcessor {
        let mut refusal = self.0.refusal.subscribe();
        let known = refusal.wait_for(Option::is_some).await;
        let known = known.expect("the sender lives as long as self");
        known.clone().expect("waited for some")
    }

    /// Reads what is true now into the gauges, for somebody who is about to look at them.
    pub fn observe(&self) {
        observe(&self.0);
    }

    /// This machine's clock less Redis's at the last heartbeat, in microseconds.
    pub fn clock_offset(&self) -> Option<i64> {
        self.0.meters.clock_offset()
    }

    /// Accepts a payment.
    ///
    /// Cancel safe. Dropping the returned future changes nothing once the journal write has
    /// begun: it and the hand-over to a lane go on in a task of their own, so a client that hangs
    /// up cannot cut them apart.
    pub async fn submit(&self, payment: Payment) -> Submit {
        let context = &self.0;
        if context.is_draining() {
            return Submit::NotKept(NotKept::Busy);
        }
        let standstill = &context.config.standstill;
        if standstill.is_on() || standstill.is_own() {
            return Submit::NotKept(away(context));
        }
        let Some(tenure) = own_or_first_tenure(context).await else {
            return Submit::NotKept(away(context));
        };
        let place = place(context, &tenure, &payment);
        let place = match context.config.intake {
            IntakeMode::Durable => place,
            IntakeMode::Memory => match context.answered.take(payment, place) {
                Ok(()) => return Submit::Kept,
                Err(place) => place,
            },
        };
        let step = {
            let context = Arc::clone(context);
            async move { accept(&context, tenure, payment, place).await }
        };
        context.tasks.finish(step).await
    }
}

impl<S: Store, C: ProcessorClient> Clone for Gateway<S, C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

fn place<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    tenure: &Arc<Tenure>,
    payment: &Payment,
) -> Place {
    // What waits in the journal came first.
    if tenure.is_behind() {
        return Place::Journal;
    }
    let in_hand = match context.registry.enter(payment.id) {
        Ok(in_hand) => in_hand,
        // A twin is being accepted or worked on; the journal tells which of us is new.
        Err(Refused::InHand | Refused::Full) => return Place::Journal,
    };
    let Some(slot) = context.dispatcher.reserve() else {
        return Place::Journal;
    };
    let may_go = tenure.is_lasting() && context.waiting.load(Ordering::Relaxed) == 0;
    let permit = may_go.then(|| {
        let now = Instant::now();
        route(
            &context.board,
            Wish {
                impatient_at: now + context.config.patience,
                skip: RankSet::default(),
                may_probe: true,
            },
            now,
        )
    });
    let permit = match permit {
        Some(Route::Go(permit)) => Some(permit),
        Some(Route::Wait(_)) | None => None,
    };
    Place::Lane {
        slot,
        permit,
        in_hand,
    }
}

impl Place {
    /// The processor that the journal entry will name.
    pub(crate) fn processor<'a>(&self, board: &'a Board) -> Option<&'a ProcessorName> {
        match self {
            Self::Lane {
                permit: Some(permit),
                ..
            } => Some(board.name(permit.rank())),
            Self::Lane { permit: None, .. } | Self::Journal => None,
        }
    }
}

/// Writes the payment into the journal, and then sends it on its way.
async fn accept<S: Store, C: ProcessorClient>(
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
fn away<S: Store, C: ProcessorClient>(context: &Context<S, C>) -> NotKept {
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

/// The own hold, or the first one if the process started a moment ago.
async fn own_or_first_tenure<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
) -> Option<Arc<Tenure>> {
    let first = async {
        loop {
            let enlisted = context.enlisted.notified();
            if let Some(own) = context.tenures.own() {
                return own;
            }
            enlisted.await;
        }
    };
    let wait_until = context.started + FIRST_HOLD_WAIT;
    timeout_at(wait_until, first).await.ok()
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
