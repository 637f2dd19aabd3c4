//! Takes a payment from acceptance to settlement.
//!
//! Does: writes the payment into the journal before it is answered, deals it to a lane,
//! chooses a processor by fee, board and age, makes the attempts, and settles. Sends out
//! heartbeats, adopts the open payments of fronts that stopped, and has the store forget
//! what is older than the retention.
//!
//! Does not: speak HTTP to clients, know Redis, or decide what an answer of a processor
//! means (that is `processor`).
//!
//! ```text
//! Gateway ─► journal ─► Dispatcher ─► Lane ─► router + board ─► attempt ─► ledger
//!                 ▲                    ▲
//! Heartbeat ── tenures ──► Feeder ─────┘   (what waits in the journal, what was adopted)
//! ```

mod answered;
mod attempt;
mod catch_up;
mod clock;
mod config;
mod context;
mod declines;
mod dispatcher;
mod doubt;
mod enlist;
mod feeder;
mod gateway;
mod hands;
mod heartbeat;
mod job;
mod lane;
mod linger;
mod look_ups;
mod meters;
mod misdelivery;
mod persist;
mod recheck;
mod registry;
mod resolve;
mod restamp;
mod retire;
mod router;
mod sabotage;
mod stand_back;
mod tasks;
mod tenure;
mod tied;
mod watched;
mod worker;

pub use clock::Clock;
pub use config::{Dispatch, IntakeMode, WorkerConfig};
pub use enlist::{MovedProcessor, Objection};
pub use gateway::{Gateway, NotKept, Submit};
#[cfg(feature = "sabotage")]
pub use sabotage::Sabotage;
pub use worker::{Worker, start};
