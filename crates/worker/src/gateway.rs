use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use feeway_domain::{Payment, ProcessorClient, Store};
use feeway_jobs::job::RankSet;
use feeway_jobs::place::Place;
use feeway_jobs::registry::Refused;
use feeway_jobs::router::{Route, Wish, route};
use feeway_jobs::tenure::Tenure;
use tokio::time::{Instant, timeout_at};

use crate::accept::{accept, away};
use crate::config::IntakeMode;
use crate::context::Context;
use crate::moved_processor::MovedProcessor;
use crate::submit::{NotKept, Submit};

/// Where payments come in. A clone is the same gateway.
pub struct Gateway<S: Store, C: ProcessorClient>(pub(crate) Arc<Context<S, C>>);

/// How long payments wait for the first hold of this process, counted from its start. It listens
/// before it is enlisted, so that it can say what keeps it from being ready, and a load balancer
/// that has not seen it go down sends payments at once. That takes some 10 ms where Redis works.
const FIRST_HOLD_WAIT: Duration = Duration::from_millis(500);

impl<S: Store, C: ProcessorClient> Gateway<S, C> {
    /// Waits until this front may keep payments: it is enlisted in the journal. Cancel safe.
    pub async fn enlisted(&self) {
        own_tenure(&self.0).await;
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
        let context = &self.0;
        let depths = context.dispatcher.depths();
        let in_hand = context.registry.count();
        context
            .meters
            .observe(&context.board, depths, in_hand, &context.tenures);
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

/// The own hold, once there is one.
async fn own_tenure<S: Store, C: ProcessorClient>(context: &Context<S, C>) -> Arc<Tenure> {
    loop {
        let enlisted = context.enlisted.notified();
        if let Some(own) = context.tenures.own() {
            return own;
        }
        enlisted.await;
    }
}

/// The own hold, or the first one if the process started a moment ago.
async fn own_or_first_tenure<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
) -> Option<Arc<Tenure>> {
    if let Some(own) = context.tenures.own() {
        return Some(own);
    }
    let wait_until = context.started + FIRST_HOLD_WAIT;
    timeout_at(wait_until, own_tenure(context)).await.ok()
}
