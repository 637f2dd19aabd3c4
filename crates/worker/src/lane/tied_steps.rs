//! What a lane does with payments that are tied to a processor.

use std::sync::Arc;
use std::time::Duration;

use feeway_domain::{ProcessorClient, Store};
use feeway_health::{Condition, Need, Rank};
use feeway_jobs::bounds::LANE_LOOKUPS;
use feeway_jobs::job::{Bond, Job};
use tokio::time::Instant;

use super::{Lane, Stepped};
use crate::attempt::Done;
use crate::persist;
use crate::resolve::look_up;

/// A single payment finds out once a second whether its processor works, when nobody else does.
const ROUSE_PAUSE_MAX: Duration = Duration::from_secs(1);

impl<S: Store, C: ProcessorClient> Lane<S, C> {
    /// Lets a payment rest until its next look-up: for ever longer, but not beyond the moment
    /// from which its absence counts.
    pub(super) fn rest(&mut self, mut job: Job, now: Instant) {
        let Some(rank) = job.named else { return };
        let rest = job.next_rest();
        job.rouse_from = now + rest.min(ROUSE_PAUSE_MAX);
        let late_from = job.late_from(self.context.config.absence_after);
        let until = match late_from.filter(|late| *late > now) {
            Some(late_from) => late_from.min(now + rest),
            None => now + rest,
        };
        let tie = (job.may_be_posted(now)).then(|| self.context.board.tie(rank));
        job.set_tie(tie);
        self.tied.rest(rank, job, until);
    }

    /// Puts down what is tied to a processor where nothing may be started: it stays in the
    /// journal, and an operator may decide about it.
    pub(super) fn stand_back(&mut self) {
        let board = Arc::clone(&self.context.board);
        for rank in board.ranks().filter(|rank| board.stands_back(*rank)) {
            for job in self.tied.put_down(rank) {
                self.leave(job);
            }
        }
    }

    /// Lets go of a payment that is tied to a processor.
    pub(super) fn leave(&mut self, job: Job) {
        let context = Arc::clone(&self.context);
        self.steps.push(Box::pin(async move {
            persist::leave(&context, &job).await;
            Stepped {
                was_look_up: false,
                done: Done::Over,
            }
        }));
    }

    /// A look-up found nothing, which proves nothing yet: the payment is posted again, unless
    /// it was declined, an attempt may be going on inside, or it is about to leave.
    pub(super) fn absent(&mut self, job: Job, now: Instant) {
        if self.is_leaving(&job, now) || !job.may_be_posted(now) {
            self.rest(job, now);
        } else {
            self.make_ready(job);
        }
    }

    /// A look-up had no usable answer. Before its patience is over a payment that was refused
    /// is posted again all the same.
    pub(super) fn unclear(&mut self, job: Job, now: Instant) {
        let is_refused = matches!(job.bond, Bond::Refused { .. });
        let is_patient = !job.is_impatient(self.context.config.patience, now);
        if is_refused && is_patient && job.may_be_posted(now) {
            self.make_ready(job);
        } else {
            self.rest(job, now);
        }
    }

    fn make_ready(&mut self, mut job: Job) {
        let Some(rank) = job.named else { return };
        let tie = self.context.board.tie(rank);
        job.set_tie(Some(tie));
        self.tied.make_ready(rank, job);
    }

    fn is_leaving(&self, job: &Job, now: Instant) -> bool {
        job.is_leaving(self.context.config.patience, now)
    }

    pub(super) fn start_look_ups(&mut self) {
        while self.look_ups_under_way < LANE_LOOKUPS {
            let Some(job) = self.tied.next_look_up() else {
                return;
            };
            self.look_ups_under_way += 1;
            let context = Arc::clone(&self.context);
            self.steps.push(Box::pin(async move {
                Stepped {
                    was_look_up: true,
                    done: look_up(&context, job).await,
                }
            }));
        }
    }

    /// Posts what may be posted. It has no choice, so it goes to a slow processor as well.
    pub(super) fn start_ready(&mut self, rank: Rank, now: Instant) -> Option<Instant> {
        while let Some(job) = self.tied.next_ready(rank) {
            if job.is_lost() {
                self.tied.want_look_up(job);
                continue;
            }
            if self.is_leaving(&job, now) && self.context.board.answers_look_ups(rank) {
                self.rest(job, now);
                continue;
            }
            let board = &self.context.board;
            let permit = match board.condition(rank, now) {
                Condition::Fine | Condition::Slow => board.try_start(rank, now),
                Condition::Failing => board.try_probe(rank, now, Need::Tied),
            };
            let Some(permit) = permit else {
                let wake = board.next_chance(rank, now, Need::Tied);
                self.tied.make_ready(rank, job);
                return wake;
            };
            self.start_attempt(job, permit);
        }
        None
    }

    /// When nobody else probes a failing processor, somebody does who rests there.
    pub(super) fn rouse(&mut self, rank: Rank, now: Instant) -> Option<Instant> {
        let board = &self.context.board;
        if !self.failing.has(rank) {
            return None;
        }
        let answers = board.answers_look_ups(rank);
        let patience = self.context.config.patience;
        let leaves = |job: &Job| answers && job.is_leaving(patience, now);
        let may_probe = |job: &Job| job.may_be_posted(now) && !job.is_lost() && !leaves(job);
        let from = self.tied.rouse_from(rank, may_probe)?;
        if from > now {
            return Some(from);
        }
        let Some(permit) = board.try_probe(rank, now, Need::Tied) else {
            return board.next_chance(rank, now, Need::Tied);
        };
        let job = self.tied.rouse(rank, may_probe)?;
        self.start_attempt(job, permit);
        None
    }
}
