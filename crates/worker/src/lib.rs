//! Takes a payment from acceptance to settlement.
//!
//! Does: writes the payment into the journal before it is answered, deals it to a lane,
//! chooses a processor by fee, board and age, makes the attempts, and settles. Sends out
//! heartbeats, adopts the open payments of fronts that stopped, and has the store forget
//! what is older than the retention.
//!
//! Does not: speak HTTP to clients or processors, or know Redis.
//!
//! ```text
//! Gateway ─► journal ─► Dispatcher ─► Lane ─► router + board ─► attempt ─► ledger
//!                 ▲                    ▲
//! Heartbeat ── tenures ──► Feeder ─────┘   (what waits in the journal, what was adopted)
//! ```

mod accept;
mod answered;
mod attempt;
mod backoff;
mod config;
mod context;
mod enlist;
mod feeder;
mod gateway;
mod hands;
mod heartbeat;
mod lane;
mod look_ups;
mod misdelivery;
mod moved_processor;
mod persist;
mod recheck;
mod resolve;
mod restamp;
mod retire;
mod stand_back;
mod submit;
mod trust;
mod watched;
mod worker;

pub use config::{IntakeMode, WorkerConfig};
pub use feeway_jobs::clock::Clock;
pub use feeway_jobs::dispatcher::Dispatch;
#[cfg(feature = "sabotage")]
pub use feeway_jobs::sabotage::Sabotage;
pub use gateway::Gateway;
pub use moved_processor::{MovedProcessor, Objection};
pub use submit::{NotKept, Submit};
pub use worker::{Worker, start};
