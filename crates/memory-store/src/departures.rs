use std::collections::BTreeMap;
use std::time::Duration;

use feeway_domain::{CorrelationId, Freed, JournalTime, MAX_FREED, Payment, ProcessorName};

/// The payments that left a processor because they were absent there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Departures(BTreeMap<(CorrelationId, ProcessorName), Freed>);

impl Departures {
    pub(crate) fn note(&mut self, payment: &Payment, processor: &ProcessorName, at: JournalTime) {
        let freed = Freed {
            payment: *payment,
            processor: processor.clone(),
            at,
        };
        self.0.insert((payment.id, processor.clone()), freed);
        let oldest = || self.0.iter().min_by_key(|(_, freed)| freed.at);
        if self.0.len() > MAX_FREED
            && let Some((key, _)) = oldest()
        {
            let key = key.clone();
            self.0.remove(&key);
        }
    }

    pub(crate) fn list(&self, now: JournalTime, age: Duration, limit: usize) -> Vec<Freed> {
        let old = self.0.values().filter(|freed| freed.at.age(now) >= age);
        let mut old: Vec<Freed> = old.cloned().collect();
        old.sort_by_key(|freed| freed.at);
        old.truncate(limit);
        old
    }

    pub(crate) fn forget(&mut self, freed: &Freed) {
        let key = (freed.payment.id, freed.processor.clone());
        if self.0.get(&key).is_some_and(|noted| noted.at == freed.at) {
            self.0.remove(&key);
        }
    }
}
