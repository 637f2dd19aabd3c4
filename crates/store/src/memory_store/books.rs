use std::collections::BTreeMap;

use feeway_domain::{
    CorrelationId, PaymentState, ProcessorName, Settle, Settlement, Status, Summary, Total, Window,
};

/// Settled payments: of each the one that was recorded first, then conflicts. It adds up
/// every payment for every summary, which makes it the oracle for the store that does not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    settled: BTreeMap<CorrelationId, Vec<Settlement>>,
}

impl Books {
    pub(crate) fn settle(&mut self, settlement: &Settlement) -> Settle {
        let of_id = self.settled.entry(settlement.payment.id).or_default();
        let first = of_id.first().map(|first| first.processor.clone());
        let known = of_id
            .iter()
            .any(|known| known.processor == settlement.processor);
        if !known {
            of_id.push(settlement.clone());
        }
        match first {
            None => Settle::Settled,
            Some(first) if first == settlement.processor => Settle::Known,
            Some(first) => Settle::Conflict { first },
        }
    }

    pub(crate) fn find(&self, id: CorrelationId) -> Option<PaymentState> {
        let of_id = self.settled.get(&id)?;
        let first = of_id.first()?;
        let (processor, requested_at) = (first.processor.clone(), first.requested_at);
        let status = if of_id.len() > 1 {
            Status::Conflict {
                processor,
                requested_at,
            }
        } else {
            Status::Settled {
                processor,
                requested_at,
            }
        };
        Some(PaymentState {
            id,
            amount: first.payment.amount,
            status,
        })
    }

    pub(crate) fn settlements(&self) -> impl Iterator<Item = &Settlement> {
        self.settled.values().flatten()
    }

    pub(crate) fn summary(&self, window: Window) -> Summary {
        let mut totals: BTreeMap<ProcessorName, Total> = BTreeMap::new();
        for settlement in self.settlements() {
            let total = totals.entry(settlement.processor.clone()).or_default();
            if window.contains(settlement.requested_at) {
                total.add(1, i128::from(settlement.payment.amount.cents()));
            }
        }
        Summary(totals.into_iter().collect())
    }
}
