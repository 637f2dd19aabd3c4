use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use feeway_domain::{
    Accept, Adopt, Beat, CorrelationId, Entry, Hold, Incarnation, Payment, PaymentState,
    ProcessorName, Purge, Reject, Rename, Settle, Settlement, Store, StoreFault, Summary, Window,
};
use feeway_store::MemoryStore;
use tokio::time::{Instant, sleep};

use crate::gate::Gate;

/// When a command counts as lost, as in the product.
const COMMAND_TIMEOUT: Duration = Duration::from_millis(700);

/// How long a front remembers what it was told is written.
const REMEMBERED: Duration = Duration::from_secs(3);

/// What the store does to those who use it.
#[derive(Clone)]
pub(crate) struct Weather(Arc<Mutex<Sky>>);

struct Sky {
    away: bool,
    late: bool,
    /// How often it forgot.
    lapses: u64,
    rng: fastrand::Rng,
}

/// What becomes of one command.
enum Fate {
    Away,
    Done {
        after: Duration,
    },
    /// No reply; carried out after this long, if at all.
    Lost {
        carried_out: Option<Duration>,
    },
}

impl Weather {
    pub(crate) fn fair(seed: u64) -> Self {
        let rng = fastrand::Rng::with_seed(seed);
        Self(Arc::new(Mutex::new(Sky {
            away: false,
            late: false,
            lapses: 0,
            rng,
        })))
    }

    pub(crate) fn set_away(&self, away: bool) {
        self.0.lock().unwrap().away = away;
    }

    pub(crate) fn set_late(&self, late: bool) {
        self.0.lock().unwrap().late = late;
    }

    pub(crate) fn forgot(&self) {
        self.0.lock().unwrap().lapses += 1;
    }

    fn lapses(&self) -> u64 {
        self.0.lock().unwrap().lapses
    }

    fn fate(&self) -> Fate {
        let mut sky = self.0.lock().unwrap();
        let (away, late) = (sky.away, sky.late);
        let rng = &mut sky.rng;
        let dice = rng.u8(..100);
        let latency = Duration::from_micros(rng.u64(50..900));
        let delay = Duration::from_millis(rng.u64(..8_000));
        if away {
            match dice {
                0..10 => Fate::Lost { carried_out: None },
                _ => Fate::Away,
            }
        } else if late {
            match dice {
                0..20 => Fate::Lost {
                    carried_out: Some(delay),
                },
                20..30 => Fate::Lost {
                    carried_out: Some(Duration::ZERO),
                },
                30..35 => Fate::Lost { carried_out: None },
                _ => Fate::Done {
                    after: latency * 100,
                },
            }
        } else {
            Fate::Done { after: latency }
        }
    }
}

type Replay = Arc<dyn Fn(MemoryStore) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// One front's way to the store.
#[derive(Clone)]
pub(crate) struct UnreliableStore {
    inner: MemoryStore,
    weather: Weather,
    gate: Gate,
    memory: Arc<Mutex<Remembered>>,
}

struct Remembered {
    lapses: u64,
    writes: Vec<(Instant, Replay)>,
}

impl UnreliableStore {
    pub(crate) fn new(inner: MemoryStore, weather: Weather, gate: Gate) -> Self {
        let memory = Remembered {
            lapses: weather.lapses(),
            writes: Vec::new(),
        };
        Self {
            inner,
            weather,
            gate,
            memory: Arc::new(Mutex::new(memory)),
        }
    }

    /// Writes again what the store may have forgotten.
    pub(crate) async fn replay(&self) {
        let writes = {
            let mut memory = self.memory.lock().unwrap();
            let lapses = self.weather.lapses();
            if memory.lapses == lapses {
                return;
            }
            memory.lapses = lapses;
            memory.writes.retain(|(at, _)| at.elapsed() < REMEMBERED);
            memory.writes.clone()
        };
        for (_, write) in writes {
            write(self.inner.clone()).await;
        }
    }

    fn remember(&self, replay: Option<Replay>) {
        let Some(replay) = replay else { return };
        let mut memory = self.memory.lock().unwrap();
        memory.writes.retain(|(at, _)| at.elapsed() < REMEMBERED);
        memory.writes.push((Instant::now(), replay));
    }

