use std::time::Duration;

use feeway_books::listing;
use feeway_domain::{
    Case, CorrelationId, Custody, Decided, Fee, Fronts, Incarnation, MAX_RESOLUTIONS,
    ProcessorName, Proof, RecordedRun, Reopen, Resolution, Resolutions, Resolve, Restamped, Run,
    RunPage, Settle, Settlement, StandBack, Stated, StoreFault, Undo, Verdict,
};

use crate::MemoryStore;
use crate::State;
use crate::stand_back::Order;

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

    /// Whether an entry is as it was seen, and nobody can be sending it to its processor.
    fn holds(&self, proof: &Proof, state: &State, seen: &Custody, current: &Custody) -> bool {
        match proof {
            Proof::Silence => current.is_unchanged(seen) && current.is_lapsed(),
            Proof::StoodBack(token) => {
                let entry = &current.entry;
                let named = entry.processor.as_ref().filter(|_| *entry == seen.entry);
                named.is_some_and(|named| {
                    let order = state.stand_backs.token(named, self.run());
                    let fronts = state.journal.fronts(self.now());
                    order.as_ref() == Some(token) && fronts.stand_back(&entry.owner, named, token)
                })
            }
        }
    }
}

impl State {
    fn record(&mut self, resolution: Resolution) {
        self.resolutions.push_back(resolution);
        if self.resolutions.len() > MAX_RESOLUTIONS {
            self.resolutions.pop_front();
        }
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
        proof: &Proof,
        by: &str,
    ) -> Result<Resolve, StoreFault> {
        let payment = seen.entry.payment;
        let Some(named) = &seen.entry.processor else {
            return Ok(Resolve::Unnamed);
        };
        let mut state = self.state();
        self.check_open(&mut state)?;
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
        if !self.holds(proof, &state, seen, &current) {
            return Ok(Resolve::Changed);
        }
        state.record(Resolution {
            at: current.now,
            id: payment.id,
            amount: payment.amount,
            decided: Decided::Resolved {
                processor: named.clone(),
                verdict: verdict.clone(),
            },
            by: by.to_owned(),
        });
        let Verdict::Held { requested_at, fee } = verdict else {
            match proof {
                Proof::Silence => state.journal.release(payment.id, current.now),
                Proof::StoodBack(_) => state.journal.unname(payment.id),
            }
            return Ok(Resolve::Released);
        };
        let settlement = Settlement {
            payment,
            processor: named.clone(),
            requested_at: *requested_at,
            fee: *fee,
        };
        let settled = state.settle(&settlement, current.now);
        Ok(Resolve::Settled(settled))
    }

    async fn reopen(
        &self,
        id: CorrelationId,
        owner: &Incarnation,
        by: &str,
    ) -> Result<Reopen, StoreFault> {
        let now = self.now();
        let mut state = self.state();
        self.check_open(&mut state)?;
        if state.journal.entry(id).is_none() && state.books.find(id).is_some() {
            return Ok(Reopen::Settled);
        }
        let (reply, rejected) = state.journal.reopen(id, owner, now);
        if let Some((payment, reason)) = rejected {
            state.has_taken = true;
            state.record(Resolution {
                at: now,
                id,
                amount: payment.amount,
                decided: Decided::Reopened { reason },
                by: by.to_owned(),
            });
        }
        Ok(reply)
    }

    async fn last_stand_back(
        &self,
        processor: &ProcessorName,
    ) -> Result<Option<String>, StoreFault> {
        Ok(self.state().stand_backs.last(processor))
    }

    async fn stand_back(
        &self,
        processor: &ProcessorName,
        after: Option<&str>,
        token: &str,
        by: &str,
    ) -> Result<Option<StandBack>, StoreFault> {
        let order = Order::new(token, self.now(), by);
        let mut state = self.state();
        Ok((state.stand_backs).order(processor, after, order, self.run()))
    }

    async fn end_stand_back(
        &self,
        processor: &ProcessorName,
        token: &str,
    ) -> Result<bool, StoreFault> {
        Ok(self.state().stand_backs.end(processor, token))
    }

    async fn settle_stated(
        &self,
        settlement: &Settlement,
        run: &Run,
        slip: Duration,
        proof: &Proof,
    ) -> Result<Stated, StoreFault> {
        self.check_open(&mut self.state())?;
        Ok(self.settle_by_statement(settlement, run, slip, proof))
    }

    async fn runs(&self) -> Result<Vec<RecordedRun>, StoreFault> {
        Ok(self.state().runs.list())
    }

    async fn run_payments(&self, run: &str, _from: Option<u64>) -> Result<RunPage, StoreFault> {
        Ok(self.state().runs.payments(run))
    }

    async fn undo_stated(
        &self,
        run: &str,
        settlement: &Settlement,
        owner: &Incarnation,
        by: &str,
    ) -> Result<Undo, StoreFault> {
        self.check_open(&mut self.state())?;
        Ok(self.undo_settlement(run, settlement, owner, by))
    }

    async fn fees(&self) -> Result<Vec<(ProcessorName, Fee)>, StoreFault> {
        Ok(self.state().fees.clone().into_iter().collect())
    }

    async fn fronts(&self) -> Result<Fronts, StoreFault> {
        Ok(self.state().journal.fronts(self.now()))
    }

    async fn resolutions(&self) -> Result<Vec<Resolution>, StoreFault> {
        Ok(self.state().resolutions.iter().cloned().collect())
    }

    async fn restamped(&self) -> Result<Vec<Restamped>, StoreFault> {
        Ok(self.state().restamps.list())
    }
}
