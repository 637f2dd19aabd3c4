use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use feeway_domain::{ProcessorClient, Store};
use feeway_health::{Condition, Permit, Rank};
use feeway_jobs::bounds::{LANE_IN_HAND, LANE_TIED};
use feeway_jobs::catch_up::Allowance;
use feeway_jobs::dispatcher::{Dealt, Inbox};
use feeway_jobs::job::{Bond, Job, RankSet};
use feeway_jobs::router::{Route, Wish, earlier, route};
use feeway_jobs::sabotage::Sabotage;
use feeway_jobs::tied::Tied;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use metrics::Gauge;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::attempt::{Done, attempt};
use crate::context::Context;
use declined_steps::Pauses;

mod declined_steps;
mod tied_steps;

/// How often a lane checks whether it may go on while the front starts nothing.
const STILL_LOOK: Duration = Duration::from_millis(100);

type Step = Pin<Box<dyn Future<Output = Stepped> + Send>>;

struct Stepped {
    was_look_up: bool,
    done: Done,
}

/// One worker task with many attempts in flight. What cannot go now waits in order; the
/// lane sleeps until the board changes or the next deadline.
pub(crate) struct Lane<S: Store, C: ProcessorClient> {
    context: Arc<Context<S, C>>,
    inbox: Inbox,
    /// The board's changes when it was last looked at.
    board_changes: u64,
    depth: Gauge,
    draining: watch::Receiver<bool>,
    /// Dropped with the lane, which is how a drain learns of its end.
    _alive: mpsc::Sender<()>,
    /// Payments for which any processor may do, oldest first.
    fresh: VecDeque<Job>,
    /// How many of them may go now.
    allowance: Allowance,
    /// Payments that some processors refused and that nothing ties to one, oldest first.
    picky: VecDeque<Job>,
    /// Payments that are tied to a processor.
    tied: Tied,
    /// Payments that every processor declined and that are not rejected for it yet.
    pauses: Pauses,
    look_ups_under_way: usize,
    /// The processors that were failing when the board was last looked at.
    failing: RankSet,
    steps: FuturesUnordered<Step>,
}

impl<S: Store, C: ProcessorClient> Lane<S, C> {
    /// The lane of this index.
    pub(crate) fn new(
        context: &Arc<Context<S, C>>,
        index: usize,
        inbox: Inbox,
        alive: mpsc::Sender<()>,
    ) -> Self {
        Self {
            inbox,
            depth: context.meters.lanes[index].clone(),
            board_changes: 0,
            draining: context.draining.subscribe(),
            _alive: alive,
            fresh: VecDeque::new(),
            allowance: Allowance::default(),
            picky: VecDeque::new(),
            tied: Tied::new(context.clients.len()),
            pauses: Pauses::default(),
            look_ups_under_way: 0,
            failing: RankSet::default(),
            steps: FuturesUnordered::new(),
            context: Arc::clone(context),
        }
    }

    /// Works until the front drains and the attempts in flight have ended. What waits
    /// then stays in the journal.
    pub(crate) async fn run(mut self) {
        loop {
            let draining = *self.draining.borrow_and_update();
            if draining && self.steps.is_empty() {
                return;
            }
            let wake = if draining {
                None
            } else {
                self.start_what_may_go()
            };
            let (in_hand, tied) = (self.in_hand(), self.tied.count() + self.pauses.len());
            let waits = !draining && (wake.is_some() || self.is_waiting() || tied > 0);
            self.depth.set((in_hand + tied) as f64);
            let has_room = !draining && in_hand < LANE_IN_HAND && tied < LANE_TIED;
            tokio::select! {
                biased;
                Some(stepped) = self.steps.next(), if !self.steps.is_empty() => {
                    if stepped.was_look_up {
                        self.look_ups_under_way -= 1;
                    }
                    self.take_back(stepped.done);
                }
                dealt = self.inbox.recv(), if has_room => match dealt {
                    Some(dealt) => self.take_in(dealt),
                    None => return,
                },
                () = self.context.board.changes().others_than(self.board_changes), if waits => {}
                () = sleep_until(wake), if wake.is_some() => {}
                changed = self.draining.changed() => if changed.is_err() { return; },
            }
        }
    }

