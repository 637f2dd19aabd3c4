//! What an operator asked to be decided, payment by payment, and what cannot be.

use std::time::Duration;

use anyhow::Context;
use feeway_domain::{
    Case, CorrelationId, Custody, Fee, JournalTime, Line, Listed, Possible, ProcessorName,
    RequestedAt, Resolutions, Status, Verdict, Window,
};

use crate::fee::fee_in_force;
use crate::ledger_pages::LedgerPages;
use crate::options::Resolve;
use crate::patience::patiently;
use crate::resolve::statement::{Said, Statement};
use crate::show::unknown;

/// One payment and what is vouched for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) custody: Custody,
    /// The processor that its entry names.
    pub(crate) named: ProcessorName,
    pub(crate) verdict: Verdict,
}

impl Wanted {
    pub(crate) fn id(&self) -> CorrelationId {
        self.custody.entry.payment.id
    }
}

/// All that was asked for.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) wanted: Vec<Wanted>,
    /// What is so already.
    pub(crate) done: Vec<(CorrelationId, String)>,
    /// How many of those that were pinned ended elsewhere, or left, before anything was decided.
    pub(crate) left: usize,
    /// What cannot be, and why.
    pub(crate) refused: Vec<(CorrelationId, String)>,
}

/// What becomes of one payment of a plan.
enum Place {
    Wanted(Box<Wanted>),
    Done(String),
    Left,
    Refused(String),
}

fn refuse<T>(why: impl Into<String>) -> Result<T, Place> {
    Err(Place::Refused(why.into()))
}

/// Looks at every payment that was asked for.
pub(crate) async fn make(store: &impl Resolutions, asked: &Resolve) -> anyhow::Result<Plan> {
    let statement = asked.file.as_deref().map(Statement::open).transpose()?;
    let ids = match (&statement, &asked.processor) {
        (_, Some(processor)) if asked.all => pinned(store, processor).await?,
        (Some(statement), _) => statement.ids(),
        (None, _) => asked.ids.clone(),
    };
    let mut planner = Planner {
        store,
        asked,
        statement: statement.unwrap_or_default(),
        fee: None,
    };
    let mut plan = Plan::default();
    for id in ids {
        match planner.place(id).await? {
            Place::Wanted(wanted) => plan.wanted.push(*wanted),
            Place::Done(how) => plan.done.push((id, how)),
            Place::Left => plan.left += 1,
            Place::Refused(why) => plan.refused.push((id, why)),
        }
    }
    Ok(plan)
}

/// Everything that is pinned to a processor.
async fn pinned(
    store: &impl Resolutions,
    processor: &ProcessorName,
) -> anyhow::Result<Vec<CorrelationId>> {
    let mut pages = LedgerPages::new(store, Listed::Pinned, Window::default());
    let mut ids = Vec::new();
    while let Some(lines) = pages.next().await? {
        let there = lines.iter().filter(|line| {
            let status = &line.state.status;
            status.processor() == Some(processor)
        });
        ids.extend(there.map(|line| line.state.id));
    }
    Ok(ids)
}

struct Planner<'a, S> {
    store: &'a S,
    asked: &'a Resolve,
    statement: Statement,
    /// What was found out about the fee of a processor.
    fee: Option<(ProcessorName, Option<Fee>)>,
}

