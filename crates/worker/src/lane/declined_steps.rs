//! What a lane does with payments that processors declined.

use std::collections::BTreeMap;
use std::sync::Arc;

use feeway_domain::{ProcessorClient, Reject, Store};
use feeway_jobs::job::Job;
use tokio::time::Instant;

use super::{Lane, Stepped};
use crate::attempt::Done;
use crate::context::Context;
use crate::persist;

/// Payments that every processor declined, until that is judged again.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    /// By when that is, and by arrival where it is the same.
    paused: BTreeMap<(Instant, u64), Job>,
    /// How many came in.
    count: u64,
}

impl Pauses {
    pub(super) fn len(&self) -> usize {
        self.paused.len()
    }

    /// When the next pause will be over.
    pub(super) fn next(&self) -> Option<Instant> {
        self.paused.first_key_value().map(|((due, _), _)| *due)
    }

    fn add(&mut self, job: Job, until: Instant) {
        self.count += 1;
        self.paused.insert((until, self.count), job);
    }

    fn take_due(&mut self, now: Instant) -> Option<Job> {
        self.next().filter(|due| *due <= now)?;
        self.paused.pop_first().map(|(_, job)| job)
    }
}

impl<S: Store, C: ProcessorClient> Lane<S, C> {
    /// A processor declined a payment: it goes to the others. When all have, it is rejected, or
    /// waits for what becomes of others.
    pub(super) fn declined(&mut self, mut job: Job, now: Instant) {
        let declined = job.declined_by();
        if !self.context.board.ranks().all(|rank| declined.has(rank)) {
            self.wait_in_line(job, true);
        } else if self.is_final(&mut job, now) {
            self.start_reject(job);
        } else {
            let until = now + job.next_pause();
            let for_good = job.declined_for_good_at(self.context.config.patience);
            let until = for_good.map_or(until, |for_good| until.min(for_good));
            self.pauses.add(job, until);
        }
    }

    /// Rejects payments whose declines have turned out to be final. The others are sent to the
    /// processors once more that may have been broken.
    pub(super) fn end_pauses(&mut self, now: Instant) {
        while let Some(mut job) = self.pauses.take_due(now) {
            if job.is_lost() {
                continue;
            }
            if self.is_final(&mut job, now) {
                self.start_reject(job);
            } else {
                job.forget_doubtful_declines();
                self.wait_in_line(job, true);
            }
        }
    }

    /// Judges a payment's declines. After three rounds of its patience it is told, whatever
    /// became of others.
    fn is_final(&self, job: &mut Job, now: Instant) -> bool {
        let context = &self.context;
        let for_good = job.declined_for_good_at(context.config.patience);
        if for_good.is_some_and(|for_good| now >= for_good) {
            return true;
        }
        for decline in &mut job.declined {
            let rank = decline.rank;
            let is_final = |declined| context.declines.is_final(rank, declined, now);
            // What was seen once stays true, though it is forgotten after a time.
            decline.is_final |= decline.declined.is_some_and(is_final);
        }
        job.declined.iter().all(|decline| decline.is_final)
    }

    fn start_reject(&mut self, job: Job) {
        let context = Arc::clone(&self.context);
        self.steps.push(Box::pin(async move {
            reject(&context, &job).await;
            Stepped {
                was_look_up: false,
                done: Done::Over,
            }
        }));
    }
}

/// Ends a payment that every processor declined.
async fn reject<S: Store, C: ProcessorClient>(context: &Context<S, C>, job: &Job) {
    let mut declined = job.declined.clone();
    declined.sort_by_key(|decline| decline.rank);
    let reasons = declined.iter().map(|decline| {
        let processor = context.board.name(decline.rank);
        format!("{processor} answered {}", decline.status)
    });
    let why = reasons.collect::<Vec<_>>().join(", ");
    let tenure = job.share.tenure();
    match persist::reject(&context.store, &tenure.hold, &job.payment, &why).await {
        Reject::Rejected => {
            context.meters.rejected.increment(1);
            tracing::debug!(id = %job.payment.id, why, "every processor declined the payment");
        }
        Reject::Gone => {}
        Reject::Fenced => context.lose(tenure),
    }
}
