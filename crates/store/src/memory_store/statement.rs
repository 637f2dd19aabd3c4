use std::time::Duration;

use feeway_domain::{CorrelationId, JournalTime, Possible, Proof, RequestedAt, Settlement, Stated};

use crate::memory_store::{MemoryStore, State};

impl MemoryStore {
    /// As the function `settle_stated`.
    pub(crate) fn settle_by_statement(
        &self,
        settlement: &Settlement,
        slip: Duration,
        proof: &Proof,
    ) -> Stated {
        let now = self.now();
        let mut state = self.state();
        let (id, amount) = (settlement.payment.id, settlement.payment.amount);
        let lines = state.books.lines(id);
        let holders = lines
            .iter()
            .filter_map(|line| line.state.status.processor());
        if holders
            .clone()
            .any(|holder| *holder == settlement.processor)
        {
            return Stated::Known;
        }
        if let Some(first) = holders.clone().next() {
            let holder = first.clone();
            return Stated::Elsewhere { holder };
        }
        if !self.nobody_sends(&state, settlement, proof) {
            return Stated::Changed;
        }
        let known = state.journal.find(id, now);
        if let Some(known) = known.filter(|known| known.amount != amount) {
            let ours = known.amount;
            return Stated::AmountDiffers { ours };
        }
        if !possible(&state, id, now, slip).includes(settlement.requested_at) {
            return Stated::Impossible;
        }
        if let Some(oldest) = state.books.closed_before(settlement.requested_at) {
            return Stated::TooOld { oldest };
        }
        state.has_taken = true;
        state.books.settle(settlement, now.micros());
        state.journal.remove(id);
        Stated::Settled
    }

    /// As the function `nobody_sends`.
    fn nobody_sends(&self, state: &State, settlement: &Settlement, proof: &Proof) -> bool {
        let fronts = state.journal.fronts(self.now());
        match proof {
            Proof::Silence => fronts.living().is_empty(),
            Proof::StoodBack(token) => {
                let processor = &settlement.processor;
                let order = state.stand_backs.token(processor, self.run());
                order.as_ref() == Some(token) && fronts.unconfirmed(processor, token).is_empty()
            }
        }
    }
}

/// When a processor can have taken a payment that is not settled.
fn possible(state: &State, id: CorrelationId, now: JournalTime, slip: Duration) -> Possible {
    let instant = |at: JournalTime| RequestedAt::from_micros(at.micros());
    let open = state.journal.entry(id).cloned();
    let entry = open.or_else(|| state.journal.rejected_entry(id, now));
    let accepted = entry.and_then(|entry| instant(entry.accepted_at));
    Possible::between(accepted, instant(now).unwrap_or(RequestedAt::MAX), slip)
}
