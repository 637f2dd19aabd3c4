use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use feeway_domain::{MAX_PROCESSORS, ProcessorName};
use tokio::time::Instant;
use tracing::info;

use crate::changes::Changes;
use crate::ended::{Ended, Flight, Need};
use crate::standing::Standing;

pub(crate) mod stand_back;

/// The limits by which a board judges.
#[derive(Clone, Debug)]
pub struct BoardConfig {
    /// A processor expected to take longer is slow.
    pub max_latency: Duration,
    /// How often a processor that is failing or slow gets a real payment as a probe.
    pub probe_interval: Duration,
    /// Attempts in flight per processor; up to eight probes come on top.
    pub max_in_flight: usize,
}

/// A processor's place in the order of fees, cheapest first; its name on the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rank(u8);

impl Rank {
    /// The rank with this place, the cheapest being 0.
    ///
    /// # Panics
    /// When the place is not below [`MAX_PROCESSORS`].
    pub fn new(place: usize) -> Self {
        assert!(
            place < MAX_PROCESSORS,
            "at most {MAX_PROCESSORS} processors are configured"
        );
        Self(place as u8)
    }

    /// The place as an index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// What a board believes about a processor now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Traffic flows.
    Fine,
    /// It works, but takes longer than `max_latency`.
    Slow,
    /// Its breaker is open.
    Failing,
}

/// What one process believes now about every processor. All of it is memory: a clock's
/// reading comes in with every call, and nothing waits.
#[derive(Debug)]
pub struct Board {
    config: BoardConfig,
    names: Vec<ProcessorName>,
    standings: Mutex<Vec<Standing>>,
    /// Bumped whenever somebody who could not go before might go now.
    changes: Changes,
    /// Somebody asked for a permit in vain since the last change: without it, every
    /// ended attempt would wake every lane.
    wanted: AtomicBool,
    /// A bit for each processor from which this process stands back.
    standing_back: AtomicU8,
    /// Bumped whenever that changed.
    shifts: AtomicU64,
}

impl Board {
    /// A board for these processors, cheapest first, on which all are fine.
    pub fn new(config: BoardConfig, names: Vec<ProcessorName>) -> Arc<Self> {
        let now = Instant::now();
        let standings = names.iter();
        let standings = standings.map(|_| Standing::new(&config, now)).collect();
        let changes = Changes::default();
        Arc::new(Self {
            config,
            names,
            standings: Mutex::new(standings),
            changes,
            wanted: AtomicBool::new(false),
            standing_back: AtomicU8::new(0),
            shifts: AtomicU64::new(0),
        })
    }

    /// Every rank, cheapest first.
    pub fn ranks(&self) -> impl DoubleEndedIterator<Item = Rank> + use<> {
        (0..self.names.len()).map(Rank::new)
    }

    /// The name of the processor at a rank.
    pub fn name(&self, rank: Rank) -> &ProcessorName {
        &self.names[rank.index()]
    }

    /// The rank of a processor, if it is configured.
    pub fn rank(&self, name: &ProcessorName) -> Option<Rank> {
        self.names
            .iter()
            .position(|known| known == name)
            .map(Rank::new)
    }

    /// The changes after which somebody who had to wait might go.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// What is believed of a processor.
    pub fn condition(&self, rank: Rank, now: Instant) -> Condition {
        self.standings()[rank.index()].condition(&self.config, now)
    }

    /// What an attempt started now is expected to take there.
    pub fn expected_latency(&self, rank: Rank, now: Instant) -> Duration {
        self.standings()[rank.index()].expected_latency(now)
    }

    /// How many attempts are in flight there.
    pub fn in_flight(&self, rank: Rank) -> usize {
        self.standings()[rank.index()].in_flight()
    }

    /// A permit for an attempt, if one is free.
    pub fn try_start(self: &Arc<Self>, rank: Rank, now: Instant) -> Option<Permit> {
        let flight = self.standings()[rank.index()].start(&self.config, now);
        self.permit(rank, flight, false)
    }

    /// A permit for a probe of a processor that is not fine, if one is due and free.
    pub fn try_probe(self: &Arc<Self>, rank: Rank, now: Instant, need: Need) -> Option<Permit> {
        let flight = self.standings()[rank.index()].start_probe(&self.config, now, need);
        self.permit(rank, flight, true)
    }

    /// When a permit refused now might be had just because time has passed, if ever.
    pub fn next_chance(&self, rank: Rank, now: Instant, need: Need) -> Option<Instant> {
        self.standings()[rank.index()].next_chance(&self.config, now, need)
    }

