//! Ends the wait of a payment that is pinned to a processor which never comes back.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, bail};
use feeway_domain::{
    Case, Custody, Fee, HEARTBEAT, JournalTime, LAPSE, Listed, Possible, ProcessorName,
    RequestedAt, Resolutions, Settle, Status, StoreFault, Verdict, Window,
};
use tokio::time::{Instant, sleep};

use crate::Ending;
use crate::ledger_pages::{LedgerPages, oldest_kept};
use crate::options::Resolve;
use crate::show::{in_hand, unknown};

/// How long the same custody must be seen by our own clock, Redis answering all the time.
/// A living front beats every second, so it cannot go unheard for so long.
const WATCH: Duration = LAPSE.saturating_add(HEARTBEAT);

/// How long to go on when Redis does not answer.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(300);

/// How long before the payment the processor's fee is searched for.
const NEAR_MICROS: i64 = 3_600_000_000;

/// Pages of the ledger that are searched for it, on either side.
const FEE_PAGES: usize = 5;

/// Nothing was done, for this reason.
#[derive(Debug)]
struct Refused(String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

fn refuse<T>(why: impl Into<String>) -> anyhow::Result<T> {
    Err(Refused(why.into()).into())
}

/// Resolves a payment, or says why not.
pub(crate) async fn run(
    store: &impl Resolutions,
    asked: &Resolve,
    out: &mut impl Write,
) -> anyhow::Result<Ending> {
    let done = match decide(store, asked).await {
        Ok(done) => done,
        Err(error) => match error.downcast::<Refused>() {
            Ok(refused) => {
                eprintln!("nothing was done: {refused}");
                return Ok(Ending::Not);
            }
            Err(error) => return Err(error),
        },
    };
    writeln!(out, "{done}")?;
    Ok(Ending::Fine)
}

async fn decide(store: &impl Resolutions, asked: &Resolve) -> anyhow::Result<String> {
    let Some(case) = store.case(asked.id).await? else {
        return refuse(unknown(asked.id));
    };
    let Some(custody) = &case.custody else {
        return ended(&case, asked);
    };
    let Some(named) = &custody.entry.processor else {
        return refuse(
            "it names no processor, so it is not stuck: a front sends it to whichever works",
        );
    };
    if let Some(held) = &asked.held
        && held != named
    {
        return refuse(format!("it is pinned to {named}, and {held} never saw it"));
    }
    let verdict = verdict(store, asked, custody, named).await?;
    if !custody.is_lapsed() {
        return refuse_living(custody);
    }
    eprintln!(
        "watching for {} s that nobody has it in hand …",
        WATCH.as_secs()
    );
    watch(store, custody).await?;
    carry_out(store, custody, &verdict, asked).await
}

/// It is no longer open. To be told again what is settled already is no refusal.
fn ended(case: &Case, asked: &Resolve) -> anyhow::Result<String> {
    let Some(line) = case.lines.first() else {
        return refuse(unknown(asked.id));
    };
    match &line.state.status {
        Status::Settled {
            processor,
            requested_at,
        } if asked.held.as_ref() == Some(processor)
            && asked.requested_at == Some(*requested_at) =>
        {
            Ok(format!("it is settled at {processor} already"))
        }
        Status::Settled {
            processor,
            requested_at,
        } => refuse(format!(
            "it is settled at {processor}, requestedAt {requested_at}"
        )),
        Status::Conflict { .. } => refuse("two processors hold it: see show"),
        Status::Rejected { .. } => {
            refuse("every processor refused it: it is rejected, and reopen takes that back")
        }
        Status::Open { .. } => bail!("an open payment without an entry"),
    }
}

fn refuse_living<T>(custody: &Custody) -> anyhow::Result<T> {
    refuse(format!(
        "it is in hand of {}. Stop every front, wait {} s, resolve, and start them again",
        in_hand(custody),
        WATCH.as_secs()
    ))
}

async fn verdict(
    store: &impl Resolutions,
    asked: &Resolve,
    custody: &Custody,
    named: &ProcessorName,
) -> anyhow::Result<Verdict> {
    let Some(requested_at) = asked.requested_at else {
        return Ok(Verdict::NotHeld);
    };
    let instant = |at: JournalTime| RequestedAt::from_micros(at.micros());
    let accepted_at = custody.entry.accepted_at;
    let now = instant(custody.now).unwrap_or(RequestedAt::MAX);
    let possible = Possible::between(instant(accepted_at), now, asked.clock_slip);
    if !possible.includes(requested_at) {
        let accepted = crate::payment_json::time(accepted_at);
        return refuse(format!(
            "it was accepted at {accepted} and can only be in any books {possible}, not at \
             {requested_at}; a processor whose clock is further off takes --clock-slip"
        ));
    }
    let fee = match asked.fee {
        Some(fee) => fee,
        None => match fee_in_force(store, named, requested_at).await? {
            Some(fee) => fee,
            None => {
                return refuse(format!(
                    "the ledger has no payment of {named} near {requested_at} to tell its fee: \
                     give --fee"
                ));
            }
        },
    };
    Ok(Verdict::Held { requested_at, fee })
}

/// The fee of a payment that the processor held at about that time.
async fn fee_in_force(
    store: &impl Resolutions,
    processor: &ProcessorName,
    at: RequestedAt,
) -> anyhow::Result<Option<Fee>> {
    let oldest = oldest_kept(store).await?.unwrap_or(RequestedAt::MIN);
    let hour_before = RequestedAt::from_micros(at.micros() - NEAR_MICROS).unwrap_or(oldest);
    for from in [at, hour_before] {
        let window = Window::new(Some(from.max(oldest)), None)?;
        let mut pages = LedgerPages::new(store, Listed::Settled, window);
        for _ in 0..FEE_PAGES {
            let Some(lines) = pages.next().await? else {
                break;
            };
            let of_processor = lines
                .iter()
                .find(|line| line.state.status.processor() == Some(processor));
            if let Some(fee) = of_processor.and_then(|line| line.fee) {
                return Ok(Some(fee));
            }
        }
    }
    Ok(None)
}

/// Sees for [`WATCH`] that nothing happens to an entry, neither a step nor a heartbeat.
async fn watch(store: &impl Resolutions, seen: &Custody) -> anyhow::Result<()> {
    let give_up = Instant::now() + PATIENCE;
    let mut since = Instant::now();
    while since.elapsed() < WATCH {
        sleep(PAUSE).await;
        match store.case(seen.entry.payment.id).await {
            Ok(Some(Case {
                custody: Some(now), ..
            })) if now.is_unchanged(seen) => {}
            Ok(Some(Case {
                custody: Some(now), ..
            })) => return refuse_living(&now),
            Ok(_) => return refuse("it ended meanwhile: see show"),
            // Fronts may have been unable to beat as well: the silence counts from now on.
            Err(fault) if Instant::now() > give_up => return Err(fault.into()),
            Err(StoreFault::Away | StoreFault::Full | StoreFault::Unknown) => {
                since = Instant::now();
            }
        }
    }
    Ok(())
}

async fn carry_out(
    store: &impl Resolutions,
    seen: &Custody,
    verdict: &Verdict,
    asked: &Resolve,
) -> anyhow::Result<String> {
    let give_up = Instant::now() + PATIENCE;
    let reply = loop {
        match store.resolve(seen, verdict, &asked.by).await {
            Ok(reply) => break reply,
            Err(fault) if Instant::now() > give_up => {
                return Err(fault).context("nobody knows whether it was done: see resolutions");
            }
            // The same call says what became of the first one.
            Err(StoreFault::Away | StoreFault::Full | StoreFault::Unknown) => sleep(PAUSE).await,
        }
    };
    match reply {
        feeway_domain::Resolve::Settled(settled) => Ok(said(&settled)),
        feeway_domain::Resolve::Released => {
            let named = seen.entry.processor.as_ref();
            let named = named.map_or("that processor", ProcessorName::as_str);
            Ok(format!(
                "released: start the fronts without {named}, or it may go there again"
            ))
        }
        feeway_domain::Resolve::Changed => {
            refuse("its front was heard of at the last moment: see show")
        }
        feeway_domain::Resolve::Gone => refuse("it ended meanwhile: see show"),
        feeway_domain::Resolve::Unnamed => refuse("it was released meanwhile: see resolutions"),
    }
}

/// What came of settling a payment, for people.
pub(crate) fn said(settled: &Settle) -> String {
    match settled {
        Settle::Settled | Settle::Known => "settled".to_owned(),
        Settle::Conflict { first } => format!("settled, in conflict with {first}: see show"),
        Settle::TooOld { oldest } => format!(
            "known as settled, but it counts in no summary: the books before {oldest} are closed"
        ),
    }
}
