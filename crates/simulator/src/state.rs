use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use feeway_domain::{Fee, ProcessorName};

use crate::asks::Asks;
use crate::books::Books;
use crate::chaos::{Chaos, Fortune};
use crate::config::SimulatorConfig;
use crate::dice::Probability;
use crate::door::Gate;
use crate::health_window::HealthWindow;
use crate::permits::Permits;
use crate::rules::Rules;
use crate::seen::Seen;
use crate::stats::Stats;
use crate::switches::Switches;

/// All that the requests of one simulator share. No lock is held across an await.
pub(crate) struct State {
    pub(crate) name: ProcessorName,
    pub(crate) fee: Fee,
    pub(crate) permits: Permits,
    pub(crate) health_window: HealthWindow,
    pub(crate) switches: Switches,
    pub(crate) gate: Gate,
    books: Mutex<Books>,
    asks: Mutex<Asks>,
    stats: Mutex<Stats>,
    fortune: Mutex<Fortune>,
    rules: Mutex<Arc<Rules>>,
    seen: Mutex<Seen>,
}

impl State {
    pub(crate) fn new(config: SimulatorConfig) -> Self {
        let mut seen = Seen::default();
        if !config.rules.is_faithful() {
            seen.begin();
        }
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            name: config.name,
            fee: config.fee,
            permits: Permits::new(count(config.permits), count(config.queue)),
            health_window: HealthWindow::new(),
            switches: Switches::new(config.delay_ms, config.failing, config.token),
            gate: Gate::default(),
            books: Mutex::default(),
            asks: Mutex::default(),
            stats: Mutex::new(Stats::new(unix_second())),
            fortune: Mutex::default(),
            rules: Mutex::new(Arc::new(config.rules)),
            seen: Mutex::new(seen),
        }
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        lock(&self.books)
    }

    pub(crate) fn asks(&self) -> MutexGuard<'_, Asks> {
        lock(&self.asks)
    }

    pub(crate) fn stats(&self) -> MutexGuard<'_, Stats> {
        lock(&self.stats)
    }

    pub(crate) fn fortune(&self) -> MutexGuard<'_, Fortune> {
        lock(&self.fortune)
    }

    /// The rules in force.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&lock(&self.rules))
    }

    /// Puts rules in force, in the place of all that there were.
    pub(crate) fn set_rules(&self, rules: Rules) {
        tracing::info!(processor = %self.name, rules = %rules.document(), "rules set");
        self.seen().begin();
        *lock(&self.rules) = Arc::new(rules);
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }

    /// Puts chaos settings in force, and returns when the listening socket obeys them.
    pub(crate) async fn set_chaos(&self, chaos: Chaos, reseed: bool) {
        self.fortune().set(chaos, reseed);
        tracing::info!(processor = %self.name, ?chaos, "chaos set");
        self.gate
            .set_refusing(chaos.refuse == Probability::ALWAYS)
            .await;
    }

    /// Empties the books, and forgets which requests there were for each id.
    pub(crate) fn purge(&self) {
        self.seen().clear();
        let old = std::mem::take(&mut *self.books());
        tracing::info!(processor = %self.name, payments = old.len(), "purged");
    }
}

/// A panic while a lock is held is a bug that is reported where it happens; the others go on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Microseconds since 1970.
pub(crate) fn unix_micros() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Seconds since 1970.
pub(crate) fn unix_second() -> i64 {
    unix_micros() / 1_000_000
}