    /// Whether its last look-up had a usable answer.
    pub fn answers_look_ups(&self, rank: Rank) -> bool {
        self.standings()[rank.index()].answers_look_ups()
    }

    /// Notes whether a look-up there had a usable answer.
    pub fn looked_up(&self, rank: Rank, answered: bool) {
        let now = Instant::now();
        let interval = self.config.probe_interval;
        let is_news = {
            let mut standings = self.standings();
            let standing = &mut standings[rank.index()];
            let is_news = standing.clarity().looked_up(answered, interval, now);
            if is_news {
                standing.hurry(now);
            }
            is_news
        };
        if is_news {
            self.announce();
        }
    }

    /// Counts a payment as one that the processor has seen and that may be posted there again,
    /// until the returned tie is dropped.
    pub fn tie(self: &Arc<Self>, rank: Rank) -> Tie {
        self.standings()[rank.index()].clarity().tie();
        Tie {
            board: Arc::clone(self),
            rank,
        }
    }

    /// Takes in what the leader was told at `asked`. Reports older than 15 s are ignored.
    pub fn report(&self, rank: Rank, failing: bool, min_response_time: Duration, asked: Instant) {
        let now = Instant::now();
        let changed = {
            let mut standings = self.standings();
            let standing = &mut standings[rank.index()];
            let before = standing.condition(&self.config, now);
            let changed = standing.report(failing, min_response_time, asked, &self.config, now);
            let after = standing.condition(&self.config, now);
            if before != after {
                info!(processor = %self.name(rank), ?before, ?after, "the leader's report changed what is known of a processor");
            }
            changed
        };
        if changed {
            self.announce();
        }
    }

    fn permit(self: &Arc<Self>, rank: Rank, flight: Option<Flight>, probe: bool) -> Option<Permit> {
        let Some(flight) = flight else {
            self.wanted.store(true, Ordering::Relaxed);
            return None;
        };
        Some(Permit {
            board: Arc::clone(self),
            rank,
            flight,
            probe,
            ended: None,
        })
    }

    fn end(&self, permit: &Permit) {
        let now = Instant::now();
        let opened_or_closed = {
            let mut standings = self.standings();
            let standing = &mut standings[permit.rank.index()];
            standing.end(permit.flight, permit.probe, permit.ended, &self.config, now)
        };
        if opened_or_closed {
            let condition = self.condition(permit.rank, now);
            info!(processor = %self.name(permit.rank), ?condition, "the breaker changed");
        }
        if self.wanted.swap(false, Ordering::Relaxed) || opened_or_closed {
            self.announce();
        }
    }

    fn announce(&self) {
        self.changes.announce();
    }

    fn standings(&self) -> MutexGuard<'_, Vec<Standing>> {
        // No code that holds the lock can panic half-way through a change.
        self.standings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to one attempt at one processor. It ends when it is dropped; without
/// [`Permit::ended`] nothing is learnt from it.
#[derive(Debug)]
pub struct Permit {
    board: Arc<Board>,
    rank: Rank,
    flight: Flight,
    probe: bool,
    ended: Option<Ended>,
}

impl Permit {
    /// Where to.
    pub fn rank(&self) -> Rank {
        self.rank
    }

    /// Whether its attempt finds out for all others if they may go.
    pub fn is_probe(&self) -> bool {
        self.probe
    }

    /// The number of its attempt.
    pub fn flight(&self) -> Flight {
        self.flight
    }

    /// Whether a payment would still be sent there: its processor is fine and takes what
    /// comes, as it did when the permit was given. A probe is for one that does not.
    pub fn is_worth_using(&self, now: Instant) -> bool {
        let mut standings = self.board.standings();
        let standing = &mut standings[self.rank.index()];
        !standing.retreat().is_on() && (self.probe || standing.is_flowing(&self.board.config, now))
    }

    /// Gives the permit back with what became of the attempt.
    pub fn ended(mut self, ended: Ended) {
        self.ended = Some(ended);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let board = Arc::clone(&self.board);
        board.end(self);
    }
}

/// A payment that its processor has seen and that may be posted there again.
#[derive(Debug)]
pub struct Tie {
    board: Arc<Board>,
    rank: Rank,
}

impl Drop for Tie {
    fn drop(&mut self) {
        let was_last = self.board.standings()[self.rank.index()].clarity().untie();
        // A payment that the processor never saw may probe it now.
        if was_last && self.board.wanted.swap(false, Ordering::Relaxed) {
            self.board.announce();
        }
    }
}

#[cfg(test)]
mod tests;
