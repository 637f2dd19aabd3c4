use std::collections::BTreeMap;

use feeway_domain::{
    CorrelationId, Entry, InRun, JournalTime, MAX_RUN_PAYMENTS, MAX_RUNS, RecordedRun, Run,
    RunPage, RunPayment, Settlement, Total, Undo, Undone,
};

/// What operators settled by exports, run by run, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs(Vec<Kept>);

#[derive(Clone, Debug)]
struct Kept {
    record: RecordedRun,
    payments: BTreeMap<CorrelationId, Stated>,
}

/// A payment that a run settled, and the entry that it had.
#[derive(Clone, Debug)]
struct Stated {
    settlement: Settlement,
    entry: Option<Entry>,
    state: InRun,
}

impl Runs {
    pub(crate) fn list(&self) -> Vec<RecordedRun> {
        let runs = self.0.iter().map(|kept| RecordedRun {
            kept: count(kept.payments.len()),
            ..kept.record.clone()
        });
        runs.collect()
    }

    pub(crate) fn payments(&self, run: &str) -> RunPage {
        let payments = self
            .find(run)
            .into_iter()
            .flat_map(|kept| kept.payments.values());
        let payments = payments.map(|stated| RunPayment {
            payment: stated.settlement.payment,
            requested_at: stated.settlement.requested_at,
            state: stated.state,
        });
        RunPage {
            payments: payments.collect(),
            next: None,
        }
    }

    /// Whether this run has settled it, whatever has become of that.
    pub(crate) fn has_settled(&self, run: &str, id: CorrelationId) -> bool {
        self.find(run)
            .is_some_and(|kept| kept.payments.contains_key(&id))
    }

    /// Records a payment that a run has settled.
    pub(crate) fn note(
        &mut self,
        settlement: &Settlement,
        run: &Run,
        entry: Option<Entry>,
        now: JournalTime,
    ) {
        if self.find(&run.id).is_none() {
            self.open(settlement, run, now);
        }
        let Some(kept) = self.0.iter_mut().find(|kept| kept.record.id == run.id) else {
            return;
        };
        add(&mut kept.record.total, settlement);
        let stated = Stated {
            settlement: settlement.clone(),
            entry,
            state: InRun::Settled,
        };
        kept.payments.insert(settlement.payment.id, stated);
    }

    /// Makes room for a run: the payments of the oldest go first.
    fn open(&mut self, settlement: &Settlement, run: &Run, now: JournalTime) {
        let more = (self.0.len() + 1).saturating_sub(MAX_RUNS);
        self.0.drain(..more);
        let mut room = MAX_RUN_PAYMENTS.checked_sub(run.expected);
        for kept in self.0.iter_mut().rev() {
            room = room.and_then(|room| room.checked_sub(kept.payments.len()));
            if room.is_none() {
                kept.payments.clear();
            }
        }
        let record = RecordedRun {
            id: run.id.clone(),
            at: now,
            processor: settlement.processor.clone(),
            fee: settlement.fee,
            file: run.file.clone(),
            by: run.by.clone(),
            total: Total::default(),
            kept: 0,
            undone: None,
        };
        self.0.push(Kept {
            record,
            payments: BTreeMap::new(),
        });
    }

    /// A processor says that it holds what a run settled.
    pub(crate) fn confirm(&mut self, id: CorrelationId) {
        if let Some(stated) = self.find_settled(id) {
            stated.state = InRun::Confirmed;
        }
    }

    /// As the function `promise_stated`, of a payment that is not rejected.
    pub(crate) fn promise(&mut self, entry: &Entry) {
        if let Some(stated) = self.find_settled(entry.payment.id)
            && stated
                .entry
                .as_ref()
                .is_none_or(|known| known.moves < entry.moves)
        {
            stated.entry = Some(entry.clone());
        }
    }

    /// What can be taken back of a payment.
    fn find_settled(&mut self, id: CorrelationId) -> Option<&mut Stated> {
        let found = self
            .0
            .iter_mut()
            .filter_map(|kept| kept.payments.get_mut(&id));
        found.rev().find(|stated| stated.state == InRun::Settled)
    }

    /// What the run settled, if it may be taken back as far as the run knows.
    pub(crate) fn settled(
        &self,
        run: &str,
        id: CorrelationId,
    ) -> Result<(Settlement, Option<Entry>), Undo> {
        let stated = self.find(run).and_then(|kept| kept.payments.get(&id));
        let stated = stated.ok_or(Undo::Unknown)?;
        match stated.state {
            InRun::Settled => Ok((stated.settlement.clone(), stated.entry.clone())),
            InRun::Undone => Err(Undo::Undone),
            InRun::Confirmed => Err(Undo::Confirmed),
        }
    }

    /// Records that a payment was taken back.
    pub(crate) fn note_undone(&mut self, run: &str, id: CorrelationId, by: &str, at: JournalTime) {
        let Some(kept) = self.0.iter_mut().find(|kept| kept.record.id == run) else {
            return;
        };
        let Some(stated) = kept.payments.get_mut(&id) else {
            return;
        };
        stated.state = InRun::Undone;
        let before = kept.record.undone.take();
        let mut total = before.map(|undone| undone.total).unwrap_or_default();
        add(&mut total, &stated.settlement);
        let by = by.to_owned();
        kept.record.undone = Some(Undone { at, by, total });
    }

    /// After a purge nothing of a run is in the ledger.
    pub(crate) fn forget_payments(&mut self) {
        self.retire(i64::MAX);
    }

    /// Forgets what runs settled that are older than all that can be taken back.
    pub(crate) fn retire(&mut self, before: i64) {
        for kept in &mut self.0 {
            if kept.record.at.micros() <= before {
                kept.payments.clear();
            }
        }
    }

    fn find(&self, run: &str) -> Option<&Kept> {
        self.0.iter().find(|kept| kept.record.id == run)
    }
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

fn add(total: &mut Total, settlement: &Settlement) {
    total.add(1, i128::from(settlement.payment.amount.cents()));
}
