//! Has the fronts stand back from one processor, and decides about its payments meanwhile.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use feeway_domain::{
    Custody, ProcessorName, Proof, Resolutions, Resolve, StandBack, StoreFault, Verdict,
};
use tokio::time::{Instant, sleep};

use crate::patience::patiently;

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
    /// The part of it that we made; nothing when the order was in force before.
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
        match this.order().await? {
            Some(order) => this.token = order.token,
            None => this.give().await?,
        }
        Ok(this)
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
            match self.order().await? {
                Some(order) => self.token = order.token,
                None => self.give().await?,
            }
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
    /// When the store does not answer for a minute: nobody knows whether it was done.
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
        let Some(made) = self.made.clone().filter(|_| !stays) else {
            // An order that somebody has ended meanwhile must not come back with nobody to end it.
            return match self.order().await? {
                Some(_) => self.give().await,
                None => Ok(()),
            };
        };
        while let Some(order) = self.order().await? {
            let (processor, token) = (&self.processor, &order.token);
            // Another operator's, by now.
            if !token.starts_with(&made) {
                break;
            }
            patiently(|| self.store.end_stand_back(processor, Some(token))).await?;
        }
        Ok(())
    }

    async fn resolve_patiently(
        &self,
        seen: &Custody,
        verdict: &Verdict,
    ) -> Result<Resolve, StoreFault> {
        let proof = Proof::StoodBack(self.token.clone());
        patiently(|| self.store.resolve(seen, verdict, &proof, &self.by)).await
    }

    async fn order(&self) -> Result<Option<StandBack>, StoreFault> {
        let orders = patiently(|| self.store.stand_backs()).await?;
        let mut orders = orders.into_iter();
        Ok(orders.find(|order| order.processor == self.processor))
    }

    /// Gives the order, or gives it anew.
    async fn give(&mut self) -> Result<(), StoreFault> {
        let token = format!("{:016x}", RandomState::new().build_hasher().finish());
        let order = patiently(|| self.store.stand_back(&self.processor, &token, &self.by));
        self.token = order.await?.token;
        self.made = Some(token);
        Ok(())
    }
}
