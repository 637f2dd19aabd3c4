use feeway_domain::{
    Case, CorrelationId, Custody, MAX_RESOLUTIONS, Resolution, Resolutions, Resolve, Settle,
    Settlement, StoreFault, Verdict,
};

use crate::listing;
use crate::memory_store::{MemoryStore, State};

impl MemoryStore {
    fn custody(&self, state: &State, id: CorrelationId) -> Option<Custody> {
        let entry = state.journal.entry(id)?.clone();
        let (hold, beat) = state.journal.holder(&entry.owner);
        Some(Custody {
            entry,
            hold,
            beat,
            now: self.now(),
        })
    }
}

impl Resolutions for MemoryStore {
    async fn case(&self, id: CorrelationId) -> Result<Option<Case>, StoreFault> {
        let state = self.state();
        let custody = self.custody(&state, id);
        let mut lines = state.books.lines(id);
        if let Some(custody) = &custody {
            lines.push(listing::open_line(&custody.entry));
        }
        if lines.is_empty() {
            lines.extend(state.journal.rejection(id, self.now()));
        }
        Ok((!lines.is_empty()).then_some(Case { lines, custody }))
    }

    async fn resolve(
        &self,
        seen: &Custody,
        verdict: &Verdict,
        by: &str,
    ) -> Result<Resolve, StoreFault> {
        let payment = seen.entry.payment;
        let Some(named) = &seen.entry.processor else {
            return Ok(Resolve::Unnamed);
        };
        let mut state = self.state();
        let Some(current) = self.custody(&state, payment.id) else {
            let first = state.books.settlements().find(|one| one.payment == payment);
            let known = first.is_some_and(|first| first.processor == *named);
            return Ok(match verdict {
                Verdict::Held { .. } if known => Resolve::Settled(Settle::Known),
                Verdict::Held { .. } | Verdict::NotHeld => Resolve::Gone,
            });
        };
        if current.entry.processor.is_none() {
            let released = *verdict == Verdict::NotHeld
                && current.entry.owner == seen.entry.owner
                && current.entry.moves == seen.entry.moves.saturating_add(1);
            return Ok(if released {
                Resolve::Released
            } else {
                Resolve::Unnamed
            });
        }
        if !current.is_unchanged(seen) || !current.is_lapsed() {
            return Ok(Resolve::Changed);
        }
        state.resolutions.push_back(Resolution {
            at: current.now,
            id: payment.id,
            amount: payment.amount,
            processor: named.clone(),
            verdict: verdict.clone(),
            by: by.to_owned(),
        });
        if state.resolutions.len() > MAX_RESOLUTIONS {
            state.resolutions.pop_front();
        }
        let Verdict::Held { requested_at, fee } = verdict else {
            state.journal.release(payment.id, current.now);
            return Ok(Resolve::Released);
        };
        let settlement = Settlement {
            payment,
            processor: named.clone(),
            requested_at: *requested_at,
            fee: *fee,
        };
        let settled = state.books.settle(&settlement, current.now.micros());
        state.journal.remove(payment.id);
        Ok(Resolve::Settled(settled))
    }

    async fn resolutions(&self) -> Result<Vec<Resolution>, StoreFault> {
        Ok(self.state().resolutions.iter().cloned().collect())
    }
}
