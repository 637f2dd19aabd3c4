//! Follows the operators' orders to stand back from a processor, and says when it is done.

use feeway_domain::{
    Confirm, Incarnation, ProcessorClient, ProcessorName, StandBack, Store, StoreFault,
};
use feeway_jobs::sabotage::Sabotage;

use crate::context::Context;

/// The orders as one front knows them.
#[derive(Debug, Default)]
pub(crate) struct StandBacks {
    orders: Vec<StandBack>,
    /// What the present incarnation has confirmed.
    confirmed: Vec<(ProcessorName, String)>,
    incarnation: Option<Incarnation>,
}

impl StandBacks {
    /// Does what the orders say that were just read. With each new one the queues are gone
    /// through again: what an operator has let go may be sent.
    pub(crate) fn follow<S: Store, C: ProcessorClient>(
        &mut self,
        context: &Context<S, C>,
        orders: Vec<StandBack>,
    ) {
        if orders == self.orders {
            return;
        }
        let ranks = orders
            .iter()
            .filter_map(|order| context.board.rank(&order.processor));
        context.board.set_stand_backs(&ranks.collect::<Vec<_>>());
        for tenure in context.tenures.all() {
            tenure.fall_behind();
        }
        self.orders = orders;
    }

    /// Says of each order that it is followed, once nothing is in flight there any more.
    pub(crate) async fn confirm<S: Store, C: ProcessorClient>(
        &mut self,
        context: &Context<S, C>,
    ) -> Result<(), StoreFault> {
        let Some(own) = context.tenures.own() else {
            return Ok(());
        };
        if self.incarnation.as_ref() != Some(&own.hold.owner) {
            self.incarnation = Some(own.hold.owner.clone());
            self.confirmed.clear();
        }
        let orders = &self.orders;
        self.confirmed.retain(|(processor, token)| {
            let mut orders = orders.iter();
            orders.any(|order| order.processor == *processor && order.token == *token)
        });
        for order in &self.orders {
            if self.is_confirmed(order) || !is_quiet(context, &order.processor) {
                continue;
            }
            let (processor, token) = (&order.processor, &order.token);
            let confirm = context
                .store
                .confirm_stand_back(&own.hold, processor, token);
            match confirm.await? {
                Confirm::Confirmed => {
                    tracing::info!(%processor, by = order.by, "standing back from the processor");
                    self.confirmed.push((processor.clone(), token.clone()));
                }
                // The next reading tells.
                Confirm::Stale => {}
                Confirm::Fenced => context.lose(&own),
            }
        }
        Ok(())
    }

    /// Whether an order waits for its confirmation.
    pub(crate) fn are_owed(&self) -> bool {
        !self.orders.iter().all(|order| self.is_confirmed(order))
    }

    fn is_confirmed(&self, order: &StandBack) -> bool {
        let mut confirmed = self.confirmed.iter();
        confirmed.any(|(processor, token)| *processor == order.processor && *token == order.token)
    }
}

/// Whether nothing of ours is in flight at a processor. At one that is not configured nothing
/// can be.
fn is_quiet<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    processor: &ProcessorName,
) -> bool {
    let rank = context.board.rank(processor);
    rank.is_none_or(|rank| context.board.is_quiet(rank)) || Sabotage::ConfirmAtOnce.is_on()
}
