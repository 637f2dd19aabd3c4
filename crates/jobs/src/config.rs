use std::sync::Arc;
use std::time::Duration;

use feeway_domain::{Processor, ProcessorName, Standstill};

use crate::clock::Clock;

/// How a worker behaves.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// The front's name and something that no other life of it ever had: incarnations are
    /// this and a number. Two lives with one would take each other's entries for their own.
    pub life: String,
    /// The processors, cheapest first, in the order of the board.
    pub processors: Vec<Processor>,
    /// Those of them of which an operator vouches that their ledger is the same as ever,
    /// whatever their URL is.
    pub moved: Vec<ProcessorName>,
    /// How long a payment waits for a failing cheap processor before it takes a dearer one.
    pub patience: Duration,
    /// How long after the answer to a payment's last attempt a look-up must be sent so that
    /// "not found" proves that the processor does not hold it.
    pub absence_after: Duration,
    /// How far the clock may be off by which a processor keeps a payment: what it says of the
    /// time of one is not believed beyond that.
    pub clock_slip: Duration,
    /// Over how long a backlog is sent when a processor works again; zero sends it as fast as
    /// it goes.
    pub catch_up: Duration,
    /// Whether 202 comes after or before the journal.
    pub intake: IntakeMode,
    /// How payments are dealt to lanes.
    pub dispatch: Dispatch,
    /// Where `requestedAt` comes from.
    pub clock: Clock,
    /// Says when nothing new may be started, and why.
    pub standstill: Arc<Standstill>,
}

/// When a payment is answered with 202.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntakeMode {
    /// Once it is in the journal.
    Durable,
    /// As soon as it is in memory, for up to 512 at a time; the journal follows. The next
    /// one is answered once it is in the journal.
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

/// Lanes of a worker. More would gain nothing on one thread: a lane never blocks.
pub(crate) const LANES: usize = 4;

/// Payments a lane has in hand, waiting or in flight, before its channel backs up.
pub const LANE_IN_HAND: usize = 512;

/// Payments a lane has in hand that are tied to a processor and rest. One in ten that are
/// declined at 5 000 a second are 3 750 on each of two fronts, in the 15 s until their absence
/// counts.
pub const LANE_TIED: usize = 2_048;

/// Payments in a lane's channel.
pub(crate) const LANE_CHANNEL: usize = 64;

/// Payments a front has in hand: 4 lanes × (512 + 64 + 2 048) = 10 496, and 2 304 whose
/// `accept` or settle is under way; at about 500 bytes each 6 MB. The rest waits in the journal.
pub const IN_HAND: usize = 12_800;

/// Look-ups of pinned payments that one lane has under way: 4 × 4 of the 800 permits
/// that a processor has.
pub const LANE_LOOKUPS: usize = 4;

/// Entries read from the journal at once.
pub const PAGE: usize = 256;