impl<S: Resolutions> Planner<'_, S> {
    async fn place(&mut self, id: CorrelationId) -> anyhow::Result<Place> {
        let found = patiently(|| self.store.case(id)).await;
        let Some(case) = found.context("cannot read the journal")? else {
            return Ok(Place::Refused(unknown(id)));
        };
        let said = match self.said(id) {
            Ok(said) => said,
            Err(place) => return Ok(place),
        };
        if self.has_left(&case, &said) {
            return Ok(Place::Left);
        }
        let Some(custody) = case.custody else {
            return Ok(ended(&case, self.asked, said));
        };
        match self.wanted(custody, said).await? {
            Ok(wanted) => Ok(Place::Wanted(Box::new(wanted))),
            Err(place) => Ok(place),
        }
    }

    /// Whether it was pinned when all of them were listed and is not any longer: that the
    /// processor does not hold it needs no deciding then. That it does is another matter.
    fn has_left(&self, case: &Case, said: &Said) -> bool {
        let mut lines = case.lines.iter();
        let at = |line: &Line| line.state.status.processor() == self.asked.processor.as_ref();
        self.asked.all && matches!(said, Said::NotHeld) && !lines.any(at)
    }

    /// What is vouched for, amount and time included.
    fn said(&self, id: CorrelationId) -> Result<Said, Place> {
        if let Some(requested_at) = self.asked.requested_at {
            let amount = None;
            return Ok(Said::Held {
                amount,
                requested_at,
            });
        }
        match self.statement.find(id) {
            Ok(Some(said)) => Ok(said),
            Ok(None) => Ok(Said::NotHeld),
            Err(why) => refuse(why),
        }
    }

    async fn wanted(
        &mut self,
        custody: Custody,
        said: Said,
    ) -> anyhow::Result<Result<Wanted, Place>> {
        let Some(named) = custody.entry.processor.clone() else {
            return Ok(refuse(
                "it is not pinned to a processor, so it is not stuck: a front sends it to any that works",
            ));
        };
        let meant = self.asked.held.as_ref().or(self.asked.processor.as_ref());
        if let Some(meant) = meant.filter(|meant| **meant != named) {
            return Ok(refuse(format!(
                "it is pinned to {named}; {meant} never saw it"
            )));
        }
        let verdict = match said {
            Said::NotHeld => Verdict::NotHeld,
            Said::Held {
                amount,
                requested_at,
            } => {
                let ours = custody.entry.payment.amount;
                if let Some(theirs) = amount.filter(|theirs| *theirs != ours) {
                    return Ok(refuse(format!(
                        "its amount is {ours}, but the file says {theirs}"
                    )));
                }
                if let Err(place) = check_time(&custody, requested_at, self.asked.clock_slip) {
                    return Ok(Err(place));
                }
                match self.fee(&named, requested_at).await? {
                    Some(fee) => Verdict::Held { requested_at, fee },
                    None => {
                        return Ok(refuse(format!(
                            "the fee is not known, because the ledger has no payment of {named} \
                             near {requested_at}: give --fee"
                        )));
                    }
                }
            }
        };
        Ok(Ok(Wanted {
            custody,
            named,
            verdict,
        }))
    }

    /// The fee that was given, or that of the first payment of this processor.
    async fn fee(
        &mut self,
        processor: &ProcessorName,
        at: RequestedAt,
    ) -> anyhow::Result<Option<Fee>> {
        if self.asked.fee.is_some() {
            return Ok(self.asked.fee);
        }
        if let Some((of, fee)) = &self.fee
            && of == processor
        {
            return Ok(*fee);
        }
        let fee = fee_in_force(self.store, processor, at).await?;
        self.fee = Some((processor.clone(), fee));
        Ok(fee)
    }
}

/// Whether a payment can be in anybody's books at that time.
fn check_time(custody: &Custody, requested_at: RequestedAt, slip: Duration) -> Result<(), Place> {
    let instant = |at: JournalTime| RequestedAt::from_micros(at.micros());
    let accepted_at = custody.entry.accepted_at;
    let now = instant(custody.now).unwrap_or(RequestedAt::MAX);
    let possible = Possible::between(instant(accepted_at), now, slip);
    if possible.includes(requested_at) {
        return Ok(());
    }
    let accepted = crate::payment_json::time(accepted_at);
    refuse(format!(
        "it was accepted at {accepted} and can only have been taken {possible}, not at \
         {requested_at}; if the processor's clock is further off, give --clock-slip"
    ))
}

/// It is no longer open. To be told again what is settled already is no refusal.
fn ended(case: &Case, asked: &Resolve, said: Said) -> Place {
    let Some(line) = case.lines.first() else {
        return Place::Refused("it is not known".to_owned());
    };
    let meant = asked.held.as_ref().or(asked.processor.as_ref());
    match &line.state.status {
        Status::Settled {
            processor,
            requested_at,
        } if meant == Some(processor) && said.is_at(*requested_at) => {
            Place::Done(format!("it is already settled at {processor}"))
        }
        Status::Settled {
            processor,
            requested_at,
        } => Place::Refused(format!(
            "it is settled at {processor}, requestedAt {requested_at}"
        )),
        Status::Conflict { .. } => Place::Refused("two processors hold it: see show".to_owned()),
        Status::Rejected { .. } => Place::Refused(
            "every processor declined it: it is rejected, and reopen takes that back".to_owned(),
        ),
        Status::Open { .. } => Place::Refused("it is open but has no journal entry".to_owned()),
    }
}
