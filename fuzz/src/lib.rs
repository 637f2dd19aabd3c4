//! Throws bytes at every parser of what strangers send, and judges what it makes of them.
//!
//! Does: for each parser one `check`, which panics when the parser panics, when it accepts
//! what a slow reader built on other crates refuses, when the two read different values,
//! when it refuses what is sound, or when what it read does not survive being written.
//!
//! Does not: run in the tests. What it finds becomes a test beside the parser.
//!
//! ```text
//! bytes ──► check ──► parser of the product ──┐
//!             └─────► oracle (serde_json, bigdecimal, chrono) ──► the same, or a finding
//! ```

pub mod nats_message;
mod oracle;
pub mod payment_body;
pub mod processor_answer;
pub mod query;