    async fn call<T, F, O>(&self, operation: O, replay: Option<Replay>) -> Result<T, StoreFault>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreFault>> + Send + 'static,
        O: FnOnce(MemoryStore) -> F + Send + 'static,
    {
        self.gate.pass().await;
        self.replay().await;
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
                let result = operation(self.inner.clone()).await;
                sleep(after / 2).await;
                if result.is_ok() {
                    self.remember(replay);
                }
                result
            }
        };
        self.gate.pass().await;
        result
    }
}

impl Store for UnreliableStore {
    async fn enlist(&self, incarnation: &Incarnation) -> Result<Hold, StoreFault> {
        let incarnation = incarnation.clone();
        self.call(
            |inner| async move { inner.enlist(&incarnation).await },
            None,
        )
        .await
    }

    async fn accept(
        &self,
        hold: &Hold,
        payment: &Payment,
        processor: Option<&ProcessorName>,
    ) -> Result<Accept, StoreFault> {
        let (hold, payment, processor) = (hold.clone(), *payment, processor.cloned());
        let accept = move |inner: MemoryStore| async move {
            inner.accept(&hold, &payment, processor.as_ref()).await
        };
        self.call(accept, None).await
    }

    async fn rename(
        &self,
        hold: &Hold,
        id: CorrelationId,
        moves: u32,
        to: &ProcessorName,
    ) -> Result<Rename, StoreFault> {
        let (hold, to) = (hold.clone(), to.clone());
        let rename =
            move |inner: MemoryStore| async move { inner.rename(&hold, id, moves, &to).await };
        self.call(rename, None).await
    }

    async fn settle(&self, settlement: &Settlement) -> Result<Settle, StoreFault> {
        let settlement = settlement.clone();
        self.call(|inner| async move { inner.settle(&settlement).await }, None)
            .await
    }

    async fn reject(
        &self,
        hold: &Hold,
        payment: &Payment,
        why: &str,
    ) -> Result<Reject, StoreFault> {
        let (hold, payment, why) = (hold.clone(), *payment, why.to_owned());
        self.call(
            move |inner| async move { inner.reject(&hold, &payment, &why).await },
            None,
        )
        .await
    }

    async fn beat(&self, holds: &[Hold]) -> Result<Beat, StoreFault> {
        let holds = holds.to_vec();
        self.call(|inner| async move { inner.beat(&holds).await }, None)
            .await
    }

    async fn resign(&self, hold: &Hold) -> Result<(), StoreFault> {
        let hold = hold.clone();
        self.call(|inner| async move { inner.resign(&hold).await }, None)
            .await
    }

    async fn adopt(&self, owner: &Incarnation, holder: &Incarnation) -> Result<Adopt, StoreFault> {
        let (owner, holder) = (owner.clone(), holder.clone());
        self.call(
            |inner| async move { inner.adopt(&owner, &holder).await },
            None,
        )
        .await
    }

    async fn discharge(&self, hold: &Hold) -> Result<bool, StoreFault> {
        let hold = hold.clone();
        self.call(|inner| async move { inner.discharge(&hold).await }, None)
            .await
    }

    async fn queued(
        &self,
        owner: &Incarnation,
        after: Option<&Entry>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreFault> {
        let (owner, after) = (owner.clone(), after.cloned());
        let queued = move |inner: MemoryStore| async move {
            inner.queued(&owner, after.as_ref(), limit).await
        };
        self.call(queued, None).await
    }

    async fn summary(&self, window: Window) -> Result<Summary, StoreFault> {
        self.call(
            move |inner| async move { inner.summary(window).await },
            None,
        )
        .await
    }

    async fn find(&self, id: CorrelationId) -> Result<Option<PaymentState>, StoreFault> {
        self.call(move |inner| async move { inner.find(id).await }, None)
            .await
    }

    async fn purge(&self) -> Result<Purge, StoreFault> {
        self.call(|inner| async move { inner.purge().await }, None)
            .await
    }
}
