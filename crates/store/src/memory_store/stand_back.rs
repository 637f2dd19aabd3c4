use std::collections::BTreeMap;

use feeway_domain::{JournalTime, ProcessorName, StandBack};

/// The orders to stand back, by processor.
#[derive(Clone, Debug, Default)]
pub(crate) struct StandBacks(BTreeMap<ProcessorName, Order>);

#[derive(Clone, Debug)]
struct Order {
    token: String,
    at: JournalTime,
    by: String,
}

impl StandBacks {
    pub(crate) fn list(&self, run: u64) -> Vec<StandBack> {
        let orders = self.0.iter();
        orders
            .map(|(processor, order)| order.as_read(processor, run))
            .collect()
    }

    /// What a confirmation has to name.
    pub(crate) fn token(&self, processor: &ProcessorName, run: u64) -> Option<String> {
        let order = self.0.get(processor)?;
        Some(order.as_read(processor, run).token)
    }

    /// As the function `stand_back`: the same token again changes nothing.
    pub(crate) fn order(
        &mut self,
        processor: &ProcessorName,
        token: &str,
        by: &str,
        (now, run): (JournalTime, u64),
    ) -> StandBack {
        let order = Order {
            token: token.to_owned(),
            at: now,
            by: by.to_owned(),
        };
        let current = self.0.entry(processor.clone());
        let current = current.or_insert_with(|| order.clone());
        if current.token != token {
            *current = order;
        }
        current.as_read(processor, run)
    }

    pub(crate) fn end(&mut self, processor: &ProcessorName) -> bool {
        self.0.remove(processor).is_some()
    }
}

impl Order {
    fn as_read(&self, processor: &ProcessorName, run: u64) -> StandBack {
        StandBack {
            processor: processor.clone(),
            token: format!("{}@{run}", self.token),
            at: self.at,
            by: self.by.clone(),
        }
    }
}
