mod resolutions;
mod steps;

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use feeway_books::recent::Recent;
use feeway_domain::{CorrelationId, Entry, Hold, Store, StoreFault};
use feeway_memory_store::{Acknowledged, MemoryStore};
use feeway_worker::Sabotage;
use tokio::sync::{RwLock, RwLockReadGuard};
use tokio::time::{Instant, sleep, timeout};

use crate::gate::Gate;
use crate::weather::{Fate, Weather};

/// When a command counts as lost, as in the product.
const COMMAND_TIMEOUT: Duration = Duration::from_millis(700);

/// How long a command waits for a connection, as in the product.
const CHECKOUT: Duration = Duration::from_millis(250);

/// Which life of the store a front's connection leads to.
struct Link {
    run: u64,
    /// The life that was found last, and from when on it can be connected to.
    found: (u64, Instant),
}

/// One front's way to the store.
#[derive(Clone)]
pub(crate) struct UnreliableStore {
    inner: MemoryStore,
    weather: Weather,
    gate: Gate,
    /// Held for reading while a command is under way, and for writing while what the store may
    /// have forgotten is repeated.
    link: Arc<RwLock<Link>>,
    /// The life that the connection leads to, and the one that was found last.
    linked: Arc<AtomicU64>,
    found: Arc<AtomicU64>,
    memory: Arc<Recent<Acknowledged>>,
    /// As the last heartbeat had them.
    holds: Arc<Mutex<Vec<Hold>>>,
    /// What the next reading of a queue finds, instead of what is there.
    stale_page: Arc<Mutex<Option<Vec<Entry>>>>,
}

impl UnreliableStore {
    pub(crate) fn new(inner: MemoryStore, weather: Weather, gate: Gate) -> Self {
        let run = weather.lapses();
        let link = Link {
            run,
            found: (run, Instant::now()),
        };
        Self {
            inner,
            weather,
            gate,
            link: Arc::new(RwLock::new(link)),
            linked: Arc::new(AtomicU64::new(run)),
            found: Arc::new(AtomicU64::new(run)),
            memory: Arc::default(),
            holds: Arc::default(),
            stale_page: Arc::default(),
        }
    }

    /// Makes the next reading of a queue find this.
    pub(crate) fn find_stale(&self, page: Vec<Entry>) {
        *self.stale_page.lock().unwrap() = Some(page);
    }

    /// Whatever the store acknowledges is on its disk.
    pub(crate) fn never_forgets(&self) {
        self.memory.set_forgetful_for(Duration::ZERO);
    }

    /// Payments of which this front alone may know something that the store has forgotten, if it
    /// forgot everything since then.
    pub(crate) fn remembered_since(&self, instant: Instant) -> Vec<CorrelationId> {
        let since = self.memory.since(instant);
        since.iter().filter_map(Acknowledged::id).collect()
    }

    /// Payments of which it has something to repeat.
    pub(crate) fn owed(&self) -> Vec<CorrelationId> {
        let run = self.weather.lapses();
        if self.linked.load(Ordering::Relaxed) == run {
            return Vec::new();
        }
        if self.found.load(Ordering::Relaxed) != run {
            return self.remembered_since(self.weather.dawn());
        }
        let owed = self.memory.owed(usize::MAX);
        owed.iter().filter_map(|owed| owed.write.id()).collect()
    }

    /// A connection to the present life of the store, to which everything was repeated.
    async fn linked(&self) -> Result<RwLockReadGuard<'_, Link>, StoreFault> {
        loop {
            let link = self.link.read().await;
            if link.run == self.weather.lapses() {
                return Ok(link);
            }
            drop(link);
            self.repeat(&mut *self.link.write().await).await?;
        }
    }

    /// Writes again what the store may have forgotten. It may end after any of it.
    async fn repeat(&self, link: &mut Link) -> Result<(), StoreFault> {
        let run = self.weather.lapses();
        if link.run == run {
            return Ok(());
        }
        if link.found.0 != run {
            link.found = (run, Instant::now() + self.weather.way_back());
            self.memory.owe();
            self.found.store(run, Ordering::Relaxed);
        }
        if Instant::now() < link.found.1 {
            sleep(Duration::from_millis(1)).await;
            return Err(StoreFault::Away);
        }
        while let Some(owed) = self.memory.owed(1).pop() {
            self.gate.pass().await;
            let Fate::Done { after } = self.weather.fate_of_repetition() else {
                return Err(StoreFault::Away);
            };
            sleep(after / 2).await;
            if self.weather.lapses() != run {
                return Err(StoreFault::Away);
            }
            let generation = owed.generation.unwrap_or_default();
            self.inner.replay(&owed.write, generation);
            sleep(after / 2).await;
            self.gate.pass().await;
            if self.weather.lapses() != run {
                return Err(StoreFault::Away);
            }
            if self.weather.is_late_since(link.run) {
                self.weather.excuse(owed.write.id());
            }
            self.memory.repeated(1);
            if Sabotage::RepeatOnce.is_on() {
                self.memory.forget_repeated();
            }
        }
        // Tells at once that nobody has to wait for us.
        let holds = self.holds.lock().unwrap().clone();
        self.inner.repeated_in(run).beat(&holds).await?;
        link.run = run;
        self.linked.store(run, Ordering::Relaxed);
        Ok(())
    }

    async fn call<T, F, O>(
        &self,
        operation: O,
        acknowledged: impl FnOnce(&T) -> Option<Acknowledged> + Send,
    ) -> Result<T, StoreFault>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreFault>> + Send + 'static,
        O: FnOnce(MemoryStore) -> F + Send + 'static,
    {
        self.gate.pass().await;
        let link = match timeout(CHECKOUT, self.linked()).await {
            Ok(Ok(link)) => link,
            Ok(Err(_)) | Err(_) => {
                self.gate.pass().await;
                return Err(StoreFault::Away);
            }
        };
        let run = link.run;
        let result = match self.weather.fate() {
            Fate::Away => {
                sleep(Duration::from_millis(1)).await;
                Err(StoreFault::Away)
            }
            Fate::Lost { carried_out } => {
                if let Some(delay) = carried_out {
                    let (inner, weather) = (self.inner.clone(), self.weather.clone());
                    tokio::spawn(async move {
                        sleep(delay).await;
                        // What was on its way ends with the store's life.
                        if weather.lapses() == run {
                            operation(inner.repeated_in(run))
                                .await
                                .map(drop)
                                .unwrap_or_default();
                        }
                    });
                }
                sleep(COMMAND_TIMEOUT).await;
                Err(StoreFault::Unknown)
            }
            Fate::Done { after } => {
                sleep(after / 2).await;
                if self.weather.lapses() == run {
                    let result = operation(self.inner.repeated_in(run)).await;
                    let generation = self.inner.generation();
                    let write = result.as_ref().ok().and_then(acknowledged);
                    sleep(after / 2).await;
                    if self.weather.lapses() == run {
                        if result.is_ok() {
                            self.memory.answered(write, Some(generation));
                        }
                        result
                    } else {
                        // The connection broke before the reply came.
                        Err(StoreFault::Unknown)
                    }
                } else {
                    Err(StoreFault::Unknown)
                }
            }
        };
        drop(link);
        self.gate.pass().await;
        result
    }
}

/// For a command that writes nothing, or nothing that has to be written again.
fn nothing<T>(_: &T) -> Option<Acknowledged> {
    None
}
