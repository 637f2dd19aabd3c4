//! Takes back what a run of `reconcile` settled.

use std::collections::BTreeMap;
use std::io::{Write, stderr};

use anyhow::Context;
use feeway_domain::{
    Case, CorrelationId, InRun, RecordedRun, Resolutions, RunPayment, Settlement, Status, Total,
    Undo,
};

use crate::Ending;
use crate::asking;
use crate::ledger_pages::oldest_kept;
use crate::options::Undoing;
use crate::patience::patiently;
use crate::preview::{NAMED, amount, payments, rest};
use crate::reopen::owner;
use crate::runs::row;

const VOUCHED: &str = "You vouch that the processor does not hold these payments. Those that were \
                       open before are sent again: if you are wrong, customers may be charged \
                       twice.";

/// Takes a run back, or says why not.
pub(crate) async fn run(
    store: &impl Resolutions,
    asked: &Undoing,
    out: &mut impl Write,
) -> anyhow::Result<Ending> {
    let runs = patiently(|| store.runs()).await?;
    let Some(run) = runs.into_iter().find(|run| run.id == asked.run) else {
        eprintln!("nothing was done: there is no run {}, see runs", asked.run);
        return Ok(Ending::Not);
    };
    let mut plan = make(store, &run).await?;
    if asked.dry_run {
        plan.preview(&run, out)?;
        return Ok(plan.ending());
    }
    plan.preview(&run, &mut stderr())?;
    if !plan.wanted.is_empty() && !asked.yes && !asking::is_confirmed(Some(VOUCHED))? {
        return Ok(Ending::Not);
    }
    let mut undone = Total::default();
    let carried_out = carry_out(store, asked, &mut plan, &mut undone).await;
    let count = payments(usize::try_from(undone.count).unwrap_or(usize::MAX));
    writeln!(
        out,
        "taken back {count}, {} in all; already taken back {}, not done {}",
        amount(&undone),
        plan.before,
        plan.refused.len()
    )?;
    for (id, why) in &plan.refused {
        eprintln!("{id}  {why}");
    }
    carried_out?;
    Ok(plan.ending())
}

/// What becomes of each payment of a run.
#[derive(Debug, Default)]
struct Plan {
    wanted: Vec<Settlement>,
    /// How many were taken back before.
    before: usize,
    /// What cannot be, and why.
    refused: Vec<(CorrelationId, String)>,
    /// Of how many it is no longer kept which they are.
    forgotten: u64,
}

async fn make(store: &impl Resolutions, run: &RecordedRun) -> anyhow::Result<Plan> {
    let oldest = oldest_kept(store).await?;
    let of_run = read(store, &run.id).await?;
    let known = u64::try_from(of_run.len()).unwrap_or(u64::MAX);
    let mut plan = Plan {
        forgotten: run.total.count.saturating_sub(known),
        ..Plan::default()
    };
    for (id, one) in of_run {
        let settlement = Settlement {
            payment: one.payment,
            processor: run.processor.clone(),
            requested_at: one.requested_at,
            fee: run.fee,
        };
        let undo = match one.state {
            InRun::Undone => Undo::Undone,
            InRun::Confirmed => Undo::Confirmed,
            InRun::Settled if oldest > Some(one.requested_at) => Undo::TooOld,
            InRun::Settled => {
                let case = patiently(|| store.case(id)).await;
                match judge(case.context("cannot read the ledger")?, &settlement) {
                    Ok(()) => {
                        plan.wanted.push(settlement);
                        continue;
                    }
                    Err(undo) => undo,
                }
            }
        };
        plan.note(id, undo);
    }
    Ok(plan)
}

/// All payments of a run, each once.
async fn read(
    store: &impl Resolutions,
    run: &str,
) -> anyhow::Result<BTreeMap<CorrelationId, RunPayment>> {
    let mut found = BTreeMap::new();
    let mut from = None;
    loop {
        let page = patiently(|| store.run_payments(run, from)).await?;
        let of_page = page.payments.into_iter();
        found.extend(of_page.map(|one| (one.payment.id, one)));
        from = page.next;
        if from.is_none() {
            return Ok(found);
        }
    }
}

/// Whether a payment is in the ledger as the run put it there.
fn judge(case: Option<Case>, settlement: &Settlement) -> Result<(), Undo> {
    let lines = case.map(|case| case.lines).unwrap_or_default();
    let [line] = &lines[..] else {
        let is_held_twice = lines.len() > 1;
        return Err(if is_held_twice {
            Undo::Conflict
        } else {
            Undo::Changed
        });
    };
    let expected = Status::Settled {
        processor: settlement.processor.clone(),
        requested_at: settlement.requested_at,
    };
    let is_so = line.state.status == expected
        && line.state.amount == settlement.payment.amount
        && line.fee == Some(settlement.fee);
    if is_so { Ok(()) } else { Err(Undo::Changed) }
}

impl Plan {
    fn note(&mut self, id: CorrelationId, undo: Undo) {
        let why = match undo {
            Undo::Undone => {
                self.before += 1;
                return;
            }
            Undo::Unknown => "there is no longer a record that the run settled it",
            Undo::Confirmed => "its processor has confirmed since then that it holds it",
            Undo::Conflict => "another processor holds it as well: see show",
            Undo::TooOld => "the books for its time are closed",
            Undo::Changed => "its ledger entry has changed since the run: see show",
        };
        self.refused.push((id, why.to_owned()));
    }

    fn ending(&self) -> Ending {
        if self.refused.is_empty() && self.forgotten == 0 {
            Ending::Fine
        } else {
            Ending::Not
        }
    }

    /// What would be taken back, for people.
    fn preview(&self, run: &RecordedRun, out: &mut impl Write) -> anyhow::Result<()> {
        let mut sum = Total::default();
        for one in &self.wanted {
            sum.add(1, i128::from(one.payment.amount.cents()));
        }
        writeln!(out, "{}", row(run))?;
        writeln!(
            out,
            "{} to take back from {}, {} in all",
            payments(self.wanted.len()),
            run.processor,
            amount(&sum)
        )?;
        for one in self.wanted.iter().take(NAMED) {
            let amount = one.payment.amount.to_string();
            let (id, at) = (one.payment.id, one.requested_at);
            writeln!(out, "  {id}  {amount:>13}  requestedAt {at}")?;
        }
        rest(self.wanted.len(), out)?;
        if self.before > 0 {
            writeln!(out, "{} already taken back", payments(self.before))?;
        }
        if self.forgotten > 0 {
            let forgotten = self.forgotten;
            writeln!(out, "{forgotten} more are no longer recorded")?;
        }
        if !self.refused.is_empty() {
            writeln!(out, "{} cannot be taken back", payments(self.refused.len()))?;
            for (id, why) in self.refused.iter().take(NAMED) {
                writeln!(out, "  {id}  {why}")?;
            }
            rest(self.refused.len(), out)?;
        }
        Ok(())
    }
}

async fn carry_out(
    store: &impl Resolutions,
    asked: &Undoing,
    plan: &mut Plan,
    undone: &mut Total,
) -> anyhow::Result<()> {
    let owner = owner()?;
    for settlement in std::mem::take(&mut plan.wanted) {
        let step = || store.undo_stated(&asked.run, &settlement, &owner, &asked.by);
        let undo = patiently(step)
            .await
            .context("it is unknown whether the last one was taken back: run the command again")?;
        if undo == Undo::Undone {
            undone.add(1, i128::from(settlement.payment.amount.cents()));
        } else {
            plan.note(settlement.payment.id, undo);
        }
    }
    Ok(())
}
