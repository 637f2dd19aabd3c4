use std::collections::BTreeMap;

use feeway_domain::{JournalTime, ProcessorName, StandBack};

/// The last order to stand back from each processor.
#[derive(Clone, Debug, Default)]
pub(crate) struct StandBacks(BTreeMap<ProcessorName, Order>);

#[derive(Clone, Debug)]
pub(crate) struct Order {
    token: String,
    at: JournalTime,
    by: String,
    has_ended: bool,
}

impl StandBacks {
    pub(crate) fn list(&self, run: u64) -> Vec<StandBack> {
        let orders = self.0.iter();
        orders
            .filter_map(|(processor, order)| order.as_read(processor, run))
            .collect()
    }

    /// What a confirmation has to name.
    pub(crate) fn token(&self, processor: &ProcessorName, run: u64) -> Option<String> {
        let order = self.0.get(processor)?;
        Some(order.as_read(processor, run)?.token)
    }

    /// What the next order builds on, as the function `last_of` writes it.
    pub(crate) fn last(&self, processor: &ProcessorName) -> Option<String> {
        self.0.get(processor).map(Order::as_last)
    }

    /// As the function `stand_back`.
    pub(crate) fn order(
        &mut self,
        processor: &ProcessorName,
        after: Option<&str>,
        order: Order,
        run: u64,
    ) -> Option<StandBack> {
        let last = self.last(processor);
        if last.as_ref() != Some(&order.token) {
            if last.as_deref() != after {
                return None;
            }
            self.0.insert(processor.clone(), order);
        }
        self.0.get(processor)?.as_read(processor, run)
    }

    /// As the function `end_stand_back`.
    pub(crate) fn end(&mut self, processor: &ProcessorName, token: &str) -> bool {
        let named = token.split_once('@').map(|(token, _)| token);
        let last = self.0.get_mut(processor);
        let Some(last) = last.filter(|last| named == Some(&last.token)) else {
            return false;
        };
        last.has_ended = true;
        true
    }
}

impl Order {
    pub(crate) fn new(token: &str, at: JournalTime, by: &str) -> Self {
        Self {
            token: token.to_owned(),
            at,
            by: by.to_owned(),
            has_ended: false,
        }
    }

    fn as_last(&self) -> String {
        let mark = if self.has_ended { "-" } else { "" };
        format!("{mark}{}", self.token)
    }

    /// As the fronts read it; nothing of one that has ended.
    fn as_read(&self, processor: &ProcessorName, run: u64) -> Option<StandBack> {
        (!self.has_ended).then(|| StandBack {
            processor: processor.clone(),
            token: format!("{}@{run}", self.token),
            at: self.at,
            by: self.by.clone(),
        })
    }
}
