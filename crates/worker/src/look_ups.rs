//! Which processors' look-ups are believed when they find nothing.
//!
//! A router without a look-up answers 404 as well, and a processor may look things up in books
//! that it does not write. So an absence counts only where a payment that is surely held was
//! found before: the first held one is looked up, and then one a minute.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use feeway_domain::{GetAnswer, Payment, ProcessorClient, ProcessorName, Store, StoreFault};
use feeway_health::Rank;
use tokio::time::{Instant, sleep};

use crate::context::Context;
use crate::persist::Backoff;
use crate::watched::Watched;

/// How often a payment that is surely held is looked up.
const INTERVAL: Duration = Duration::from_secs(60);

/// The first pause after a look-up that did not find a held payment; each is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// How often look-ups without a usable answer are repeated.
const UNCLEAR_MAX: u32 = 8;

/// What is known of every processor's look-up.
#[derive(Debug)]
pub(crate) struct LookUps(Vec<LookUp>);

#[derive(Debug, Default)]
struct LookUp {
    is_trusted: AtomicBool,
    /// When the next held payment is to be looked up; nothing before the first.
    next: Mutex<Option<Instant>>,
}

impl LookUps {
    pub(crate) fn new(processors: usize) -> Self {
        Self((0..processors).map(|_| LookUp::default()).collect())
    }

    /// Whether an absence that is late enough counts.
    pub(crate) fn are_trusted(&self, rank: Rank) -> bool {
        self.0[rank.index()].is_trusted.load(Ordering::Relaxed)
    }

    /// A look-up found a payment.
    pub(crate) fn found<S: Store, C: ProcessorClient>(
        &self,
        context: &Arc<Context<S, C>>,
        rank: Rank,
    ) {
        self.set(context, rank, true);
    }

    /// A POST was answered with a yes: now and then that payment is looked up.
    pub(crate) fn note_held<S: Store, C: ProcessorClient>(
        &self,
        context: &Arc<Context<S, C>>,
        rank: Rank,
        payment: &Payment,
    ) {
        let now = Instant::now();
        {
            let next = &self.0[rank.index()].next;
            let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
            if next.is_some_and(|next| now < next) {
                return;
            }
            *next = Some(now + INTERVAL);
        }
        let (context, payment) = (Arc::clone(context), *payment);
        let tasks = Arc::clone(&context);
        tasks.tasks.spawn(prove(context, rank, payment, now));
    }

    fn set<S: Store, C: ProcessorClient>(
        &self,
        context: &Arc<Context<S, C>>,
        rank: Rank,
        trusted: bool,
    ) {
        let is_trusted = &self.0[rank.index()].is_trusted;
        if is_trusted.swap(trusted, Ordering::Relaxed) == trusted {
            return;
        }
        let processor = context.board.name(rank);
        if trusted {
            tracing::info!(%processor, "look-ups find what the processor holds: its \"not found\" is believed");
        } else {
            tracing::error!(%processor, "a look-up does not find a payment that the processor holds: its \"not found\" is no longer believed");
        }
        let task = remember(Arc::clone(context), rank, trusted);
        context.tasks.spawn(task);
    }
}

/// Reads what all fronts know of the look-ups, now and then. Runs until the worker ends.
pub(crate) async fn recall_for_ever<S: Store, C: ProcessorClient>(context: Arc<Context<S, C>>) {
    let mut backoff = Backoff::default();
    loop {
        match context.store.trusted_look_ups().await {
            Ok(trusted) => {
                recall(&context, &trusted);
                backoff = Backoff::default();
                sleep(INTERVAL).await;
            }
            Err(StoreFault::Away | StoreFault::Full | StoreFault::Closed | StoreFault::Unknown) => {
                backoff.pause().await
            }
        }
    }
}

/// Believes what is remembered. Should that be older than what this front has just found out,
/// it finds it out again with the next held payment.
fn recall<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    trusted: &[(ProcessorName, String)],
) {
    for (processor, look_up) in context.config.processors.iter().zip(&context.look_ups.0) {
        let is_known = trusted
            .iter()
            .any(|(name, url)| *name == processor.name && *url == processor.url);
        look_up.is_trusted.store(is_known, Ordering::Relaxed);
    }
}

/// Writes down what was found out about a look-up.
async fn remember<S: Store, C: ProcessorClient>(
    context: Arc<Context<S, C>>,
    rank: Rank,
    trusted: bool,
) {
    let processor = &context.config.processors[rank.index()];
    let mut backoff = Backoff::default();
    loop {
        let store = &context.store;
        let step = store.trust_look_up(&processor.name, &processor.url, trusted);
        match step.await {
            Ok(()) => return,
            Err(StoreFault::Away | StoreFault::Full | StoreFault::Closed | StoreFault::Unknown) => {
                backoff.pause().await
            }
        }
    }
}

/// Looks up a payment that the processor said it holds. It is given as long to be found as an
/// absence has to last to be believed.
async fn prove<S: Store, C: ProcessorClient>(
    context: Arc<Context<S, C>>,
    rank: Rank,
    payment: Payment,
    held_at: Instant,
) {
    let client = Watched::new(&context, rank);
    let late_from = held_at + context.config.absence_after;
    let (mut pause, mut unclear) = (FIRST_PAUSE, 0);
    while !context.board.stands_back(rank) {
        let sent_at = Instant::now();
        match client.get(payment.id).await {
            // Which the client has noted.
            GetAnswer::Held { .. } => return,
            GetAnswer::Absent if sent_at >= late_from => {
                context.look_ups.set(&context, rank, false);
                return;
            }
            GetAnswer::Absent => {}
            GetAnswer::Pending
            | GetAnswer::Unreadable(_)
            | GetAnswer::Unclear
            | GetAnswer::Unreachable => {
                unclear += 1;
                if unclear == UNCLEAR_MAX {
                    return;
                }
            }
        }
        let left = late_from.saturating_duration_since(Instant::now());
        sleep(if left.is_zero() {
            pause
        } else {
            pause.min(left)
        })
        .await;
        pause *= 2;
    }
}