    fn in_hand(&self) -> usize {
        self.steps.len() + self.fresh.len() + self.picky.len()
    }

    fn is_waiting(&self) -> bool {
        !self.fresh.is_empty() || !self.picky.is_empty() || self.tied.is_waiting()
    }

    fn take_in(&mut self, dealt: Dealt) {
        let Dealt { job, permit } = dealt;
        let board = &self.context.board;
        let is_still = !self.context.may_start();
        match permit.filter(|permit| !is_still && !board.stands_back(permit.rank())) {
            Some(permit) => self.start_attempt(job, permit),
            None if job.bond != Bond::Free => self.tied.want_look_up(job),
            None => self.wait_in_line(job, false),
        }
    }

    fn take_back(&mut self, done: Done) {
        let now = Instant::now();
        match done {
            Done::Over => {}
            Done::NotSent(job) => self.not_sent(job, now),
            Done::NotHeld(job) => self.refused_for_now(job, now),
            Done::Declined(job) => self.declined(job, now),
            Done::Doubtful(mut job) if Sabotage::CrossOverAfterDoubt.is_on() => {
                job.free();
                self.wait_in_line(job, true);
            }
            Done::Refused(job) | Done::Doubtful(job) => self.rest(job, now),
            Done::Absent(job) => self.absent(job, now),
            Done::Unclear(job) => self.unclear(job, now),
        }
    }

    /// What is tied where nothing may be started is put down, and read again when the order ends.
    fn not_sent(&mut self, job: Job, now: Instant) {
        let board = &self.context.board;
        if job.bond == Bond::Free {
            self.wait_in_line(job, true);
        } else if job.named.is_some_and(|rank| board.stands_back(rank)) {
            self.leave(job);
        } else {
            self.rest(job, now);
        }
    }

    /// One that a processor did not take rests before it goes there again, and tries others
    /// first once it is not patient any longer.
    fn refused_for_now(&mut self, mut job: Job, now: Instant) {
        let rest = job.next_rest();
        job.rest_until = Some(now + rest);
        let is_impatient = job.is_impatient(self.context.config.patience, now);
        if let Some(rank) = job.named.filter(|_| is_impatient) {
            job.left.add(rank);
        }
        let skipped = job.left.union(job.declined_by());
        if self.context.board.ranks().all(|rank| skipped.has(rank)) {
            job.left = RankSet::default();
        }
        self.wait_in_line(job, true);
    }

    /// Starts everything that may go now. Returns when to look again at the latest.
    fn start_what_may_go(&mut self) -> Option<Instant> {
        // Seen before anything is asked, so that no later change is missed.
        self.board_changes = self.context.board.changes().count();
        let now = Instant::now();
        self.stand_back();
        if !self.context.may_start() {
            // What is in flight ends, and all else waits.
            return Some(now + STILL_LOOK);
        }
        self.note_recoveries(now);
        self.tied.wake(now);
        self.end_pauses(now);
        self.start_look_ups();
        let mut wake = None;
        for rank in self.context.board.ranks() {
            wake = earlier(wake, self.start_ready(rank, now));
        }
        wake = earlier(wake, self.start_picky(now, Rests::Kept));
        wake = earlier(wake, self.start_fresh(now));
        for rank in self.context.board.ranks() {
            wake = earlier(wake, self.rouse(rank, now));
        }
        if !self.failing.is_empty() {
            wake = earlier(wake, self.start_picky(now, Rests::Broken));
        }
        // Some have only just begun to rest.
        earlier(wake, earlier(self.tied.next_wake(), self.pauses.next()))
    }

    /// What rested at a processor while it failed may go once it works again.
    fn note_recoveries(&mut self, now: Instant) {
        let mut failing = RankSet::default();
        for rank in self.context.board.ranks() {
            if self.context.board.condition(rank, now) == Condition::Failing {
                failing.add(rank);
            } else if self.failing.has(rank) {
                self.tied.wake_all(rank);
                for job in &mut self.picky {
                    job.rest_until = None;
                }
            }
        }
        self.failing = failing;
    }

