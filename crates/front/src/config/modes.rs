use clap::ValueEnum;
use feeway_worker::{Dispatch, IntakeMode};

/// When a payment is answered with 202.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum IntakeOption {
    /// Once it is in the journal: a front that dies loses nothing that it accepted.
    Durable,
    /// As soon as it is in the memory of this process, for up to 512 payments at a time, 0.1 ms
    /// earlier. A front that dies LOSES what it has accepted but not yet written into the journal:
    /// a few milliseconds of payments, or everything since the connection to Redis was lost. A
    /// repeated id with another amount may be answered with 202 and dropped.
    Memory,
}

/// How payments are dealt to lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DispatchOption {
    /// Each lane has a channel of its own, filled in turn.
    RoundRobin,
    /// All lanes take from one channel behind a mutex, for comparison.
    SharedPool,
}

impl From<IntakeOption> for IntakeMode {
    fn from(intake: IntakeOption) -> Self {
        match intake {
            IntakeOption::Durable => Self::Durable,
            IntakeOption::Memory => Self::Memory,
        }
    }
}

impl From<DispatchOption> for Dispatch {
    fn from(dealing: DispatchOption) -> Self {
        match dealing {
            DispatchOption::RoundRobin => Self::RoundRobin,
            DispatchOption::SharedPool => Self::SharedPool,
        }
    }
}
