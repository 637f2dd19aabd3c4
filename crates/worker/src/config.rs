use std::sync::Arc;
use std::time::Duration;

use feeway_domain::{Processor, ProcessorName, Standstill};
use feeway_jobs::clock::Clock;
use feeway_jobs::dispatcher::Dispatch;

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
