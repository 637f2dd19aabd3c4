//! What would be settled, and what speaks against it.

use std::collections::BTreeSet;
use std::io::Write;

use feeway_domain::{
    CorrelationId, Fee, JournalTime, MAX_RUN_PAYMENTS, Possible, ProcessorName, RequestedAt,
    Resolutions, Status, Total,
};

use super::export::Export;
use super::missing::Missing;
use crate::fee::fee_in_force;
use crate::options::Reconcile;
use crate::patience::patiently;
use crate::payment_json::status_name;
use crate::preview::{NAMED, amount, payments, rest};

/// What to do with the payments that only the processor has, by their places among them.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) wanted: Vec<usize>,
    /// What cannot be settled, and why.
    pub(super) refused: Vec<(usize, String)>,
    /// Why nothing at all is settled: what is wrong with one line, or with the fee, may be
    /// wrong with all of them.
    pub(super) objections: Vec<String>,
}

/// Why one line is not settled.
enum Refusal {
    /// Nothing else follows from it.
    Alone(String),
    /// Another processor holds the payment.
    Elsewhere(ProcessorName),
    /// It cannot be in any books at that time.
    Impossible(String),
}

pub(super) async fn make(
    store: &impl Resolutions,
    asked: &Reconcile,
    fee: Fee,
    missing: &[Missing],
    export: &Export,
) -> anyhow::Result<Plan> {
    let now = patiently(|| store.fronts()).await?.now;
    let ambiguous: BTreeSet<CorrelationId> = export.ambiguous().collect();
    let mut plan = Plan::default();
    let (mut elsewhere, mut impossible) = (0, 0);
    for (place, one) in missing.iter().enumerate() {
        let is_ambiguous = ambiguous.contains(&one.theirs.id);
        let why = match judge(one, asked, now, is_ambiguous) {
            Ok(()) => {
                plan.wanted.push(place);
                continue;
            }
            Err(Refusal::Alone(why)) => why,
            Err(Refusal::Elsewhere(holder)) => {
                elsewhere += 1;
                format!("it is settled at {holder}")
            }
            Err(Refusal::Impossible(why)) => {
                impossible += 1;
                why
            }
        };
        plan.refused.push((place, why));
    }
    if elsewhere > 0 {
        plan.objections.push(format!(
            "{} settled at another processor, so this may be the wrong file; if it is the right \
             one, remove those lines",
            so_many_are(elsewhere)
        ));
    }
    if impossible > 0 {
        plan.objections.push(format!(
            "{} at an impossible time, so other times may be wrong too; if they are right, remove \
             those lines",
            so_many_are(impossible)
        ));
    }
    let earliest = plan.wanted.iter().map(|&place| missing[place].theirs);
    let earliest = earliest.map(|theirs| theirs.requested_at).min();
    if let (Some(earliest), false) = (earliest, asked.fee_differs) {
        let objection = object_to_fee(store, &asked.processor, fee, earliest).await?;
        plan.objections.extend(objection);
    }
    Ok(plan)
}

fn so_many_are(count: usize) -> String {
    let verb = if count == 1 { "is" } else { "are" };
    format!("{} of this file {verb}", payments(count))
}

fn judge(
    one: &Missing,
    asked: &Reconcile,
    now: JournalTime,
    is_ambiguous: bool,
) -> Result<(), Refusal> {
    let known = one.known.as_ref();
    if let Some(known) = known
        && let Status::Settled { processor, .. } | Status::Conflict { processor, .. } =
            &known.status
    {
        return Err(Refusal::Elsewhere(processor.clone()));
    }
    let instant = |at: JournalTime| RequestedAt::from_micros(at.micros());
    let accepted = one.accepted_at.and_then(instant);
    let now = instant(now).unwrap_or(RequestedAt::MAX);
    let possible = Possible::between(accepted, now, asked.clock_slip);
    let at = one.theirs.requested_at;
    if !possible.includes(at) {
        return Err(Refusal::Impossible(format!(
            "it can only have been taken {possible}, not at {at}"
        )));
    }
    if let Some(known) = known.filter(|known| known.amount != one.theirs.amount) {
        return Err(Refusal::Alone(format!(
            "its amount here is {}",
            known.amount
        )));
    }
    if is_ambiguous {
        let why = "the file contradicts itself about it".to_owned();
        return Err(Refusal::Alone(why));
    }
    Ok(())
}

/// What speaks against the fee: the fronts are configured with another one or, when none has
/// told, the ledger has another one, or nobody knows any.
async fn object_to_fee(
    store: &impl Resolutions,
    processor: &ProcessorName,
    fee: Fee,
    earliest: RequestedAt,
) -> anyhow::Result<Option<String>> {
    let told = patiently(|| store.fees()).await?;
    let told = told.into_iter().find(|(name, _)| name == processor);
    if let Some((_, told)) = told {
        return Ok((told != fee).then(|| {
            format!(
                "the fronts are configured with the fee {told} for {processor}, not {fee}: give \
                 --fee-differs if the fee was different then"
            )
        }));
    }
    Ok(match fee_in_force(store, processor, earliest).await? {
        Some(near) if near == fee => None,
        Some(near) => Some(format!(
            "no front has recorded the fee of {processor}, and its payments in the ledger have the \
             fee {near}, not {fee}: give --fee-differs if the fee was different then"
        )),
        None => Some(format!(
            "no front has recorded the fee of {processor}, and the ledger has no payment of it \
             near {earliest}: give --fee-differs if {fee} is right"
        )),
    })
}

impl Plan {
    /// What would be settled, for people.
    pub(super) fn preview(
        &self,
        asked: &Reconcile,
        fee: Fee,
        missing: &[Missing],
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        let mut sum = Total::default();
        for &place in &self.wanted {
            sum.add(1, i128::from(missing[place].theirs.amount.cents()));
        }
        writeln!(
            out,
            "{} to settle at {}, {} in all, with the fee {fee}",
            payments(self.wanted.len()),
            asked.processor,
            amount(&sum)
        )?;
        for &place in self.wanted.iter().take(NAMED) {
            writeln!(out, "  {}", row(&missing[place]))?;
        }
        rest(self.wanted.len(), out)?;
        if self.wanted.len() > MAX_RUN_PAYMENTS {
            writeln!(out, "undo can take back only {MAX_RUN_PAYMENTS} of them")?;
        }
        if !self.refused.is_empty() {
            writeln!(out, "{} cannot be settled", payments(self.refused.len()))?;
            for (place, why) in self.refused.iter().take(NAMED) {
                writeln!(out, "  {}  {why}", missing[*place].theirs.id)?;
            }
            rest(self.refused.len(), out)?;
        }
        for objection in &self.objections {
            writeln!(out, "nothing can be settled: {objection}")?;
        }
        Ok(())
    }
}

fn row(one: &Missing) -> String {
    let theirs = one.theirs;
    let known = one.known.as_ref().map(|known| &known.status);
    let known = known.map_or("unknown", status_name);
    let amount = theirs.amount.to_string();
    let at = theirs.requested_at;
    format!(
        "{}  {amount:>13}  requestedAt {at}, here {known}",
        theirs.id
    )
}
