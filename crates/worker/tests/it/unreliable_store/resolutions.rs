//! An operator's way to the store is no better than a front's.

use std::time::Duration;

use feeway_domain::{
    Case, CorrelationId, Custody, Fee, Fronts, Incarnation, ProcessorName, Proof, RecordedRun,
    Reopen, Resolution, Resolutions, Resolve, Restamped, Run, RunPage, Settlement, StandBack,
    Stated, StoreFault, Undo, Verdict,
};
use feeway_memory_store::{Acknowledged, MemoryStore};

use super::{UnreliableStore, nothing};

impl Resolutions for UnreliableStore {
    async fn case(&self, id: CorrelationId) -> Result<Option<Case>, StoreFault> {
        self.call(move |inner| async move { inner.case(id).await }, nothing)
            .await
    }

    async fn resolve(
        &self,
        seen: &Custody,
        verdict: &Verdict,
        proof: &Proof,
        by: &str,
    ) -> Result<Resolve, StoreFault> {
        let settlement = settlement(seen, verdict);
        let again = (seen.clone(), verdict.clone(), proof.clone(), by.to_owned());
        let resolve = |inner: MemoryStore| async move {
            let (seen, verdict, proof, by) = again;
            inner.resolve(&seen, &verdict, &proof, &by).await
        };
        let acknowledged = |reply: &Resolve| match reply {
            Resolve::Settled(_) => settlement.map(Acknowledged::Settle),
            Resolve::Released | Resolve::Changed | Resolve::Gone | Resolve::Unnamed => None,
        };
        self.call(resolve, acknowledged).await
    }

    async fn reopen(
        &self,
        id: CorrelationId,
        owner: &Incarnation,
        by: &str,
    ) -> Result<Reopen, StoreFault> {
        let (owner, by) = (owner.clone(), by.to_owned());
        let reopen = move |inner: MemoryStore| async move { inner.reopen(id, &owner, &by).await };
        self.call(reopen, nothing).await
    }

    async fn restamped(&self) -> Result<Vec<Restamped>, StoreFault> {
        self.call(|inner| async move { inner.restamped().await }, nothing)
            .await
    }

    async fn last_stand_back(
        &self,
        processor: &ProcessorName,
    ) -> Result<Option<String>, StoreFault> {
        let processor = processor.clone();
        let last = |inner: MemoryStore| async move { inner.last_stand_back(&processor).await };
        self.call(last, nothing).await
    }

    async fn stand_back(
        &self,
        processor: &ProcessorName,
        after: Option<&str>,
        token: &str,
        by: &str,
    ) -> Result<Option<StandBack>, StoreFault> {
        let (processor, after) = (processor.clone(), after.map(ToOwned::to_owned));
        let (token, by) = (token.to_owned(), by.to_owned());
        let order = |inner: MemoryStore| async move {
            let after = after.as_deref();
            inner.stand_back(&processor, after, &token, &by).await
        };
        self.call(order, nothing).await
    }

    async fn end_stand_back(
        &self,
        processor: &ProcessorName,
        token: &str,
    ) -> Result<bool, StoreFault> {
        let (processor, token) = (processor.clone(), token.to_owned());
        let end =
            |inner: MemoryStore| async move { inner.end_stand_back(&processor, &token).await };
        self.call(end, nothing).await
    }

    async fn settle_stated(
        &self,
        settlement: &Settlement,
        run: &Run,
        slip: Duration,
        proof: &Proof,
    ) -> Result<Stated, StoreFault> {
        let (again, ran, run) = (settlement.clone(), run.clone(), run.clone());
        let proof = proof.clone();
        let settle = move |inner: MemoryStore| async move {
            inner.settle_stated(&again, &run, slip, &proof).await
        };
        let acknowledged = |reply: &Stated| {
            let is_ours = *reply == Stated::Settled;
            is_ours.then(|| Acknowledged::Stated {
                settlement: settlement.clone(),
                run: ran,
            })
        };
        self.call(settle, acknowledged).await
    }

    async fn runs(&self) -> Result<Vec<RecordedRun>, StoreFault> {
        self.call(|inner| async move { inner.runs().await }, nothing)
            .await
    }

    async fn run_payments(&self, run: &str, from: Option<u64>) -> Result<RunPage, StoreFault> {
        let run = run.to_owned();
        let page = move |inner: MemoryStore| async move { inner.run_payments(&run, from).await };
        self.call(page, nothing).await
    }

    async fn undo_stated(
        &self,
        run: &str,
        settlement: &Settlement,
        owner: &Incarnation,
        by: &str,
    ) -> Result<Undo, StoreFault> {
        let (run, settlement) = (run.to_owned(), settlement.clone());
        let (owner, by) = (owner.clone(), by.to_owned());
        let undo = move |inner: MemoryStore| async move {
            inner.undo_stated(&run, &settlement, &owner, &by).await
        };
        self.call(undo, nothing).await
    }

    async fn fees(&self) -> Result<Vec<(ProcessorName, Fee)>, StoreFault> {
        self.call(|inner| async move { inner.fees().await }, nothing)
            .await
    }

    async fn fronts(&self) -> Result<Fronts, StoreFault> {
        self.call(|inner| async move { inner.fronts().await }, nothing)
            .await
    }

    async fn resolutions(&self) -> Result<Vec<Resolution>, StoreFault> {
        self.call(|inner| async move { inner.resolutions().await }, nothing)
            .await
    }
}

fn settlement(seen: &Custody, verdict: &Verdict) -> Option<Settlement> {
    match verdict {
        Verdict::Held { requested_at, fee } => Some(Settlement {
            payment: seen.entry.payment,
            processor: seen.entry.processor.clone()?,
            requested_at: *requested_at,
            fee: *fee,
        }),
        Verdict::NotHeld => None,
    }
}
