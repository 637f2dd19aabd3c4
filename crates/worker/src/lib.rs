//! Takes a payment from acceptance to settlement: dispatcher, lanes, routing, pinning, adoption.

use std::time::Duration;

use feeway_domain::{Payment, Processor, ProcessorClient, Store};

/// How a worker behaves; every bound is here.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// The front's name, the first part of its incarnations.
    pub name: String,
    /// The processors, cheapest first.
    pub processors: Vec<Processor>,
    /// How long a payment waits for a failing cheap processor before it takes a dearer one.
    pub patience: Duration,
    /// A processor that takes longer is slow.
    pub max_latency: Duration,
    /// How often a processor whose breaker is open gets a real payment as a probe.
    pub probe_interval: Duration,
    /// Attempts in flight per processor.
    pub max_in_flight: usize,
    /// Whether 202 comes after or before the journal.
    pub intake: IntakeMode,
    /// How payments are dealt to lanes.
    pub dispatch: Dispatch,
}

/// When a payment is answered with 202.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntakeMode {
    /// Once it is in the journal.
    Durable,
    /// As soon as a lane has it in memory.
    Memory,
}

/// How payments are dealt to lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dispatch {
    /// Each lane has a channel of its own, filled in turn.
    RoundRobin,
    /// All lanes take from one channel behind a mutex.
    SharedPool,
}

/// Where payments come in. A clone is the same gateway.
pub struct Gateway<S: Store, C: ProcessorClient> {
    marker: std::marker::PhantomData<(S, C)>,
}

/// What became of a submitted payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submit {
    /// It is kept, now or from an earlier time.
    Kept,
    /// The same id is known with another amount.
    AmountDiffers,
    /// It was not kept; send it again later.
    NotKept(NotKept),
    /// Nobody knows whether it was kept; send the same id again.
    Unknown,
}

/// Why a payment was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotKept {
    /// The journal is away.
    StoreAway,
    /// The journal's memory is full, or as many payments are open as may be.
    JournalFull,
    /// This front is going down, or has too much in hand.
    Busy,
}

impl<S: Store, C: ProcessorClient> Gateway<S, C> {
    /// Accepts a payment. The journal write and the hand-over to a lane are not cut apart
    /// when the returned future is dropped.
    pub async fn submit(&self, payment: Payment) -> Submit {
        let _payment = payment;
        Submit::NotKept(NotKept::Busy)
    }
}

impl<S: Store, C: ProcessorClient> Clone for Gateway<S, C> {
    fn clone(&self) -> Self {
        Self {
            marker: self.marker,
        }
    }
}
