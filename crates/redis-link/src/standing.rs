use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::library::MissingFunctions;

/// Which of the two pools a connection belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Journal and ledger writes, leases.
    Writes,
    /// Summaries and look-ups, which a flood of writes must not delay.
    Reads,
}

/// Redis holds data of a schema that this build does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Redis holds data of schema {found:?}; this program supports only {known:?}")]
pub struct SchemaError {
    /// The schema Redis names.
    pub found: String,
    /// The schema this build knows.
    pub known: &'static str,
}

/// Why a Redis is of no use for this program, until a person changes that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Its data is of another schema.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// It lacks functions.
    #[error(transparent)]
    Functions(#[from] MissingFunctions),
}

/// What keeps a program from using Redis now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Why.
    pub why: String,
    /// Whether a Redis answers at all.
    pub answers: bool,
}

/// Whether Redis can be reached, as one process knows it, and whoever waits to hear of it.
pub(crate) struct Standing {
    state: Mutex<State>,
    restarts: watch::Sender<u64>,
    ready: watch::Sender<Option<Result<(), Unusable>>>,
    /// Told whenever a connection has to be made anew.
    pub(crate) broken: Notify,
}

struct State {
    /// The number of the current connection of each pool; none while it has none.
    writes: Option<u64>,
    reads: Option<u64>,
    next: u64,
    up: bool,
    /// Since when it is away, if it was there or was looked for and not found.
    away_since: Option<Instant>,
    ever_up: bool,
    /// The reasons that were told since it is away.
    told: Vec<String>,
    /// The last reason, whether it was told or not.
    trouble: Option<Trouble>,
    /// Whether it does not let us in, and that was told.
    refused: bool,
}

/// Reasons told of one absence: each once, however they take turns.
const REASONS_TOLD: usize = 8;

impl State {
    fn connection(&mut self, lane: Lane) -> &mut Option<u64> {
        match lane {
            Lane::Writes => &mut self.writes,
            Lane::Reads => &mut self.reads,
        }
    }
}

impl Standing {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                writes: None,
                reads: None,
                next: 0,
                up: false,
                away_since: None,
                ever_up: false,
                told: Vec::new(),
                trouble: None,
                refused: false,
            }),
            restarts: watch::Sender::new(0),
            ready: watch::Sender::new(None),
            broken: Notify::new(),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under this lock")
    }

    pub(crate) fn is_up(&self) -> bool {
        self.state().up
    }

    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.state().trouble.clone()
    }

    pub(crate) fn restarts(&self) -> watch::Receiver<u64> {
        self.restarts.subscribe()
    }

    /// A number for a connection about to be made.
    pub(crate) fn number(&self) -> u64 {
        let mut state = self.state();
        state.next += 1;
        state.next
    }

    /// A pool has a connection; `forgetful` when it leads to another run of Redis than the
    /// one before.
    pub(crate) fn connected(&self, lane: Lane, number: u64, forgetful: bool) {
        let mut state = self.state();
        *state.connection(lane) = Some(number);
        let back = !state.up && state.writes.is_some() && state.reads.is_some();
        if back {
            state.up = true;
            state.refused = false;
            let away = state.away_since.take().map(|since| since.elapsed());
            state.told.clear();
            state.trouble = None;
            info!(
                away_ms = away.unwrap_or(Duration::ZERO).as_millis(),
                "connected to Redis"
            );
        }
        if state.ever_up && (back || forgetful) {
            self.restarts.send_modify(|count| *count += 1);
        }
        state.ever_up |= back;
    }

    /// A connection has ended. Of one that was replaced already it says nothing.
    pub(crate) fn disconnected(&self, lane: Lane, number: u64, why: &str) {
        let mut state = self.state();
        if *state.connection(lane) == Some(number) {
            *state.connection(lane) = None;
            away(&mut state, why, false);
        }
        drop(state);
        self.broken.notify_one();
    }

    /// No connection could be made, or Redis answers but cannot be used.
    pub(crate) fn unreachable(&self, lane: Lane, why: &str, answers: bool) {
        let mut state = self.state();
        *state.connection(lane) = None;
        away(&mut state, why, answers);
    }

    /// It answered and rejected our credentials: an operator has to correct them.
    pub(crate) fn refused(&self, lane: Lane, why: &str) {
        let mut state = self.state();
        *state.connection(lane) = None;
        state.up = false;
        state.away_since.get_or_insert_with(Instant::now);
        state.trouble = Some(Trouble {
            why: why.to_owned(),
            answers: true,
        });
        if !state.refused {
            state.refused = true;
            error!(why, "Redis rejected the credentials");
        }
    }

    /// Functions and schema are in order, or not such as this program could use.
    pub(crate) fn prepared(&self, result: Result<(), Unusable>) {
        self.ready.send_if_modified(|ready| {
            let news = ready.as_ref() != Some(&result);
            if news {
                if let Err(error) = &result {
                    error!(%error, "cannot use Redis");
                }
                *ready = Some(result);
            }
            news
        });
    }

    /// Waits for the first connection that is in order.
    pub(crate) async fn ready(&self) -> Result<(), Unusable> {
        let mut ready = self.ready.subscribe();
        let known = ready.wait_for(Option::is_some).await;
        let known = known.expect("the sender lives as long as self");
        known.clone().expect("waited for some")
    }
}

