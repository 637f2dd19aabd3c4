//! The orders to stand back from a processor: lists, gives and ends them.

use std::io::Write;

use feeway_domain::{ProcessorName, Resolutions};

use crate::Ending;
use crate::options::StandBack;
use crate::patience::patiently;
use crate::payment_json::time;
use crate::stood_back::{StoodBack, Waited};

pub(crate) async fn run(
    store: &impl Resolutions,
    asked: &StandBack,
    out: &mut impl Write,
) -> anyhow::Result<Ending> {
    match &asked.processor {
        None => list(store, out).await,
        Some(processor) if asked.end => end(store, processor, out).await,
        Some(processor) => give(store, processor, asked, out).await,
    }
}

async fn list(store: &impl Resolutions, out: &mut impl Write) -> anyhow::Result<Ending> {
    let orders = patiently(|| store.stand_backs()).await?;
    let fronts = patiently(|| store.fronts()).await?;
    let living = fronts.living().len();
    for order in &orders {
        let waits = fronts.unconfirmed(&order.processor, &order.token);
        let names: Vec<&str> = waits.iter().map(|front| front.as_str()).collect();
        let (processor, at, by) = (&order.processor, time(order.at), &order.by);
        let confirmed = living - waits.len();
        write!(
            out,
            "{processor}: since {at}, by {by}; {confirmed} of {living} fronts stand back"
        )?;
        if names.is_empty() {
            writeln!(out)?;
        } else {
            writeln!(out, ", waiting for {}", names.join(", "))?;
        }
    }
    Ok(Ending::Fine)
}

async fn end(
    store: &impl Resolutions,
    processor: &ProcessorName,
    out: &mut impl Write,
) -> anyhow::Result<Ending> {
    loop {
        let orders = patiently(|| store.stand_backs()).await?;
        let mut orders = orders.iter();
        let Some(order) = orders.find(|order| order.processor == *processor) else {
            eprintln!("there is no order to stand back from {processor}");
            return Ok(Ending::Not);
        };
        // If not, somebody has given another order since.
        if patiently(|| store.end_stand_back(processor, &order.token)).await? {
            writeln!(
                out,
                "ended: within a second the fronts send to {processor} again"
            )?;
            return Ok(Ending::Fine);
        }
    }
}

async fn give(
    store: &impl Resolutions,
    processor: &ProcessorName,
    asked: &StandBack,
    out: &mut impl Write,
) -> anyhow::Result<Ending> {
    let mut back = StoodBack::begin(store, processor, &asked.by).await?;
    let since = if back.is_ours() {
        "ordered"
    } else {
        "already in force"
    };
    if asked.no_wait {
        writeln!(
            out,
            "{since}: run stand-back to see which fronts have confirmed it"
        )?;
        return Ok(Ending::Fine);
    }
    eprintln!("{since}");
    let tell = |names: &[String]| eprintln!("waiting for {} …", names.join(", "));
    match back.wait(asked.wait, tell).await? {
        Waited::All => {
            writeln!(out, "every front stands back from {processor}")?;
            Ok(Ending::Fine)
        }
        Waited::Nobody => {
            writeln!(
                out,
                "no front is running; those that start will stand back from {processor}"
            )?;
            Ok(Ending::Fine)
        }
        Waited::Still(names) => {
            eprintln!(
                "{} did not confirm in time: requests to it may be in flight for up to \
                 --attempt-timeout; the order stays in force",
                names.join(", ")
            );
            Ok(Ending::Not)
        }
    }
}
