//! The health daemon: of several, the one that holds the lease asks the processors for their health.
//!
//! Does: hold one lease in Redis, ask each processor once in a little over 5 s while it
//! holds it, and publish every answer: on NATS for the boards of running fronts, and in
//! Redis as the last value for a front that starts later.
//!
//! Does not: touch payments, judge a processor (boards do), ask while it cannot prove that
//! nobody asked a moment ago.
//!
//! ```text
//! lease task ── holder? ──► one asking task per processor ──► GET /payments/service-health
//!     │                          │        │
//!     ▼                          ▼        ▼
//!   Redis ◄── last ask, report ──┘      NATS ──► boards
//! ```

mod admin;
mod asking;
mod leader;
mod lease;
mod meters;
mod options;

pub use leader::{BindError, Leader};
pub use options::{AdminAddress, AdminAddressError, Options};
