//! What one process believes about every processor, and the health messages that inform it.
//!
//! Does: the board (breaker, expected latency, permits and probes of each processor), and
//! the messages by which the leader's reports reach every board.
//!
//! Does not: ask a processor anything; that is the leader's work. Choose a processor for a
//! payment; that is the worker's router.
//!
//! ```text
//! leader ── NATS ──► report channel ──► Board ◄── permits, results ── worker
//! ```

mod board;
mod change_log;
mod changes;
mod clarity;
mod ended;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod latency;
mod nats_config;
mod nats_link;
mod nats_options;
mod nats_url;
mod report_channel;
mod standing;
mod throttle;

pub use board::stand_back::Claim;
pub use board::{Board, BoardConfig, Condition, Permit, Rank, Tie};
pub use changes::Changes;
pub use ended::{Ended, Flight, Need};
pub use nats_config::{NatsConfig, NatsCredentials, NatsCredsError};
pub use nats_link::{NatsFault, NatsLink};
pub use nats_options::NatsOptions;
pub use nats_url::{NatsUrl, NatsUrlError};
pub use report_channel::{ConnectFault, PublishFault, ReportPublisher, ReportSubscriber};
