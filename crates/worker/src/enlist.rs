//! Gives a front its place in the journal, with the processors that it sends payments to.
//!
//! A name stands for a ledger. If another URL stands behind a name than before, a payment that
//! is pinned to it could be charged at both ledgers. So the store lets such a front in only if
//! an operator vouches that it is the same ledger, or if no open entry names the processor and
//! no front lives that could name it with another URL.

use std::time::Duration;

use feeway_domain::{
    Enlist, Fee, HEARTBEAT, Hold, Incarnation, Known, LAPSE, Processor, ProcessorClient,
    ProcessorName, Relocation, Site, Store, StoreFault,
};
use feeway_jobs::sabotage::Sabotage;
use tokio::time::{Instant, sleep};

use crate::backoff::Backoff;
use crate::context::Context;
use crate::moved_processor::{MovedProcessor, Objection};

/// How long a front that sends elsewhere is waited for: one that was killed seems to live for
/// [`LAPSE`].
const USER_WAIT: Duration = LAPSE.saturating_add(HEARTBEAT);

/// Registers a new incarnation, or says why it may not be. What an operator vouches for counts
/// for the first life of a process alone: in a later one the URLs may have been replaced by
/// those of another ledger, and then nobody vouches for ours.
pub(crate) async fn enlist<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    incarnation: &Incarnation,
    is_first: bool,
) -> Result<Result<Hold, MovedProcessor>, StoreFault> {
    let sites = sites(context, is_first);
    let waits_until = Instant::now() + USER_WAIT;
    let mut backoff = Backoff::default();
    let mut seen: Option<Relocation> = None;
    loop {
        let reply = context
            .store
            .enlist_at(incarnation, &sites, seen.as_ref())
            .await?;
        match reply {
            Enlist::Enlisted(hold) => {
                tell_relocated(seen.as_ref(), &sites);
                context.store.tell_fees(&fees(context)).await?;
                return Ok(Ok(hold));
            }
            Enlist::InUse { known, by } => {
                seen = None;
                if Instant::now() >= waits_until {
                    return Ok(Err(refuse(&known, &sites, Objection::Front(by))));
                }
                tracing::debug!(processor = %known.processor, front = %by, "another front uses another URL for this processor");
                sleep(HEARTBEAT).await;
            }
            Enlist::Relocated(relocation) => {
                if seen.is_some() {
                    // Somebody came while we counted.
                    backoff.pause().await;
                }
                if let Some(refused) = count(context, &relocation, &sites).await? {
                    return Ok(Err(refused));
                }
                seen = Some(relocation);
            }
        }
    }
}

/// Where this front finds its processors.
pub(crate) fn sites<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    may_vouch: bool,
) -> Vec<Site> {
    let config = &context.config;
    let site = |processor: &Processor| Site {
        processor: processor.name.clone(),
        url: processor.url.clone(),
        is_vouched: (may_vouch && config.moved.contains(&processor.name))
            || Sabotage::TrustEveryUrl.is_on(),
    };
    config.processors.iter().map(site).collect()
}

/// What each processor keeps, for an operator who settles by a processor's export.
fn fees<S: Store, C: ProcessorClient>(context: &Context<S, C>) -> Vec<(ProcessorName, Fee)> {
    let processors = context.config.processors.iter();
    processors
        .map(|processor| (processor.name.clone(), processor.fee))
        .collect()
}

/// Looks for open entries that name any of these processors for which nobody vouches. All that
/// are found are told of.
async fn count<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    relocation: &Relocation,
    sites: &[Site],
) -> Result<Option<MovedProcessor>, StoreFault> {
    let doubtful = relocation.processors.iter();
    let doubtful = doubtful.filter(|known| !is_vouched(sites, &known.processor));
    let mut counts: Vec<(&Known, u64)> = doubtful.map(|known| (known, 0)).collect();
    let mut from = None;
    while !counts.is_empty() {
        let page = context.store.census(from).await?;
        for (known, count) in &mut counts {
            *count += page.named.get(&known.processor).copied().unwrap_or(0);
        }
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    let mut first = None;
    for (known, count) in counts {
        if count > 0 {
            let refused = refuse(known, sites, Objection::Open(count));
            first.get_or_insert(refused);
        }
    }
    Ok(first)
}

fn site_of<'a>(sites: &'a [Site], processor: &ProcessorName) -> Option<&'a Site> {
    sites.iter().find(|site| site.processor == *processor)
}

fn is_vouched(sites: &[Site], processor: &ProcessorName) -> bool {
    site_of(sites, processor).is_some_and(|site| site.is_vouched)
}

/// Logs that an operator has to act.
fn refuse(known: &Known, sites: &[Site], why: Objection) -> MovedProcessor {
    let site = site_of(sites, &known.processor);
    let refused = MovedProcessor {
        processor: known.processor.clone(),
        known: known.urls.first().cloned().unwrap_or_default(),
        url: site.map(|site| site.url.clone()).unwrap_or_default(),
        why,
    };
    tracing::error!(processor = %refused.processor, why = %refused, "this front cannot start with this URL of the processor");
    refused
}

/// Says which processors are known at other URLs now.
fn tell_relocated(seen: Option<&Relocation>, sites: &[Site]) {
    for known in seen.iter().flat_map(|seen| &seen.processors) {
        let Some(site) = site_of(sites, &known.processor) else {
            continue;
        };
        let (processor, was, url) = (&site.processor, known.urls.join(" "), &site.url);
        if site.is_vouched {
            tracing::warn!(%processor, was, url, "the URL has changed; by --moved it leads to the same ledger. --moved is no longer needed");
        } else {
            tracing::warn!(%processor, was, url, "the URL has changed; nothing was open at this processor");
        }
    }
}
