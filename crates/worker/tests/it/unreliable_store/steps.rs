use std::time::Duration;

use feeway_domain::{
    Accept, Adopt, Beat, Census, Confirm, CorrelationId, Enlist, Entry, Fee, Freed, Hold,
    Incarnation, Ledger, LedgerFault, Listing, Note, Page, Payment, PaymentState, ProcessorName,
    Purge, Reject, Relocation, Rename, Restamp, Retire, Settle, Settlement, Site, StandBack, Store,
    StoreFault, Summary, Window,
};
use feeway_memory_store::{Acknowledged, MemoryStore};
use futures_util::future::join_all;

use super::{UnreliableStore, nothing};

impl Ledger for UnreliableStore {
    async fn summary(&self, window: Window) -> Result<Summary, LedgerFault> {
        let summary = self.call(
            move |inner| async move { Ok(inner.summary(window).await) },
            nothing,
        );
        summary.await?
    }

    async fn list(&self, listing: &Listing) -> Result<Page, LedgerFault> {
        let listing = listing.clone();
        let list = self.call(
            move |inner| async move { Ok(inner.list(&listing).await) },
            nothing,
        );
        list.await?
    }

    async fn find(&self, id: CorrelationId) -> Result<Option<PaymentState>, StoreFault> {
        self.call(move |inner| async move { inner.find(id).await }, nothing)
            .await
    }

    async fn purge(&self) -> Result<Purge, StoreFault> {
        self.call(|inner| async move { inner.purge().await }, nothing)
            .await
    }
}

impl Store for UnreliableStore {
    async fn enlist(&self, incarnation: &Incarnation) -> Result<Hold, StoreFault> {
        let incarnation = incarnation.clone();
        let enlist = |inner: MemoryStore| async move { inner.enlist(&incarnation).await };
        self.call(enlist, |hold: &Hold| Some(Acknowledged::Hold(hold.clone())))
            .await
    }

    async fn enlist_at(
        &self,
        incarnation: &Incarnation,
        sites: &[Site],
        seen: Option<&Relocation>,
    ) -> Result<Enlist, StoreFault> {
        let acknowledged = |reply: &Enlist| {
            let Enlist::Enlisted(hold) = reply else {
                return None;
            };
            let known = sites
                .iter()
                .map(|site| (site.clone(), self.inner.urls(&site.processor)));
            Some(Acknowledged::Sites {
                hold: hold.clone(),
                known: known.collect(),
            })
        };
        let (incarnation, again, seen) = (incarnation.clone(), sites.to_vec(), seen.cloned());
        let enlist = move |inner: MemoryStore| async move {
            inner.enlist_at(&incarnation, &again, seen.as_ref()).await
        };
        self.call(enlist, acknowledged).await
    }

    async fn tell_fees(&self, fees: &[(ProcessorName, Fee)]) -> Result<(), StoreFault> {
        let fees = fees.to_vec();
        let tell = move |inner: MemoryStore| async move { inner.tell_fees(&fees).await };
        self.call(tell, nothing).await
    }

    async fn census(&self, from: Option<u64>) -> Result<Census, StoreFault> {
        let census = move |inner: MemoryStore| async move { inner.census(from).await };
        self.call(census, nothing).await
    }

    async fn accept(
        &self,
        hold: &Hold,
        payment: &Payment,
        processor: Option<&ProcessorName>,
    ) -> Result<Accept, StoreFault> {
        let acknowledged = |reply: &Accept| match reply {
            Accept::Kept { .. } | Accept::Known => {
                let entry = self.inner.entry(payment.id)?;
                Some(Acknowledged::Entry {
                    entry,
                    hold: hold.clone(),
                })
            }
            Accept::Ended | Accept::AmountDiffers | Accept::Full | Accept::Fenced => None,
        };
        let (hold, payment, processor) = (hold.clone(), *payment, processor.cloned());
        let accept = move |inner: MemoryStore| async move {
            inner.accept(&hold, &payment, processor.as_ref()).await
        };
        self.call(accept, acknowledged).await
    }

    async fn accept_many(
        &self,
        hold: &Hold,
        payments: &[(Payment, Option<&ProcessorName>)],
    ) -> Vec<Result<Accept, StoreFault>> {
        let accepts = payments.iter();
        join_all(accepts.map(|(payment, processor)| self.accept(hold, payment, *processor))).await
    }

    async fn rename(
        &self,
        hold: &Hold,
        id: CorrelationId,
        moves: u32,
        to: &ProcessorName,
    ) -> Result<Rename, StoreFault> {
        let (of, again) = (hold.clone(), to.clone());
        let rename =
            move |inner: MemoryStore| async move { inner.rename(&of, id, moves, &again).await };
        let acknowledged = |reply: &Rename| match reply {
            Rename::Named => Some(Acknowledged::Entry {
                entry: self.inner.entry(id)?,
                hold: hold.clone(),
            }),
            Rename::Differs(_) | Rename::Gone | Rename::Fenced => None,
        };
        self.call(rename, acknowledged).await
    }

    async fn settle(&self, settlement: &Settlement) -> Result<Settle, StoreFault> {
        let again = settlement.clone();
        let settle = |inner: MemoryStore| async move { inner.settle(&again).await };
        self.call(settle, |_: &Settle| {
            Some(Acknowledged::Settle(settlement.clone()))
        })
        .await
    }

    async fn reject(
        &self,
        hold: &Hold,
        payment: &Payment,
        why: &str,
    ) -> Result<Reject, StoreFault> {
        let (hold, again, reason) = (hold.clone(), *payment, why.to_owned());
        let reject =
            move |inner: MemoryStore| async move { inner.reject(&hold, &again, &reason).await };
        let acknowledged = |reply: &Reject| match reply {
            Reject::Rejected => Some(Acknowledged::Reject {
                entry: self.inner.rejected_entry(payment.id)?,
                why: why.to_owned(),
            }),
            Reject::Gone | Reject::Fenced => None,
        };
        self.call(reject, acknowledged).await
    }

