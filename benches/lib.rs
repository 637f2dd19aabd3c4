//! Criterion benches of the pieces that decide how fast Feeway is.
//!
//! Does: hold what several benches share.
//!
//! Does not: hold anything that the product uses.
//!
//! ```text
//! cargo bench --bench dispatcher ──► designs
//! cargo bench --bench intake ────► intake_path
//! cargo bench --bench summary ─────► ledger, original, times
//! cargo bench --bench settle ──────► ledger, times
//! feeway-pace ───────────────────► arrivals, wire     (load for `cargo xtask compare floor`)
//! ```

pub mod arrivals;
pub mod designs;
pub mod intake_path;
pub mod ledger;
pub mod original;
pub mod times;
pub mod wire;
