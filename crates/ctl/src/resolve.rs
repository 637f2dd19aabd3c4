//! Ends the wait of payments that are pinned to a processor which never comes back.

mod carry_out;
mod plan;
mod statement;

use std::io::Write;

use feeway_domain::{Resolutions, Settle, Total, Verdict};

use crate::Ending;
use crate::asking;
use crate::options::Resolve;
use crate::preview::{NAMED, amount, payments, rest};
use carry_out::{Ended, Manner, carry_out, count_of_not_held};
use plan::{Plan, Wanted};

/// Resolves payments, or says why not.
pub(crate) async fn run(
    store: &impl Resolutions,
    asked: &Resolve,
    out: &mut impl Write,
) -> anyhow::Result<Ending> {
    let plan = plan::make(store, asked).await?;
    if asked.dry_run {
        preview(&plan, out)?;
        return Ok(ending(plan.refused.is_empty()));
    }
    if !asked.is_single() {
        preview(&plan, &mut std::io::stderr())?;
    }
    let Plan {
        wanted,
        done,
        left,
        refused,
    } = plan;
    let (is_nothing_to_do, is_asked) = (wanted.is_empty(), asked.is_single() || asked.yes);
    if !is_nothing_to_do && !is_asked && !is_confirmed(&wanted)? {
        return Ok(Ending::Not);
    }
    let mut ended: Vec<Ended> = refused
        .into_iter()
        .map(|(id, why)| Ended { id, how: Err(why) })
        .collect();
    let manner = Manner {
        by: &asked.by,
        wait: asked.wait,
        all: asked.all,
    };
    let carried_out = carry_out(store, wanted, manner, &mut ended).await;
    if asked.is_single() {
        for (_, how) in &done {
            writeln!(out, "{how}")?;
        }
        report_one(&ended, out)?;
    } else {
        report(&ended, (done.len(), left), out)?;
    }
    carried_out?;
    Ok(ending(ended.iter().all(|one| one.how.is_ok())))
}

fn ending(is_fine: bool) -> Ending {
    if is_fine { Ending::Fine } else { Ending::Not }
}

/// What would be decided, for people.
fn preview(plan: &Plan, out: &mut impl Write) -> anyhow::Result<()> {
    let mut sum = Total::default();
    for one in &plan.wanted {
        sum.add(1, i128::from(one.custody.entry.payment.amount.cents()));
    }
    let not_held = count_of_not_held(&plan.wanted);
    let held = plan.wanted.len() - not_held;
    writeln!(
        out,
        "{} to resolve, {} in all: {held} held, {not_held} not held",
        payments(plan.wanted.len()),
        amount(&sum)
    )?;
    for one in plan.wanted.iter().take(NAMED) {
        writeln!(out, "  {}", row(one))?;
    }
    rest(plan.wanted.len(), out)?;
    if !plan.done.is_empty() {
        writeln!(
            out,
            "{} already settled in this way",
            payments(plan.done.len())
        )?;
    }
    if !plan.refused.is_empty() {
        writeln!(out, "{} cannot be resolved", payments(plan.refused.len()))?;
        for (id, why) in plan.refused.iter().take(NAMED) {
            writeln!(out, "  {id}  {why}")?;
        }
        rest(plan.refused.len(), out)?;
    }
    Ok(())
}

fn row(one: &Wanted) -> String {
    let (payment, named) = (&one.custody.entry.payment, &one.named);
    let verdict = match &one.verdict {
        Verdict::Held { requested_at, fee } => {
            format!("held by {named}, requestedAt {requested_at}, fee {fee}")
        }
        Verdict::NotHeld => format!("not held by {named}"),
    };
    format!(
        "{}  {:>13}  {verdict}",
        payment.id,
        payment.amount.to_string()
    )
}

/// Asks at the terminal.
fn is_confirmed(wanted: &[Wanted]) -> anyhow::Result<bool> {
    let vouched = (count_of_not_held(wanted) > 0).then_some(
        "You vouch that the processor will never take what is not held, whoever asks: if you are \
         wrong, customers are charged twice.",
    );
    asking::is_confirmed(vouched)
}

fn report_one(ended: &[Ended], out: &mut impl Write) -> anyhow::Result<()> {
    for one in ended {
        match &one.how {
            Ok(resolve) => writeln!(out, "{}", said_of(resolve))?,
            Err(why) => eprintln!("nothing was done: {why}"),
        }
    }
    Ok(())
}

/// Tells how many were done now, how many were settled before, and how many left before.
fn report(
    ended: &[Ended],
    (before, left): (usize, usize),
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let count = |is_so: fn(&feeway_domain::Resolve) -> bool| {
        let done = ended.iter().filter_map(|one| one.how.as_ref().ok());
        done.filter(|resolve| is_so(resolve)).count()
    };
    let settled = count(|resolve| matches!(resolve, feeway_domain::Resolve::Settled(_)));
    let released = count(|resolve| matches!(resolve, feeway_domain::Resolve::Released));
    let gone = left + ended.iter().filter(|one| one.how.is_ok()).count() - settled - released;
    let refused = ended.iter().filter(|one| one.how.is_err());
    writeln!(
        out,
        "settled {settled}, released {released}, already settled {before}, ended by themselves \
         {gone}, not done {}",
        refused.clone().count()
    )?;
    for one in ended {
        if let Ok(resolve @ feeway_domain::Resolve::Settled(settle)) = &one.how
            && !matches!(settle, Settle::Settled | Settle::Known)
        {
            writeln!(out, "{}  {}", one.id, said_of(resolve))?;
        }
    }
    for one in refused {
        if let Err(why) = &one.how {
            eprintln!("{}  {why}", one.id);
        }
    }
    Ok(())
}

fn said_of(resolve: &feeway_domain::Resolve) -> String {
    match resolve {
        feeway_domain::Resolve::Settled(settled) => said(settled),
        feeway_domain::Resolve::Released => {
            "released: it may go to any processor from which the fronts do not stand back"
                .to_owned()
        }
        feeway_domain::Resolve::Changed
        | feeway_domain::Resolve::Gone
        | feeway_domain::Resolve::Unnamed => "not done".to_owned(),
    }
}

/// What came of settling a payment, for people.
pub(crate) fn said(settled: &Settle) -> String {
    match settled {
        Settle::Settled | Settle::Known => "settled".to_owned(),
        Settle::Conflict { first } => format!("settled, in conflict with {first}: see show"),
        Settle::TooOld { oldest } => {
            format!("settled, but no summary counts it: the books before {oldest} are closed")
        }
    }
}
