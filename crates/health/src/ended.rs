//! What is asked of a processor's standing, and what it is told.

use std::time::Duration;

/// The number of an attempt at one processor, in the order of their starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flight(pub(crate) u64);

/// How an attempt ended, as far as the processor's standing is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It answered as a working processor does: held, or refused this payment alone.
    Answered,
    /// It refused, after as long as an answer takes now.
    Failed {
        /// The last attempt of the same payment that it refused. If it answered others since,
        /// then this says something about the payment alone.
        earlier: Option<Flight>,
    },
    /// No connection could be made, so nothing was sent. It says nothing of its latency.
    Unreachable,
    /// It broke off or gave an answer that promises nothing.
    Broken,
    /// It gave no answer in time, which speaks of the time when it was asked.
    TimedOut,
    /// Its answer sounds like a yes, and only a look-up could confirm it.
    Unconfirmed,
    /// It has too much to do.
    Overloaded {
        /// How long it asks us to wait.
        retry_after: Option<Duration>,
        /// As in [`Ended::Failed`].
        earlier: Option<Flight>,
    },
}

/// Who asks for a probe, and whether payments have another processor to go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A payment that this processor never saw; another is fine, or may be waited for.
    Plain,
    /// A payment that this processor never saw; none is fine, and nobody knows for how long.
    Dire,
    /// A payment that this processor has seen, and that can go nowhere else now.
    Tied,
}
