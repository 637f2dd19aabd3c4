//! A faithful stand-in for a payment processor, with delay, failure and chaos switches.
//!
//! Does: answers a processor's API as the real one does (permits, then the delay, then the
//! failure switch, then the insert), keeps its books in memory, and, when told to, resets
//! connections, hangs, stores late or refuses to be connected to. Rules make it any other
//! kind of processor: `docs/simulator.md` has them all.
//!
//! Does not: keep anything across a restart; know anything of Feeway but the words of
//! `feeway-domain`. No product crate uses it.
//!
//! ```text
//! connection ──► api ──► permits ──┬─► delay ──► failure switch ──► mishap ──┬─► books
//!     ▲           │                └─► rule ─────────────────────────────────┘
//!     │           └────► admin ──► books, switches, chaos, rules, stats, asks, seen
//! door (listening socket, which chaos can close)
//! ```

mod admin;
mod amount;
mod answer;
mod api;
mod asks;
mod books;
mod chaos;
mod config;
mod connection;
mod control;
mod dice;
mod door;
mod dump;
mod health_window;
mod look_up;
mod pay;
mod payment_request;
mod permits;
mod places;
mod reply;
mod rules;
mod seen;
mod simulator;
mod state;
mod stats;
mod switches;

pub use chaos::Chaos;
pub use config::SimulatorConfig;
pub use control::Control;
pub use dice::{Probability, ProbabilityError};
pub use rules::{Rules, RulesError};
pub use simulator::{BindError, Simulator};
