use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use feeway_domain::{No, ProcessorClient, Reject, Store};
use feeway_health::{Condition, Need, Permit, Rank};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use metrics::Gauge;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::attempt::{Done, attempt};
use crate::catch_up::Allowance;
use crate::config::{LANE_IN_HAND, LANE_LOOKUPS};
use crate::context::Context;
use crate::dispatcher::{Dealt, Inbox};
use crate::job::Job;
use crate::persist;
use crate::resolve::{look_up, note_doubt};
use crate::router::{Route, earlier, route};
use crate::sabotage::Sabotage;

/// How long a payment rests at a processor that does not deal with us.
const SHUNNED_REST: Duration = Duration::from_secs(1);

type Step = Pin<Box<dyn Future<Output = Stepped> + Send>>;

struct Stepped {
    was_lookup: bool,
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
    /// Payments that some processors refused, oldest first.
    picky: VecDeque<Job>,
    /// By rank: pinned payments that may be posted again.
    pinned: Vec<VecDeque<Job>>,
    /// Pinned payments that are to be looked up.
    lookups: VecDeque<Job>,
    lookups_under_way: usize,
    /// Pinned payments until their next step, by when that is due.
    resting: BTreeMap<(Instant, u64), Job>,
    rests: u64,
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
            allowance: Allowance::new(),
            picky: VecDeque::new(),
            pinned: context.board.ranks().map(|_| VecDeque::new()).collect(),
            lookups: VecDeque::new(),
            lookups_under_way: 0,
            resting: BTreeMap::new(),
            rests: 0,
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
            let waits = !draining && (wake.is_some() || self.is_waiting());
            let in_hand = self.in_hand();
            self.depth.set(in_hand as f64);
            let has_room = !draining && in_hand < LANE_IN_HAND;
            tokio::select! {
                biased;
                Some(stepped) = self.steps.next(), if !self.steps.is_empty() => {
                    if stepped.was_lookup {
                        self.lookups_under_way -= 1;
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
        let pinned: usize = self.pinned.iter().map(VecDeque::len).sum();
        self.steps.len()
            + self.fresh.len()
            + self.picky.len()
            + self.lookups.len()
            + self.resting.len()
            + pinned
    }

    fn is_waiting(&self) -> bool {
        !self.fresh.is_empty()
            || !self.picky.is_empty()
            || self.pinned.iter().any(|pinned| !pinned.is_empty())
    }

    fn take_in(&mut self, dealt: Dealt) {
        let Dealt { job, permit } = dealt;
        match permit {
            Some(permit) => self.start_attempt(job, permit),
            None if job.pinned => self.lookups.push_back(job),
            None => self.wait_in_line(job, false),
        }
    }

    fn take_back(&mut self, done: Done) {
        let now = Instant::now();
        match done {
            Done::Over => {}
            Done::Refused(mut job, _, _) if Sabotage::CrossOverDespiteDoubt.is_on() => {
                job.pinned = false;
                self.wait_in_line(job, true);
            }
            Done::Refused(mut job, rank, no) if job.pinned => {
                tracing::debug!(id = %job.payment.id, ?no, rank = rank.index(), "pinned, refused");
                let rest = job.next_rest();
                self.rest(job, now + rest);
            }
            Done::Refused(mut job, rank, No::Malformed) => {
                job.refused.add(rank);
                if self.context.board.ranks().all(|rank| job.refused.has(rank)) {
                    self.start_reject(job);
                } else {
                    self.wait_in_line(job, true);
                }
            }
            Done::Refused(job, _, No::Overloaded | No::Unreachable | No::Failing) => {
                self.wait_in_line(job, true);
            }
            Done::Doubtful(mut job, _) if Sabotage::CrossOverAfterDoubt.is_on() => {
                job.pinned = false;
                self.wait_in_line(job, true);
            }
            Done::Doubtful(mut job, doubt) => {
                note_doubt(&mut job, doubt, now);
                let rest = job.next_rest();
                self.rest(job, now + rest);
            }
            Done::Shunned(job) => self.rest(job, now + SHUNNED_REST),
            Done::Absent(job) => self.post_again(job, now),
            Done::Unclear(mut job) => {
                let rest = job.next_rest();
                self.rest(job, now + rest);
            }
        }
    }

    /// A pinned payment that the processor does not have: posts it again, unless a ghost
    /// of an earlier attempt may still be about.
    fn post_again(&mut self, mut job: Job, now: Instant) {
        let Some(rank) = job.named else { return };
        if job
            .post_not_before
            .is_some_and(|not_before| now < not_before)
        {
            let rest = job.next_rest();
            self.rest(job, now + rest);
        } else {
            self.pinned[rank.index()].push_back(job);
        }
    }

    /// Starts everything that may go now. Returns when to look again at the latest.
    fn start_what_may_go(&mut self) -> Option<Instant> {
        // Seen before anything is asked, so that no later change is missed.
        self.board_changes = self.context.board.changes().count();
        let now = Instant::now();
        let due = self.wake_resting(now);
        self.start_lookups();
        let mut wake = due;
        for rank in self.context.board.ranks() {
            wake = earlier(wake, self.start_pinned(rank, now));
        }
        wake = earlier(wake, self.start_picky(now));
        earlier(wake, self.start_fresh(now))
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
            match self.route(&job, now) {
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

    fn start_picky(&mut self, now: Instant) -> Option<Instant> {
        let mut wake = None;
        for _ in 0..self.picky.len() {
            let Some(job) = self.picky.pop_front() else {
                break;
            };
            if job.is_lost() {
                continue;
            }
            match self.route(&job, now) {
                Route::Go(permit) => self.start_attempt(job, permit),
                Route::Wait(until) => {
                    wake = earlier(wake, until);
                    self.picky.push_back(job);
                }
            }
        }
        wake
    }

    /// A pinned payment has no choice, so it goes to a slow processor as well.
    fn start_pinned(&mut self, rank: Rank, now: Instant) -> Option<Instant> {
        while let Some(job) = self.pinned[rank.index()].pop_front() {
            if job.is_lost() {
                continue;
            }
            let board = &self.context.board;
            let permit = match board.condition(rank, now) {
                Condition::Fine | Condition::Slow => board.try_start(rank, now),
                Condition::Failing => board.try_probe(rank, now, Need::Plain),
            };
            let Some(permit) = permit else {
                let wake = board.next_chance(rank, now, Need::Plain);
                self.pinned[rank.index()].push_front(job);
                return wake;
            };
            self.start_attempt(job, permit);
        }
        None
    }

    fn route(&self, job: &Job, now: Instant) -> Route {
        let context = &self.context;
        route(
            &context.board,
            context.config.patience,
            job.accepted,
            job.refused,
            now,
        )
    }

    fn wait_in_line(&mut self, job: Job, first: bool) {
        if !job.refused.is_empty() {
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

    fn rest(&mut self, job: Job, until: Instant) {
        self.rests += 1;
        self.resting.insert((until, self.rests), job);
    }

    fn wake_resting(&mut self, now: Instant) -> Option<Instant> {
        while let Some(entry) = self.resting.first_entry() {
            let due = entry.key().0;
            if due > now {
                return Some(due);
            }
            let job = entry.remove();
            self.lookups.push_back(job);
        }
        None
    }

    fn start_lookups(&mut self) {
        while self.lookups_under_way < LANE_LOOKUPS {
            let Some(job) = self.lookups.pop_front() else {
                return;
            };
            if job.is_lost() {
                continue;
            }
            self.lookups_under_way += 1;
            let context = Arc::clone(&self.context);
            self.steps.push(Box::pin(async move {
                Stepped {
                    was_lookup: true,
                    done: look_up(&context, job).await,
                }
            }));
        }
    }

    fn start_attempt(&mut self, job: Job, permit: Permit) {
        let context = Arc::clone(&self.context);
        self.steps.push(Box::pin(async move {
            Stepped {
                was_lookup: false,
                done: attempt(&context, job, permit).await,
            }
        }));
    }

    fn start_reject(&mut self, job: Job) {
        let context = Arc::clone(&self.context);
        self.steps.push(Box::pin(async move {
            let tenure = job.share.tenure();
            match persist::reject(&context.store, &tenure.hold, &job.payment).await {
                Reject::Rejected => {
                    context.meters.rejected.increment(1);
                    tracing::debug!(id = %job.payment.id, "every processor refused it");
                }
                Reject::Gone => {}
                Reject::Fenced => tenure.lose(),
            }
            Stepped {
                was_lookup: false,
                done: Done::Over,
            }
        }));
    }
}

async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