    async fn note_answered(
        &self,
        hold: &Hold,
        id: CorrelationId,
        moves: u32,
    ) -> Result<Note, StoreFault> {
        let hold = hold.clone();
        let note =
            move |inner: MemoryStore| async move { inner.note_answered(&hold, id, moves).await };
        self.call(note, nothing).await
    }

    async fn answered(
        &self,
        owner: &Incarnation,
        ids: &[CorrelationId],
    ) -> Result<Vec<Option<u32>>, StoreFault> {
        let (owner, ids) = (owner.clone(), ids.to_vec());
        let answered = move |inner: MemoryStore| async move { inner.answered(&owner, &ids).await };
        self.call(answered, nothing).await
    }

    async fn note_freed(
        &self,
        payment: &Payment,
        processor: &ProcessorName,
    ) -> Result<(), StoreFault> {
        let (payment, processor) = (*payment, processor.clone());
        let again = processor.clone();
        let note =
            move |inner: MemoryStore| async move { inner.note_freed(&payment, &again).await };
        self.call(note, |(): &()| {
            Some(Acknowledged::Freed { payment, processor })
        })
        .await
    }

    async fn freed(&self, age: Duration, limit: usize) -> Result<Vec<Freed>, StoreFault> {
        self.call(
            move |inner| async move { inner.freed(age, limit).await },
            nothing,
        )
        .await
    }

    async fn forget_freed(&self, freed: &Freed) -> Result<(), StoreFault> {
        let freed = freed.clone();
        self.call(
            |inner| async move { inner.forget_freed(&freed).await },
            nothing,
        )
        .await
    }

    async fn note_restamp(&self, restamp: &Restamp) -> Result<(), StoreFault> {
        let (restamp, again) = (restamp.clone(), restamp.clone());
        let note = move |inner: MemoryStore| async move { inner.note_restamp(&again).await };
        self.call(note, |(): &()| Some(Acknowledged::Restamp(restamp)))
            .await
    }

    async fn trust_look_up(
        &self,
        processor: &ProcessorName,
        url: &str,
        trusted: bool,
    ) -> Result<(), StoreFault> {
        let (processor, url) = (processor.clone(), url.to_owned());
        let distrust = Acknowledged::Distrust {
            processor: processor.clone(),
            url: url.clone(),
        };
        let trust = move |inner: MemoryStore| async move {
            inner.trust_look_up(&processor, &url, trusted).await
        };
        self.call(trust, |(): &()| (!trusted).then_some(distrust))
            .await
    }

    async fn trusted_look_ups(&self) -> Result<Vec<(ProcessorName, String)>, StoreFault> {
        self.call(
            |inner| async move { inner.trusted_look_ups().await },
            nothing,
        )
        .await
    }

    async fn stand_backs(&self) -> Result<Vec<StandBack>, StoreFault> {
        self.call(|inner| async move { inner.stand_backs().await }, nothing)
            .await
    }

    async fn confirm_stand_back(
        &self,
        own: &Hold,
        processor: &ProcessorName,
        token: &str,
    ) -> Result<Confirm, StoreFault> {
        let (own, processor, token) = (own.clone(), processor.clone(), token.to_owned());
        let confirm = |inner: MemoryStore| async move {
            inner.confirm_stand_back(&own, &processor, &token).await
        };
        self.call(confirm, nothing).await
    }

    async fn beat(&self, holds: &[Hold]) -> Result<Beat, StoreFault> {
        let holds = holds.to_vec();
        self.holds.lock().unwrap().clone_from(&holds);
        self.call(|inner| async move { inner.beat(&holds).await }, nothing)
            .await
    }

    fn forgettable(&self) -> usize {
        self.memory.len()
    }

    fn may_forget_enlistment(&self) -> bool {
        self.memory.has_enlistment()
    }

    async fn resign(&self, hold: &Hold) -> Result<(), StoreFault> {
        let again = hold.clone();
        let resign = |inner: MemoryStore| async move { inner.resign(&again).await };
        self.call(resign, |(): &()| Some(Acknowledged::Resign(hold.clone())))
            .await
    }

    async fn adopt(&self, owner: &Incarnation, holder: &Incarnation) -> Result<Adopt, StoreFault> {
        let (owner, holder) = (owner.clone(), holder.clone());
        let adopt = |inner: MemoryStore| async move { inner.adopt(&owner, &holder).await };
        let acknowledged = |reply: &Adopt| match reply {
            Adopt::Adopted(hold) => Some(Acknowledged::Hold(hold.clone())),
            Adopt::Refused => None,
        };
        self.call(adopt, acknowledged).await
    }

    async fn discharge(&self, hold: &Hold) -> Result<bool, StoreFault> {
        let again = hold.clone();
        let discharge = |inner: MemoryStore| async move { inner.discharge(&again).await };
        self.call(discharge, |done: &bool| {
            done.then(|| Acknowledged::Discharge(hold.clone()))
        })
        .await
    }

    async fn queued(
        &self,
        owner: &Incarnation,
        after: Option<&Entry>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreFault> {
        if let Some(page) = self.stale_page.lock().unwrap().take() {
            return Ok(page);
        }
        let (owner, after) = (owner.clone(), after.cloned());
        let queued = move |inner: MemoryStore| async move {
            inner.queued(&owner, after.as_ref(), limit).await
        };
        self.call(queued, nothing).await
    }

    async fn retire(&self) -> Result<Retire, StoreFault> {
        self.call(|inner| async move { inner.retire().await }, nothing)
            .await
    }
}
