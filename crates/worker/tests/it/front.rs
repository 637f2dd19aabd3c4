use std::sync::Arc;
use std::time::Duration;

use feeway_domain::{CLOCK_SLIP, Fee, Processor, ProcessorName, RequestedAt, Standstill};
use feeway_health::{Board, BoardConfig};
use feeway_memory_store::MemoryStore;
use feeway_worker::{Clock, Dispatch, Gateway, IntakeMode, Worker, WorkerConfig, start};
use tokio::time::Instant;

use crate::gate::Gate;
use crate::line::Line;
use crate::moving::Address;
use crate::scripted_processor::{Life, ScriptedProcessor};
use crate::unreliable_store::UnreliableStore;
use crate::weather::Weather;

/// 2025-07-01T00:00:00Z, when every run begins.
pub(crate) const DAWN_MICROS: i64 = 1_751_328_000_000_000;

/// How long after the last answer a look-up counts, as in the product.
pub(crate) const ABSENCE_AFTER: Duration = Duration::from_secs(15);

/// A front's place in the stack: it may be down, up, or up and paused.
pub(crate) struct Front {
    place: usize,
    pub(crate) lives: u32,
    skew_ms: i64,
    patience: Duration,
    pub(crate) catch_up: Duration,
    pub(crate) intake: IntakeMode,
    pub(crate) max_in_flight: usize,
    pub(crate) declines_are_final: bool,
    /// Where it finds each processor, and for which somebody vouches.
    pub(crate) addresses: [Address; 2],
    pub(crate) vouched: Option<ProcessorName>,
    pub(crate) gate: Gate,
    pub(crate) standstill: Arc<Standstill>,
    /// Whether the store may forget what it acknowledged; else it is on its disk before.
    pub(crate) is_store_forgetful: bool,
    worker: Option<Worker<UnreliableStore, Line>>,
    pub(crate) store: Option<UnreliableStore>,
}

impl Front {
    pub(crate) fn down(place: usize, patience: Duration, skew_ms: i64) -> Self {
        let gate = Gate::open();
        Self {
            place,
            lives: 0,
            skew_ms,
            patience,
            catch_up: Duration::from_secs(1),
            intake: IntakeMode::Durable,
            max_in_flight: 8,
            declines_are_final: false,
            addresses: [Address::FIRST; 2],
            vouched: None,
            gate,
            standstill: Arc::default(),
            is_store_forgetful: false,
            worker: None,
            store: None,
        }
    }

    pub(crate) fn gateway(&self) -> Option<Gateway<UnreliableStore, Line>> {
        self.worker.as_ref().map(Worker::gateway)
    }

    /// The life that it has, or had last.
    pub(crate) fn life(&self) -> Life {
        Life {
            front: self.place,
            number: self.lives,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.worker.is_some()
    }

    /// As after a SIGTERM.
    pub(crate) async fn drain(&mut self, limit: Duration) {
        if let Some(worker) = self.worker.take() {
            worker.drain(limit).await;
        }
    }

    /// Gives back what it knew of the store.
    pub(crate) fn crash(&mut self) -> Option<UnreliableStore> {
        self.gate.wall_up();
        self.worker = None;
        self.store.take()
    }

    /// It is told to stop: whoever gets its worker has to drain that.
    pub(crate) fn leave(
        &mut self,
    ) -> Option<(Worker<UnreliableStore, Line>, UnreliableStore, Gate)> {
        let worker = self.worker.take()?;
        // It may still crash, or be paused.
        let store = self.store.clone()?;
        Some((worker, store, self.gate.clone()))
    }

    pub(crate) fn start(
        &mut self,
        store: &MemoryStore,
        weather: &Weather,
        processors: &[ScriptedProcessor],
        dawn: Instant,
    ) {
        self.lives += 1;
        self.gate = Gate::open();
        let store = UnreliableStore::new(store.clone(), weather.clone(), self.gate.clone());
        if !self.is_store_forgetful {
            store.never_forgets();
        }
        self.store = Some(store.clone());
        let mut configured = configured();
        for (processor, address) in configured.iter_mut().zip(self.addresses) {
            processor.declines_are_final = self.declines_are_final;
            processor.url = address.url();
        }
        let board = Board::new(
            BoardConfig {
                max_latency: Duration::from_millis(1200),
                probe_interval: Duration::from_millis(200),
                max_in_flight: self.max_in_flight,
            },
            configured
                .iter()
                .map(|processor| processor.name.clone())
                .collect(),
        );
        let lines = processors
            .iter()
            .map(|processor| Line {
                processor: processor.clone(),
                life: self.life(),
                gate: self.gate.clone(),
            })
            .collect();
        let at = RequestedAt::from_micros(DAWN_MICROS + 1000 * self.skew_ms).expect("in 2025");
        let config = WorkerConfig {
            life: format!("front-{}.{}", self.place, self.lives),
            processors: configured,
            moved: self.vouched.iter().cloned().collect(),
            patience: self.patience,
            absence_after: ABSENCE_AFTER,
            clock_slip: CLOCK_SLIP,
            catch_up: self.catch_up,
            intake: self.intake,
            dispatch: Dispatch::RoundRobin,
            clock: Clock::Set { at, since: dawn },
            standstill: Arc::clone(&self.standstill),
        };
        self.worker = Some(start(config, store, lines, Arc::clone(&board)));
    }
}

/// The usual pair.
pub(crate) fn configured() -> Vec<Processor> {
    [("default", 50_000), ("fallback", 150_000)]
        .map(|(name, fee)| Processor {
            name: name.parse().expect("a good name"),
            url: Address::FIRST.url(),
            fee: Fee::from_millionths(fee).expect("a good fee"),
            declines_are_final: false,
        })
        .to_vec()
}
