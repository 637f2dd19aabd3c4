//! The runs of `reconcile` that settled something.

use std::io::Write;

use feeway_domain::{RecordedRun, Resolutions, Undone};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::Ending;
use crate::options::RunList;
use crate::patience::patiently;
use crate::payment_json::{fee, number, time};
use crate::preview::{amount, payments};

/// Lists them, oldest first.
pub(crate) async fn run(
    store: &impl Resolutions,
    asked: &RunList,
    out: &mut impl Write,
) -> anyhow::Result<Ending> {
    let runs = patiently(|| store.runs()).await?;
    if runs.is_empty() && !asked.json {
        eprintln!("no run of reconcile has settled anything");
    }
    for run in &runs {
        if asked.json {
            writeln!(out, "{}", serde_json::to_string(&RunJson::of(run))?)?;
        } else {
            writeln!(out, "{}", row(run))?;
        }
    }
    Ok(Ending::Fine)
}

/// What a run settled, for people.
pub(crate) fn row(run: &RecordedRun) -> String {
    let RecordedRun {
        id,
        at,
        processor,
        fee,
        file,
        by,
        total,
        kept: _,
        undone,
    } = run;
    let count = payments(usize::try_from(total.count).unwrap_or(usize::MAX));
    let (at, sum) = (time(*at), amount(total));
    let row = format!("{at}  {id}  {count} at {processor}, {sum}, fee {fee}, from {file}; by {by}");
    let Some(Undone { at, by, total }) = undone else {
        return row;
    };
    let count = total.count;
    let (at, sum) = (time(*at), amount(total));
    format!("{row}; taken back {count}, {sum}, at {at}, by {by}")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RunJson {
    run: String,
    at: String,
    processor: String,
    fee: Box<RawValue>,
    file: String,
    by: String,
    payments: u64,
    amount: Box<RawValue>,
    kept: u64,
    undone: Option<UndoneJson>,
}

#[derive(Serialize)]
struct UndoneJson {
    at: String,
    by: String,
    payments: u64,
    amount: Box<RawValue>,
}

impl RunJson {
    fn of(run: &RecordedRun) -> Self {
        let undone = run.undone.as_ref().map(|undone| UndoneJson {
            at: time(undone.at),
            by: undone.by.clone(),
            payments: undone.total.count,
            amount: number(&amount(&undone.total)),
        });
        Self {
            run: run.id.clone(),
            at: time(run.at),
            processor: run.processor.to_string(),
            fee: fee(run.fee),
            file: run.file.clone(),
            by: run.by.clone(),
            payments: run.total.count,
            amount: number(&amount(&run.total)),
            kept: run.kept,
            undone,
        }
    }
}
