//! Has the fronts stand back from one processor, and decides about its payments meanwhile.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use feeway_domain::{
    Custody, ProcessorName, Proof, Resolutions, Resolve, StandBack, StoreFault, Verdict,
};
use tokio::time::{Instant, sleep};

use crate::patience::patiently;
use crate::silence::WATCH;

/// Between two looks at who has confirmed.
const LOOK: Duration = Duration::from_millis(100);

/// An operator's use of an order to stand back, which may be in force already.
#[derive(Debug)]
pub struct StoodBack<'a, S> {
    store: &'a S,
    processor: ProcessorName,
    by: String,
    /// What confirmations name now.
    token: String,
    /// That of the last order which we gave, if we gave one.
    made: Option<String>,
}

/// Who stands back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waited {
    /// Everybody who lives.
    All,
    /// No front lives.
    Nobody,
    /// These did not confirm in time, or nobody has taken over what they own.
    Still(Vec<String>),
}

/// What may be so when the tool could not end an order.
pub(crate) fn in_force(processor: &ProcessorName) -> String {
    format!(
        "the fronts may still stand back from {processor}: check with stand-back, and end the \
         order with stand-back {processor} --end"
    )
}

/// Why nothing is done while these have not confirmed.
pub(crate) fn not_in_time(names: &[String], processor: &ProcessorName) -> String {
    format!(
        "{} did not stand back from {processor} in time: give more time with --wait, or stop \
         every front and wait {} s",
        names.join(", "),
        WATCH.as_secs()
    )
}

impl<'a, S: Resolutions> StoodBack<'a, S> {
    /// Takes the order that is in force, or gives one.
    ///
    /// # Errors
    /// When the store does not answer for a minute.
    pub async fn begin(
        store: &'a S,
        processor: &ProcessorName,
        by: &str,
    ) -> Result<Self, StoreFault> {
        let mut this = Self {
            store,
            processor: processor.clone(),
            by: by.to_owned(),
            token: String::new(),
            made: None,
        };
        this.take_or_give().await?;
        Ok(this)
    }

    /// What a step names that is to be carried out while all stand back.
    pub(crate) fn proof(&self) -> Proof {
        Proof::StoodBack(self.token.clone())
    }

    /// Whether we gave the order.
    pub fn is_ours(&self) -> bool {
        self.made.is_some()
    }

    /// Waits until everybody who lives has confirmed the order as it is then. Tells whom it
    /// waits for whenever that changes.
    ///
    /// # Errors
    /// When the store does not answer for a minute.
    pub async fn wait(
        &mut self,
        limit: Duration,
        mut tell: impl FnMut(&[String]),
    ) -> Result<Waited, StoreFault> {
        let deadline = Instant::now() + limit;
        let mut told = Vec::new();
        loop {
            // Somebody else may have given it anew or ended it, and a store that was started
            // again wants it confirmed again.
            self.take_or_give().await?;
            let fronts = patiently(|| self.store.fronts()).await?;
            if fronts.living().is_empty() {
                return Ok(Waited::Nobody);
            }
            let unconfirmed = fronts.unconfirmed(&self.processor, &self.token);
            let alone = fronts.left_alone(&self.processor, &self.token);
            let waits = unconfirmed.into_iter().chain(alone);
            let waits: Vec<String> = waits.map(ToString::to_string).collect();
            if waits.is_empty() {
                return Ok(Waited::All);
            }
            if Instant::now() >= deadline {
                return Ok(Waited::Still(waits));
            }
            if waits != told {
                tell(&waits);
                told = waits;
            }
            sleep(LOOK).await;
        }
    }

    /// Carries out a verdict on a payment that is pinned to this processor. When its entry has
    /// only moved there since it was seen, as it is now.
    ///
    /// # Errors
    /// When the store does not answer for a minute: then it is unknown whether it was done.
    pub async fn decide(&self, seen: &Custody, verdict: &Verdict) -> Result<Resolve, StoreFault> {
        let id = seen.entry.payment.id;
        let first = self.resolve_patiently(seen, verdict).await?;
        if first != Resolve::Changed {
            return Ok(first);
        }
        let case = patiently(|| self.store.case(id)).await?;
        let custody = case.and_then(|case| case.custody);
        match custody {
            None => Ok(Resolve::Gone),
            Some(now) if now.entry.processor.as_ref() == Some(&self.processor) => {
                self.resolve_patiently(&now, verdict).await
            }
            Some(_) => Ok(Resolve::Unnamed),
        }
    }

    /// Leaves the order in force or, if it is ours, ends it. Either way the fronts look at what
    /// they had passed over.
    ///
    /// # Errors
    /// When the store does not answer for a minute: the order is in force.
    pub async fn end(mut self, stays: bool) -> Result<(), StoreFault> {
        if let Some(made) = self.made.clone().filter(|_| !stays) {
            // If not, it has ended already, or it is another operator's by now.
            patiently(|| self.store.end_stand_back(&self.processor, &made)).await?;
            return Ok(());
        }
        loop {
            let last = self.last().await?;
            // An order that somebody has ended meanwhile must not come back with nobody to end it.
            if self.order().await?.is_none() || self.give(last.as_deref()).await? {
                return Ok(());
            }
        }
    }

    async fn resolve_patiently(
        &self,
        seen: &Custody,
        verdict: &Verdict,
    ) -> Result<Resolve, StoreFault> {
        let proof = self.proof();
        patiently(|| self.store.resolve(seen, verdict, &proof, &self.by)).await
    }

    async fn order(&self) -> Result<Option<StandBack>, StoreFault> {
        let orders = patiently(|| self.store.stand_backs()).await?;
        let mut orders = orders.into_iter();
        Ok(orders.find(|order| order.processor == self.processor))
    }

    async fn last(&self) -> Result<Option<String>, StoreFault> {
        patiently(|| self.store.last_stand_back(&self.processor)).await
    }

    /// Goes by the order that is in force, or gives one.
    async fn take_or_give(&mut self) -> Result<(), StoreFault> {
        loop {
            // Read before the order: if another is given or ended after this, ours builds on what
            // is no longer the last one, and we look again.
            let last = self.last().await?;
            if let Some(order) = self.order().await? {
                self.token = order.token;
                return Ok(());
            }
            if self.give(last.as_deref()).await? {
                return Ok(());
            }
        }
    }

    /// Gives the order, or gives it anew; false when the last one is another by now.
    async fn give(&mut self, last: Option<&str>) -> Result<bool, StoreFault> {
        let token = format!("{:016x}", RandomState::new().build_hasher().finish());
        let (processor, by) = (&self.processor, &self.by);
        let order = patiently(|| self.store.stand_back(processor, last, &token, by)).await?;
        let Some(order) = order else {
            return Ok(false);
        };
        self.token.clone_from(&order.token);
        self.made = Some(order.token);
        Ok(true)
    }
}
