//! Takes rejections back, so that fronts try those payments again.

use std::io::{BufRead as _, IsTerminal as _, Write, stdin};
use std::time::Duration;

use anyhow::{Context, bail};
use feeway_domain::{CorrelationId, Incarnation, Listed, Reopen, Resolutions, StoreFault, Total};
use tokio::time::{Instant, sleep};

use crate::Ending;
use crate::ledger_pages::LedgerPages;
use crate::options::Reopening;
use crate::show::unknown;

/// How long to go on when Redis does not answer.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(300);

/// Reopens the payments that are asked for, and says of each what became of it.
pub(crate) async fn run(
    store: &impl Resolutions,
    asked: &Reopening,
    out: &mut impl Write,
) -> anyhow::Result<Ending> {
    let ids = if asked.all {
        let Some(ids) = all(store, asked).await? else {
            return Ok(Ending::Not);
        };
        ids
    } else {
        asked.ids.clone()
    };
    let owner = owner()?;
    let mut ending = Ending::Fine;
    for id in ids {
        let refused = match reopen(store, id, &owner, &asked.by).await? {
            Reopen::Reopened => {
                writeln!(out, "{id} reopened")?;
                continue;
            }
            Reopen::Open => format!("{id} is not rejected: it is open"),
            Reopen::Settled => format!("{id} is not rejected: a processor holds it, see show"),
            Reopen::Unknown => unknown(id),
        };
        eprintln!("nothing was done: {refused}");
        ending = Ending::Not;
    }
    Ok(ending)
}

/// All that are rejected; nothing when the operator does not want them to be reopened.
async fn all(
    store: &impl Resolutions,
    asked: &Reopening,
) -> anyhow::Result<Option<Vec<CorrelationId>>> {
    let mut pages = LedgerPages::new(store, Listed::Rejected, asked.times.window());
    let (mut ids, mut total) = (Vec::new(), Total::default());
    while let Some(lines) = pages.next().await? {
        for line in lines {
            ids.push(line.state.id);
            total.add(1, i128::from(line.state.amount.cents()));
        }
    }
    let (count, amount) = (ids.len(), total.amount());
    let said = format!("rejected payments: {count}, {amount} in all");
    if ids.is_empty() || asked.yes {
        eprintln!("{said}");
        return Ok(Some(ids));
    }
    if !stdin().is_terminal() {
        eprintln!("nothing was done: {said}; give --yes to reopen them without being asked");
        return Ok(None);
    }
    eprint!("{said}. Reopen them? Then processors are asked again. Type yes: ");
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer)?;
    if answer.trim() == "yes" {
        return Ok(Some(ids));
    }
    eprintln!("nothing was done");
    Ok(None)
}

/// An owner of this command alone.
pub(crate) fn owner() -> anyhow::Result<Incarnation> {
    let life = uuid::Uuid::new_v4().simple().to_string();
    let Some(random) = life.get(..12) else {
        bail!("cannot make a random name");
    };
    Ok(Incarnation::new(&format!("feeway-ctl.{random}")))
}

async fn reopen(
    store: &impl Resolutions,
    id: CorrelationId,
    owner: &Incarnation,
    by: &str,
) -> anyhow::Result<Reopen> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        match store.reopen(id, owner, by).await {
            Ok(reply) => return Ok(reply),
            Err(fault) if Instant::now() > give_up => {
                let context = format!("it is unknown whether {id} was reopened: see resolutions");
                return Err(fault).context(context);
            }
            // The same call says what became of the first one.
            Err(StoreFault::Away | StoreFault::Full | StoreFault::Closed | StoreFault::Unknown) => {
                sleep(PAUSE).await
            }
        }
    }
}