fn away(state: &mut State, why: &str, answers: bool) {
    state.up = false;
    state.away_since.get_or_insert_with(Instant::now);
    state.trouble = Some(Trouble {
        why: why.to_owned(),
        answers,
    });
    // It may come back and still not be of use: its data is loading, our functions are
    // refused. Whoever reads the log should see the last obstacle, not the first alone.
    let is_news = !state.told.iter().any(|told| told == why);
    if is_news && state.told.len() < REASONS_TOLD {
        state.told.push(why.to_owned());
        warn!(why, "no connection to Redis");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_up_when_both_pools_are_and_counts_returns() {
        let standing = Standing::new();
        let restarts = standing.restarts();
        standing.unreachable(Lane::Writes, "refused", false);
        standing.connected(Lane::Writes, 1, false);
        assert!(!standing.is_up());
        standing.connected(Lane::Reads, 2, false);
        assert!(standing.is_up());
        assert_eq!(*restarts.borrow(), 0, "the first time is no return");
        standing.disconnected(Lane::Reads, 2, "lost");
        assert!(!standing.is_up());
        standing.connected(Lane::Reads, 3, false);
        assert_eq!((standing.is_up(), *restarts.borrow()), (true, 1));
        standing.connected(Lane::Writes, 4, true);
        assert_eq!(
            *restarts.borrow(),
            2,
            "another run counts though it was never away"
        );
    }

    #[test]
    fn each_reason_for_an_absence_is_told_once_and_again_in_the_next() {
        let standing = Standing::new();
        let told = || standing.state().told.clone();
        for why in ["refused", "no functions", "refused", "no functions"] {
            standing.unreachable(Lane::Writes, why, true);
        }
        assert_eq!(told(), ["refused", "no functions"]);
        for number in 0..100 {
            standing.unreachable(Lane::Reads, &number.to_string(), true);
        }
        assert_eq!(told().len(), REASONS_TOLD);
        standing.connected(Lane::Writes, 1, false);
        standing.connected(Lane::Reads, 2, false);
        assert!(told().is_empty());
        standing.disconnected(Lane::Reads, 2, "refused");
        assert_eq!(told(), ["refused"]);
    }

    #[test]
    fn the_end_of_a_replaced_connection_is_no_news() {
        let standing = Standing::new();
        standing.connected(Lane::Writes, 1, false);
        standing.connected(Lane::Reads, 2, false);
        standing.connected(Lane::Writes, 3, false);
        standing.disconnected(Lane::Writes, 1, "late");
        assert!(standing.is_up());
    }
}
