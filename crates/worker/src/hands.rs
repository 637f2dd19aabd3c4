//! What this front has in hand, should the store have lost it.

use std::sync::{Arc, Weak};

use feeway_domain::{Entry, Hold, InHand, ProcessorClient, Site, Store};
use feeway_jobs::registry::Kept;

use crate::context::Context;
use crate::enlist::sites;

/// A view of a worker for its store, which the worker owns.
pub(crate) struct Hands<S: Store, C: ProcessorClient>(Weak<Context<S, C>>);

impl<S: Store, C: ProcessorClient> Hands<S, C> {
    pub(crate) fn of(context: &Arc<Context<S, C>>) -> Arc<Self> {
        Arc::new(Self(Arc::downgrade(context)))
    }

    fn entry(context: &Context<S, C>, kept: &Kept) -> Entry {
        Entry {
            payment: kept.payment,
            owner: kept.tenure.hold.owner.clone(),
            processor: kept.named.map(|rank| context.board.name(rank).clone()),
            moves: kept.moves,
            accepted_at: kept.accepted_at,
        }
    }
}

impl<S: Store, C: ProcessorClient> InHand for Hands<S, C> {
    fn holds(&self) -> Vec<Hold> {
        let Some(context) = self.0.upgrade() else {
            return Vec::new();
        };
        let tenures = context.tenures.all();
        let good = tenures.iter().filter(|tenure| !tenure.is_lost());
        good.map(|tenure| tenure.hold.clone()).collect()
    }

    fn sites(&self) -> Vec<Site> {
        let context = self.0.upgrade();
        context.map_or_else(Vec::new, |context| sites(&context, false))
    }

    fn entries(&self) -> Vec<(Entry, Hold)> {
        let Some(context) = self.0.upgrade() else {
            return Vec::new();
        };
        let kept = context.registry.kept();
        kept.iter()
            .map(|kept| (Self::entry(&context, kept), kept.tenure.hold.clone()))
            .collect()
    }
}
