use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use feeway_domain::{JournalTime, ProcessorClient, RequestedAt, Store};
use feeway_health::{Board, Rank};
use feeway_jobs::answered::Answered;
use feeway_jobs::catch_up::CatchUp;
use feeway_jobs::declines::Declines;
use feeway_jobs::dispatcher::Dispatcher;
use feeway_jobs::linger::Linger;
use feeway_jobs::look_ups::LookUps;
use feeway_jobs::meters::Meters;
use feeway_jobs::registry::Registry;
use feeway_jobs::tasks::Tasks;
use feeway_jobs::tenure::{Tenure, Tenures};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::config::WorkerConfig;
use crate::moved_processor::MovedProcessor;

/// What all parts of one worker share.
pub(crate) struct Context<S: Store, C: ProcessorClient> {
    pub(crate) config: WorkerConfig,
    pub(crate) store: S,
    /// By rank.
    pub(crate) clients: Vec<C>,
    pub(crate) board: Arc<Board>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) tenures: Tenures,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) linger: Linger,
    pub(crate) tasks: Tasks,
    pub(crate) meters: Meters,
    /// Payments in the lanes that wait for a processor: while there are any, a new one
    /// takes its place behind them.
    pub(crate) waiting: AtomicUsize,
    pub(crate) catch_up: CatchUp,
    pub(crate) answered: Answered,
    /// Whether what a look-up does not find is believed to be absent.
    pub(crate) look_ups: LookUps,
    /// What tells whether a decline is final.
    pub(crate) declines: Declines,
    pub(crate) draining: watch::Sender<bool>,
    /// Wakes the heartbeat before its time: the own hold was lost.
    pub(crate) hold_lost: Notify,
    /// Wakes those who wait for a new own hold.
    pub(crate) enlisted: Notify,
    /// Why this front may not take part, once that is known.
    pub(crate) refusal: watch::Sender<Option<MovedProcessor>>,
    /// When this process began to take part.
    pub(crate) started: Instant,
    journal_clock: Mutex<Option<(JournalTime, Instant)>>,
    /// By rank: it refuses to deal with us, and that has been said.
    misconfigured: Vec<AtomicBool>,
}

impl<S: Store, C: ProcessorClient> Context<S, C> {
    pub(crate) fn new(
        config: WorkerConfig,
        store: S,
        clients: Vec<C>,
        board: Arc<Board>,
        registry: Arc<Registry>,
        dispatcher: Dispatcher,
    ) -> Self {
        let misconfigured = clients.iter().map(|_| AtomicBool::new(false)).collect();
        let meters = Meters::new(&config.processors, dispatcher.depths().count());
        Self {
            catch_up: CatchUp::new(config.catch_up),
            look_ups: LookUps::new(clients.len()),
            declines: Declines::new(clients.len()),
            config,
            store,
            clients,
            board,
            registry,
            tenures: Tenures::default(),
            dispatcher,
            linger: Linger::default(),
            tasks: Tasks::default(),
            meters,
            waiting: AtomicUsize::new(0),
            answered: Answered::default(),
            draining: watch::Sender::new(false),
            hold_lost: Notify::new(),
            enlisted: Notify::new(),
            refusal: watch::Sender::new(None),
            started: Instant::now(),
            journal_clock: Mutex::new(None),
            misconfigured,
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Whether attempts may be started. The store must not be able to forget that there is an
    /// incarnation which has started some: nobody would wait for it before the same payment is
    /// accepted anew.
    pub(crate) fn may_start(&self) -> bool {
        let is_known = || self.tenures.own().is_some_and(|own| own.is_lasting());
        !self.config.standstill.is_on() && is_known()
    }

    /// Payments that wait here, and when some wait in the journal as well, all open ones as
    /// of the last heartbeat.
    pub(crate) fn backlog(&self) -> u64 {
        let waiting = self.waiting.load(Ordering::Relaxed) as u64;
        if self.tenures.are_behind() {
            waiting.max(self.meters.last_open())
        } else {
            waiting
        }
    }

    /// Notes what Redis's clock said at an instant of ours.
    pub(crate) fn set_journal_clock(&self, now: JournalTime, at: Instant) {
        let mut clock = self
            .journal_clock
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *clock = Some((now, at));
    }

    /// What is sent and booked now is stamped with this: the machine's clock, or, when that is
    /// further from Redis's than `clock_slip`, Redis's at the last heartbeat and what our
    /// monotonic clock has counted since. `known` is an instant of Redis's clock for the time
    /// before the first heartbeat.
    pub(crate) fn time_of_day(&self, known: Option<(Instant, JournalTime)>) -> RequestedAt {
        let own = self.config.clock.now();
        let known = known.map(|(instant, time)| after(time, instant));
        match self.journal_now().or(known) {
            Some(journal) if !self.is_near(own, journal) => nearest(journal),
            Some(_) | None => own,
        }
    }

    fn is_near(&self, own: RequestedAt, journal: JournalTime) -> bool {
        let apart = own.micros().abs_diff(journal.micros());
        u128::from(apart) <= self.config.clock_slip.as_micros()
    }

    /// Redis's clock now, as far as is known.
    pub(crate) fn journal_now(&self) -> Option<JournalTime> {
        let clock = *self
            .journal_clock
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        clock.map(|(read, at)| after(read, at))
    }

    /// An instant of Redis's clock on our own monotonic clock, so that ages need neither
    /// clock to be right.
    pub(crate) fn local_instant(&self, time: JournalTime) -> Instant {
        let clock = *self
            .journal_clock
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        clock
            .and_then(|(read, at)| at.checked_sub(time.age(read)))
            .unwrap_or(now)
            .min(now)
    }

    /// The journal knows of a later hold than this one.
    pub(crate) fn lose(&self, tenure: &Tenure) {
        tenure.lose();
        self.hold_lost.notify_one();
    }

    /// Says once that a processor refuses to deal with us.
    pub(crate) fn report_misconfigured(&self, rank: Rank, status: u16) {
        if !self.misconfigured[rank.index()].swap(true, Ordering::Relaxed) {
            let processor = self.board.name(rank);
            tracing::error!(%processor, status, "the processor rejects our requests: check its URL and credentials");
        }
    }

    /// The processor deals with us.
    pub(crate) fn clear_misconfigured(&self, rank: Rank) {
        if self.misconfigured[rank.index()].swap(false, Ordering::Relaxed) {
            tracing::info!(processor = %self.board.name(rank), "the processor accepts our requests again");
        }
    }
}

/// Redis's clock now, when it said this at that instant.
fn after(read: JournalTime, at: Instant) -> JournalTime {
    let passed = i64::try_from(at.elapsed().as_micros()).unwrap_or(i64::MAX);
    JournalTime::from_micros(read.micros().saturating_add(passed))
}

/// The same instant, or the nearest that a payment can have.
fn nearest(time: JournalTime) -> RequestedAt {
    let within = (time.micros()).clamp(RequestedAt::MIN.micros(), RequestedAt::MAX.micros());
    RequestedAt::from_micros(within).unwrap_or(RequestedAt::MAX)
}
