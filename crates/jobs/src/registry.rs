use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use feeway_domain::{CorrelationId, JournalTime, Payment};
use feeway_health::Rank;
use tokio::sync::Notify;

use crate::sabotage::Sabotage;
use crate::tenure::Tenure;

/// The ids this front has in its hands. The gateway and the feeder, whatever it brings, both
/// go through it, so no payment is ever worked on twice at the same time here.
#[derive(Debug)]
pub struct Registry {
    capacity: usize,
    /// With what the journal was last known to say of each; nothing before it has said so.
    ids: Mutex<HashMap<CorrelationId, Option<Kept>>>,
    left: Notify,
}

/// A payment in hand as the journal has it.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What is to be paid.
    pub payment: Payment,
    /// The owner's.
    pub tenure: Arc<Tenure>,
    /// The processor that its entry names.
    pub named: Option<Rank>,
    /// How often the entry was renamed.
    pub moves: u32,
    /// When it was accepted, by the journal's clock.
    pub accepted_at: JournalTime,
}

/// Why an id did not enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is in hand already.
    InHand,
    /// The registry is full.
    Full,
}

impl Registry {
    /// Room for so many.
    pub fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            capacity,
            ids: Mutex::default(),
            left: Notify::new(),
        })
    }

    /// Enters an id; it leaves when the returned token is dropped.
    pub fn enter(self: &Arc<Self>, id: CorrelationId) -> Result<InHand, Refused> {
        let mut ids = self.ids();
        if ids.contains_key(&id) && !Sabotage::TwoTasks.is_on() {
            return Err(Refused::InHand);
        }
        if ids.len() >= self.capacity {
            return Err(Refused::Full);
        }
        ids.insert(id, None);
        drop(ids);
        Ok(InHand {
            registry: Arc::clone(self),
            id,
        })
    }

    /// How many ids are in hand.
    pub fn count(&self) -> usize {
        self.ids().len()
    }

    /// All payments in hand that the journal is known to have.
    pub fn kept(&self) -> Vec<Kept> {
        self.ids().values().flatten().cloned().collect()
    }

    /// Waits until an id has left since the last call. Cancel safe.
    pub async fn left(&self) {
        self.left.notified().await;
    }

    fn ids(&self) -> MutexGuard<'_, HashMap<CorrelationId, Option<Kept>>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The presence of one id in the registry.
#[derive(Debug)]
pub struct InHand {
    registry: Arc<Registry>,
    id: CorrelationId,
}

impl InHand {
    /// The journal has said this of it.
    pub(crate) fn note(&self, kept: Kept) {
        self.registry.ids().insert(self.id, Some(kept));
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.registry.ids().remove(&self.id);
        self.registry.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_enters_once_and_only_while_there_is_room() {
        let registry = Registry::new(2);
        let id = |byte| CorrelationId::from_bytes([byte; 16]);
        let one = registry.enter(id(1)).unwrap();
        assert_eq!(registry.enter(id(1)).unwrap_err(), Refused::InHand);
        let _two = registry.enter(id(2)).unwrap();
        assert_eq!(registry.enter(id(3)).unwrap_err(), Refused::Full);
        drop(one);
        registry.enter(id(3)).unwrap();
    }
}
