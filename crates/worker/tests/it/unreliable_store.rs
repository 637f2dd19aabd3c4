mod resolutions;
mod steps;

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use feeway_domain::{Entry, StoreFault};
use feeway_store::{Acknowledged, MemoryStore};
use tokio::time::sleep;

use crate::gate::Gate;
use crate::remembered::Remembered;
use crate::weather::{Fate, Weather};

/// When a command counts as lost, as in the product.
const COMMAND_TIMEOUT: Duration = Duration::from_millis(700);

/// One front's way to the store.
#[derive(Clone)]
pub(crate) struct UnreliableStore {
    inner: MemoryStore,
    weather: Weather,
    gate: Gate,
    memory: Arc<Mutex<Remembered>>,
    /// What the next reading of a queue finds, instead of what is there.
    stale_page: Arc<Mutex<Option<Vec<Entry>>>>,
}

impl UnreliableStore {
    pub(crate) fn new(inner: MemoryStore, weather: Weather, gate: Gate) -> Self {
        let memory = Remembered::new(weather.lapses());
        Self {
            inner,
            weather,
            gate,
            memory: Arc::new(Mutex::new(memory)),
            stale_page: Arc::default(),
        }
    }

    /// Makes the next reading of a queue find this.
    pub(crate) fn find_stale(&self, page: Vec<Entry>) {
        *self.stale_page.lock().unwrap() = Some(page);
    }

    /// Writes again what the store may have forgotten.
    pub(crate) fn replay(&self) {
        let writes = self.memory.lock().unwrap().lapsed(self.weather.lapses());
        for (write, generation) in writes {
            self.inner.replay(&write, generation);
        }
    }

    fn remember(&self, write: Option<Acknowledged>, generation: u64) {
        let write = write.map(|write| (write, generation));
        self.memory.lock().unwrap().note(write);
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
        self.replay();
        let result = match self.weather.fate() {
            Fate::Away => {
                sleep(Duration::from_millis(1)).await;
                Err(StoreFault::Away)
            }
            Fate::Lost { carried_out } => {
                if let Some(delay) = carried_out {
                    let inner = self.inner.clone();
                    tokio::spawn(async move {
                        sleep(delay).await;
                        operation(inner).await.map(drop).unwrap_or_default();
                    });
                }
                sleep(COMMAND_TIMEOUT).await;
                Err(StoreFault::Unknown)
            }
            Fate::Done { after } => {
                sleep(after / 2).await;
                let lapses = self.weather.lapses();
                let result = operation(self.inner.clone()).await;
                let generation = self.inner.generation();
                sleep(after / 2).await;
                if lapses == self.weather.lapses() {
                    if let Ok(value) = &result {
                        self.remember(acknowledged(value), generation);
                    }
                    result
                } else {
                    // The connection broke before the reply came.
                    Err(StoreFault::Unknown)
                }
            }
        };
        self.gate.pass().await;
        result
    }
}

/// For a command that writes nothing, or nothing that has to be written again.
fn nothing<T>(_: &T) -> Option<Acknowledged> {
    None
}
