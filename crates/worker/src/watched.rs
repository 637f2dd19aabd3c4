//! A processor's client whose look-ups the board hears of.

use std::sync::Arc;

use feeway_domain::{
    CorrelationId, GetAnswer, Payment, PostAnswer, ProcessorClient, RequestedAt, Store,
};
use feeway_health::Rank;
use feeway_jobs::sabotage::Sabotage;

use crate::context::Context;
use crate::trust::note_trust;

/// The client of one processor.
pub(crate) struct Watched<S: Store, C: ProcessorClient> {
    context: Arc<Context<S, C>>,
    rank: Rank,
}

impl<S: Store, C: ProcessorClient> Watched<S, C> {
    pub(crate) fn new(context: &Arc<Context<S, C>>, rank: Rank) -> Self {
        Self {
            context: Arc::clone(context),
            rank,
        }
    }

    fn client(&self) -> &C {
        &self.context.clients[self.rank.index()]
    }

    /// Tells the board, and those who want to know if look-ups can be trusted.
    fn note(&self, answer: GetAnswer) -> GetAnswer {
        let board = &self.context.board;
        match answer {
            GetAnswer::Held { .. } => {
                board.looked_up(self.rank, true);
                note_trust(&self.context, self.rank, true);
            }
            GetAnswer::Absent | GetAnswer::Pending | GetAnswer::Unreadable(_) => {
                board.looked_up(self.rank, true);
            }
            GetAnswer::Unclear => {
                board.looked_up(self.rank, Sabotage::FreshProbesAfterDoubt.is_on());
            }
            // Nothing was asked, so it says nothing of its look-ups.
            GetAnswer::Unreachable => {}
        }
        answer
    }
}

impl<S: Store, C: ProcessorClient> ProcessorClient for Watched<S, C> {
    async fn post(&self, payment: &Payment, requested_at: RequestedAt) -> PostAnswer {
        let answer = self.client().post(payment, requested_at).await;
        if answer == PostAnswer::Inconclusive && Sabotage::BelieveEvery2xx.is_on() {
            return PostAnswer::Stored;
        }
        answer
    }

    async fn get(&self, id: CorrelationId) -> GetAnswer {
        self.note(self.client().get(id).await)
    }

    async fn get_apart(&self, id: CorrelationId) -> GetAnswer {
        self.note(self.client().get_apart(id).await)
    }
}
