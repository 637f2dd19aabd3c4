//! Brings entries that wait in the journal to the lanes, in order of acceptance: what no
//! lane had room for, what was accepted without our knowing, and what was adopted.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use feeway_domain::{Entry, ProcessorClient, ProcessorName, Store, StoreFault};
use feeway_jobs::bounds::PAGE;
use feeway_jobs::dispatcher::Dealt;
use feeway_jobs::job::{Bond, Job};
use feeway_jobs::registry::{InHand, Refused};
use feeway_jobs::sabotage::Sabotage;
use feeway_jobs::tenure::{Tenure, Unconfigured};
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::context::Context;

/// Feeds one tenure's entries until it is lost.
pub(crate) async fn feed<S: Store, C: ProcessorClient>(
    context: Arc<Context<S, C>>,
    tenure: Arc<Tenure>,
) {
    while !tenure.is_lost() {
        tenure.work().await;
        if tenure.is_behind() {
            pass(&context, &tenure).await;
        }
    }
}

/// Goes once through the queue, from the oldest entry to the end.
async fn pass<S: Store, C: ProcessorClient>(context: &Context<S, C>, tenure: &Arc<Tenure>) {
    let mut backoff = Backoff::default();
    let mut after: Option<Entry> = None;
    let (mut unconfigured, mut stood_back) = (Unconfigured::new(), 0);
    let mut shifts = context.board.shifts();
    while !tenure.is_lost() {
        if context.board.shifts() != shifts {
            // What was passed over may go now, or the other way round.
            (after, unconfigured, stood_back) = (None, Unconfigured::new(), 0);
            shifts = context.board.shifts();
        }
        let seen = tenure.times_behind();
        let page = match context
            .store
            .queued(&tenure.hold.owner, after.as_ref(), PAGE)
            .await
        {
            Ok(page) => page,
            Err(StoreFault::Away | StoreFault::Full | StoreFault::Closed | StoreFault::Unknown) => {
                backoff.pause().await;
                continue;
            }
        };
        let Ok(notes) = notes(context, tenure, &page).await else {
            backoff.pause().await;
            continue;
        };
        let at_end = page.len() < PAGE;
        after = page.last().cloned().or(after);
        for (entry, note) in page.into_iter().zip(notes) {
            match feed_entry(context, tenure, entry, note, shifts).await {
                Fed::Yes => {}
                Fed::Unconfigured(name) => *unconfigured.entry(name).or_default() += 1,
                Fed::StoodBack => stood_back += 1,
                Fed::Stale => break,
                Fed::LanesEnded => return,
            }
        }
        if at_end && shifts == context.board.shifts() && tenure.catch_up(seen) {
            note_unplaceable(tenure, unconfigured, stood_back);
            return;
        }
    }
}

/// Counts what nobody here can work on, and says what is not configured when it is news.
fn note_unplaceable(tenure: &Tenure, found: Unconfigured, stood_back: usize) {
    let unplaceable: usize = found.values().sum();
    tenure
        .unplaceable
        .store(unplaceable + stood_back, Ordering::Relaxed);
    let named = found.iter().map(|(name, count)| format!("{name} {count}"));
    let named = named.collect::<Vec<_>>().join(", ");
    if tenure.set_unconfigured(found) && unplaceable > 0 {
        tracing::error!(owner = %tenure.hold.owner, payments = unplaceable, processors = named,
            "payments are open at processors that are not configured, so they cannot end; configure \
             the processors again, or decide about the payments with feeway-ctl resolve");
    }
}

/// What was noted of each entry, in order: that all its attempts had ended after so many moves.
async fn notes<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    tenure: &Tenure,
    page: &[Entry],
) -> Result<Vec<Option<u32>>, StoreFault> {
    if page.iter().all(|entry| entry.processor.is_none()) {
        return Ok(vec![None; page.len()]);
    }
    let ids: Vec<_> = page.iter().map(|entry| entry.payment.id).collect();
    context.store.answered(&tenure.hold.owner, &ids).await
}

enum Fed {
    /// It is in a lane, or in hand already.
    Yes,
    /// It is pinned to this processor, which is not configured here.
    Unconfigured(ProcessorName),
    /// It is pinned to a processor from which this front stands back.
    StoodBack,
    /// An operator may have decided about it since it was read.
    Stale,
    LanesEnded,
}

async fn feed_entry<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    tenure: &Arc<Tenure>,
    entry: Entry,
    note: Option<u32>,
    shifts: u64,
) -> Fed {
    let board = &context.board;
    let named = match &entry.processor {
        None => None,
        Some(name) => match board.rank(name) {
            Some(rank) if board.stands_back(rank) => return Fed::StoodBack,
            Some(rank) => Some(rank),
            None => {
                tracing::debug!(id = %entry.payment.id, processor = %name, "the processor of this payment is not configured");
                return Fed::Unconfigured(name.clone());
            }
        },
    };
    let Some(in_hand) = enter(context, &entry).await else {
        return Fed::Yes;
    };
    let accepted: Instant = context.local_instant(entry.accepted_at);
    let accepted = (accepted, entry.accepted_at);
    let share = tenure.share();
    let Some(slot) = context.dispatcher.room().await else {
        return Fed::LanesEnded;
    };
    // From here on it is in hand without a pause, so that whoever looks whether this front has
    // anything of that processor in hand sees it.
    if shifts != board.shifts() {
        return Fed::Stale;
    }
    if !tenure.is_own() {
        context.meters.adopted.increment(1);
    }
    let mut job = Job::new(entry.payment, named, entry.moves, accepted, share, in_hand);
    job.confirmed = Sabotage::TwoTasks.is_on();
    job.adoptions = context.config.standstill.adoptions();
    if let Some(rank) = named {
        job.seen_by.add(rank);
        if note == Some(entry.moves) {
            // Whoever noted it made no attempt there since, so the wait for its absence begins
            // now at the latest.
            let (at, by) = (Instant::now(), None);
            job.bind(Bond::Refused { at, by }, board);
        } else if !Sabotage::AdopterCrossesOver.is_on() {
            // Nobody alive knows what was started at a processor that an entry names.
            job = job.pin(board, &context.meters);
        }
    }
    slot.send(Dealt { job, permit: None });
    Fed::Yes
}

/// Waits for room in the registry; nothing when the payment is in hand already.
async fn enter<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    entry: &Entry,
) -> Option<InHand> {
    loop {
        match context.registry.enter(entry.payment.id) {
            Ok(in_hand) => return Some(in_hand),
            Err(Refused::InHand) => return None,
            Err(Refused::Full) => context.registry.left().await,
        }
    }
}
