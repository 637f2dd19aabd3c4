//! Lets the fronts go on with a store that has lost its past.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, bail};
use feeway_domain::{Ledger as _, Listed, Resolutions, Window};
use feeway_store::{AdoptData, Data, RedisStore};
use tokio::time::sleep;
use uuid::Uuid;

use crate::Ending;
use crate::asking;
use crate::ledger_pages::LedgerPages;
use crate::options::AdoptStore;
use crate::patience::patiently;
use crate::payment_json::time;

/// A Redis that is killed may forget the writes of its last three seconds.
const KEPT: Duration = Duration::from_secs(4);

const MEANS: &str = "\
Fronts accept and start nothing while the store is empty, is another one, or is an older copy of its \
data. If they are to go on with it:
- they write back the open payments that they have in memory; of those that were named to a processor \
they ask that processor before they send anything;
- accepted payments that no running front has in memory are lost: the shop has to send them again;
- settled payments that are missing here are in no summary, and would be charged again if the shop \
sent them again. A processor's export shows them, so compare each export with the ledger first, which \
works while the fronts are waiting: feeway-ctl reconcile EXPORT --processor NAME --settle-with-fee \
FEE, and once more until it finds no difference;
- rejections, orders to stand back and records of decisions that are missing stay missing.";

/// Shows what the store has and what adopting it means, asks, and lets the fronts go on.
pub(crate) async fn run(
    store: &RedisStore,
    asked: &AdoptStore,
    out: &mut impl Write,
) -> anyhow::Result<Ending> {
    let data = patiently(|| store.data()).await?;
    show(store, &data, out).await?;
    writeln!(out, "{MEANS}")?;
    out.flush()?;
    if !asked.unreconciled && !is_reconciled(&data) {
        return Ok(Ending::Not);
    }
    if !asked.yes && !asking::is_confirmed(None)? {
        return Ok(Ending::Not);
    }
    let identity = Uuid::new_v4().simple().to_string();
    let adopt = || store.adopt_data(&data, &identity, &asked.by);
    match patiently(adopt).await? {
        AdoptData::Adopted => {}
        AdoptData::Changed => {
            eprintln!("nothing was done: the data of the store was replaced in the meantime");
            return Ok(Ending::Not);
        }
    }
    eprintln!("adopted; making sure that Redis keeps this …");
    sleep(KEPT).await;
    let kept = patiently(|| store.data()).await?;
    if kept.identity.as_deref() != Some(identity.as_str()) {
        bail!("the data of the store was replaced, or Redis was restarted: run adopt-store again");
    }
    writeln!(
        out,
        "adopted: the store is now {identity}, and the fronts go on"
    )?;
    Ok(Ending::Fine)
}

/// What the store has.
async fn show(store: &RedisStore, data: &Data, out: &mut impl Write) -> anyhow::Result<()> {
    match &data.identity {
        Some(identity) => writeln!(out, "The store is {identity}.")?,
        None => writeln!(
            out,
            "The store has no identity: it is empty, or older than identities are."
        )?,
    }
    match data.pulse {
        Some(pulse) => writeln!(out, "The last heartbeat of a front in it: {}.", time(pulse))?,
        None => writeln!(out, "No front has ever had a heartbeat in it.")?,
    }
    let summary = store.summary(Window::default()).await;
    let settled = summary.context("the ledger cannot be read")?;
    let settled: u64 = settled.0.iter().map(|(_, total)| total.count).sum();
    let open = count(store, Listed::Open).await?;
    let rejected = count(store, Listed::Rejected).await?;
    writeln!(
        out,
        "It has {settled} settled payments, {open} open ones and {rejected} rejected ones."
    )?;
    let living = patiently(|| store.fronts()).await?.living().len();
    writeln!(out, "Fronts that work with it: {living}.")?;
    for (processor, reconciled) in &data.reconciled {
        match reconciled {
            Some(at) => writeln!(out, "{processor}: equal to its export at {}.", time(*at))?,
            None => writeln!(out, "{processor}: not compared with this store.")?,
        }
    }
    Ok(())
}

async fn count(store: &RedisStore, listed: Listed) -> anyhow::Result<usize> {
    let mut pages = LedgerPages::new(store, listed, Window::default());
    let mut count = 0;
    while let Some(lines) = pages.next().await? {
        count += lines.len();
    }
    Ok(count)
}

/// Whether every processor that is known here was compared, and any is.
fn is_reconciled(data: &Data) -> bool {
    let mut missing = data.reconciled.iter().filter(|(_, at)| at.is_none());
    if let Some((processor, _)) = missing.next() {
        eprintln!(
            "nothing was done: {processor} was not compared with this store, see above; \
             --unreconciled adopts it anyway"
        );
        return false;
    }
    if data.reconciled.is_empty() {
        eprintln!(
            "nothing was done: no processor was compared with this store, see above; \
             --unreconciled adopts it anyway"
        );
        return false;
    }
    eprintln!(
        "compared with this store: {}. If the fronts have other processors, compare these first: \
         the store does not know them.",
        data.reconciled
            .keys()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    );
    true
}
