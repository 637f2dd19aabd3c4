use std::time::Duration;

use feeway_domain::{
    CorrelationId, Incarnation, JournalTime, Possible, Proof, RequestedAt, Run, Settle, Settlement,
    Stated, Undo,
};

use crate::MemoryStore;
use crate::State;

impl State {
    /// As the function `settle_in_run`.
    pub(crate) fn settle_in_run(&mut self, settlement: &Settlement, run: &Run, now: JournalTime) {
        let entry = self.journal.entry(settlement.payment.id).cloned();
        if self.settle(settlement, now) == Settle::Settled {
            self.runs.note(settlement, run, entry, now);
        }
    }
}

impl MemoryStore {
    /// As the function `settle_stated`.
    pub(crate) fn settle_by_statement(
        &self,
        settlement: &Settlement,
        run: &Run,
        slip: Duration,
        proof: &Proof,
    ) -> Stated {
        let now = self.now();
        let mut state = self.state();
        let (id, amount) = (settlement.payment.id, settlement.payment.amount);
        if state.runs.has_settled(&run.id, id) {
            return Stated::Settled;
        }
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
        state.settle_in_run(settlement, run, now);
        Stated::Settled
    }

    /// As the function `undo_stated`.
    pub(crate) fn undo_settlement(
        &self,
        run: &str,
        settlement: &Settlement,
        owner: &Incarnation,
        by: &str,
    ) -> Undo {
        let now = self.now();
        let mut state = self.state();
        let id = settlement.payment.id;
        let (settled, entry) = match state.runs.settled(run, id) {
            Ok(settled) => settled,
            Err(undo) => return undo,
        };
        if state.books.lines(id).len() > 1 {
            return Undo::Conflict;
        }
        if state.books.closed_before(settlement.requested_at).is_some() {
            return Undo::TooOld;
        }
        if settled != *settlement || !state.books.take_out(settlement) {
            return Undo::Changed;
        }
        if let Some(entry) = entry {
            state.journal.open_again(entry, owner, now);
            state.has_taken = true;
        }
        state.runs.note_undone(run, id, by, now);
        Undo::Undone
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