    fn start_fresh(&mut self, now: Instant) -> Option<Instant> {
        while !self.fresh.is_empty() {
            let context = &self.context;
            let until = (self.allowance).next(&context.catch_up, || context.backlog(), now);
            if until.is_some() {
                return until;
            }
            let Some(job) = self.fresh.pop_front() else {
                break;
            };
            self.context.waiting.fetch_sub(1, Ordering::Relaxed);
            if job.is_lost() {
                continue;
            }
            match self.route(&job, now, Rests::Kept) {
                Route::Go(permit) => {
                    self.allowance.spend();
                    self.start_attempt(job, permit);
                }
                // The others are younger, so they would be told to wait as well.
                Route::Wait(until) => {
                    self.wait_in_line(job, true);
                    return until;
                }
            }
        }
        None
    }

    fn start_picky(&mut self, now: Instant, rests: Rests) -> Option<Instant> {
        let mut wake = None;
        for _ in 0..self.picky.len() {
            let Some(job) = self.picky.pop_front() else {
                break;
            };
            if job.is_lost() {
                continue;
            }
            match self.route(&job, now, rests) {
                Route::Go(permit) => self.start_attempt(job, permit),
                Route::Wait(until) => {
                    let rested = job.rest_until.filter(|rested| *rested > now);
                    wake = earlier(wake, earlier(until, rested));
                    self.picky.push_back(job);
                }
            }
        }
        wake
    }

    fn route(&self, job: &Job, now: Instant, rests: Rests) -> Route {
        let context = &self.context;
        let patience = context.config.patience;
        let declined = job.declined_by();
        let is_impatient = job.is_impatient(patience, now);
        let mut wish = Wish {
            impatient_at: job.accepted + patience,
            skip: declined.union(job.left),
            // Whoever goes elsewhere now should not be kept by a probe that others can be.
            may_probe: !(is_impatient && self.is_younger_there(now)),
        };
        let resting_at = self.resting_at(job, now, rests);
        if let Some(resting_at) = resting_at {
            // It waits there, unless a cheaper one takes it meanwhile.
            let others = context.board.ranks();
            let dearer = others.filter(|rank| *rank >= resting_at);
            dearer.for_each(|rank| wish.skip.add(rank));
        }
        let first = route(&context.board, wish, now);
        if matches!(first, Route::Go(_)) || !is_impatient || resting_at.is_some() {
            return first;
        }
        // Where it was refused, or as a probe, is better than nowhere.
        wish.may_probe = true;
        wish.skip = declined;
        match (first, route(&context.board, wish, now)) {
            (Route::Wait(one), Route::Wait(other)) => Route::Wait(earlier(one, other)),
            (_, second) => second,
        }
    }

    /// The processor where a payment has to rest now.
    fn resting_at(&self, job: &Job, now: Instant, rests: Rests) -> Option<Rank> {
        let (rank, _) = job.refused?;
        let is_resting = job.rest_until.is_some_and(|rested| now < rested) && !job.left.has(rank);
        let is_kept = rests == Rests::Kept || !self.failing.has(rank);
        let board = &self.context.board;
        let is_no_use = board.condition(rank, now) == Condition::Slow || board.stands_back(rank);
        (is_resting && is_kept && !is_no_use).then_some(rank)
    }

    fn is_younger_there(&self, now: Instant) -> bool {
        let last = self.fresh.back();
        last.is_some_and(|last| !last.is_impatient(self.context.config.patience, now))
    }

    fn wait_in_line(&mut self, job: Job, first: bool) {
        if !job.is_fresh() {
            self.picky.push_back(job);
            return;
        }
        self.context.waiting.fetch_add(1, Ordering::Relaxed);
        if first {
            self.fresh.push_front(job);
        } else {
            self.fresh.push_back(job);
        }
    }

    fn start_attempt(&mut self, mut job: Job, permit: Permit) {
        job.set_tie(None);
        let context = Arc::clone(&self.context);
        self.steps.push(Box::pin(async move {
            Stepped {
                was_look_up: false,
                done: attempt(&context, job, permit).await,
            }
        }));
    }
}

/// Whether payments keep the rest that a processor's refusal gave them, or may find out whether
/// it works again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rests {
    Kept,
    Broken,
}

async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
