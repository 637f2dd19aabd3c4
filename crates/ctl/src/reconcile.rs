//! Compares a processor's export with the ledger, and settles what only the export has.

mod difference;
mod export;
mod missing;
mod plan;
mod settle;

use std::io::Write;

use anyhow::Context;
use feeway_domain::{
    Line, Listed, Money, ProcessorName, RequestedAt, Resolutions, Status, Total, Window,
};

use crate::Ending;
use crate::ledger_pages::{LedgerPages, oldest_kept};
use crate::options::Reconcile;
use difference::{Difference, Report};
use export::{Export, Exported};
pub(crate) use export::{read_amount, read_lines, with_source};
use missing::Missing;
use settle::settle;

/// Compares, and writes every difference as soon as it is known.
pub(crate) async fn run(
    store: &impl Resolutions,
    asked: &Reconcile,
    out: &mut impl Write,
) -> anyhow::Result<Ending> {
    let mut export = Export::open(&asked.file)?;
    let window = kept(store, asked.times.window()).await?;
    let mut report = Report::new(out, asked.json);
    for line in export
        .repeated()
        .filter(|one| window.contains(one.requested_at))
    {
        report.add(&Difference::Twice(line))?;
    }
    let mut ours = Total::default();
    let mut pages = LedgerPages::new(store, Listed::Settled, window);
    while let Some(lines) = pages.next().await? {
        for line in &lines {
            let Some(entry) = of_processor(line, &asked.processor) else {
                continue;
            };
            ours.add(1, i128::from(entry.amount.cents()));
            compare(&mut export, entry, &mut report)?;
        }
    }
    let mut missing = Vec::new();
    for theirs in export.unmatched() {
        if window.contains(theirs.requested_at) {
            match here(store, theirs, &asked.processor).await? {
                Here::Held(held) => {
                    // Settled while the ledger was read, or outside of the window.
                    if window.contains(held.requested_at) {
                        ours.add(1, i128::from(held.amount.cents()));
                    }
                    differ(held, theirs, &mut report)?;
                }
                Here::Not(one) if asked.settle_with_fee.is_some() => missing.push(one),
                Here::Not(one) => report.add(&one.into())?,
            }
        }
    }
    if let Some(fee) = asked.settle_with_fee {
        let settled = settle(store, asked, fee, &mut missing, &export, report.out()).await;
        for one in missing {
            report.add(&one.into())?;
        }
        settled?;
    }
    let mut theirs = Total::default();
    for line in export.lines() {
        if window.contains(line.requested_at) {
            theirs.add(1, i128::from(line.amount.cents()));
        }
    }
    let equal = report.end(window, theirs, ours)?;
    Ok(if equal { Ending::Fine } else { Ending::Not })
}

/// The window, beginning with what is kept when no beginning is asked for.
async fn kept(store: &impl Resolutions, window: Window) -> anyhow::Result<Window> {
    if window.from().is_some() {
        return Ok(window);
    }
    let oldest = oldest_kept(store).await?;
    Window::new(oldest, window.to()).context("nothing is kept of the time before --to")
}

/// The line as the processor holds it, if it does.
fn of_processor(line: &Line, processor: &ProcessorName) -> Option<Exported> {
    let (holder, requested_at) = match &line.state.status {
        Status::Settled {
            processor,
            requested_at,
        }
        | Status::Conflict {
            processor,
            requested_at,
        } => (processor, requested_at),
        Status::Open { .. } | Status::Rejected { .. } => return None,
    };
    (holder == processor).then_some(Exported {
        id: line.state.id,
        amount: line.state.amount,
        requested_at: *requested_at,
    })
}

fn compare(
    export: &mut Export,
    ours: Exported,
    report: &mut Report<impl Write>,
) -> anyhow::Result<()> {
    match export.find(ours.id) {
        None => report.add(&Difference::OursNotTheirs(ours)),
        Some(theirs) => differ(ours, theirs, report),
    }
}

fn differ(ours: Exported, theirs: Exported, report: &mut Report<impl Write>) -> anyhow::Result<()> {
    if ours.amount != theirs.amount {
        report.add(&Difference::Amount { ours, theirs })?;
    }
    if ours.requested_at != theirs.requested_at {
        report.add(&Difference::RequestedAt { ours, theirs })?;
    }
    Ok(())
}

/// What we have of a payment that the window of the ledger does not have.
enum Here {
    /// The processor holds it, for us as well.
    Held(Exported),
    /// It does not.
    Not(Missing),
}

async fn here(
    store: &impl Resolutions,
    theirs: Exported,
    processor: &ProcessorName,
) -> anyhow::Result<Here> {
    let case = store.case(theirs.id).await?;
    let custody = case.as_ref().and_then(|case| case.custody.as_ref());
    let accepted_at = custody.map(|custody| custody.entry.accepted_at);
    let lines = case.map(|case| case.lines).unwrap_or_default();
    let held = lines.iter().find_map(|line| of_processor(line, processor));
    let missing = || Missing {
        theirs,
        known: lines.first().map(|line| line.state.clone()),
        accepted_at,
        done: None,
    };
    Ok(held.map_or_else(|| Here::Not(missing()), Here::Held))
}

/// An end of a window, for people.
fn edge(instant: Option<RequestedAt>) -> String {
    instant.map_or_else(|| "…".to_owned(), |instant| instant.to_string())
}

fn shown(amount: Money, requested_at: RequestedAt) -> String {
    format!("{amount} at {requested_at}")
}
