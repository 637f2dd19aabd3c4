//! Criterion benches of the pieces that decide how fast Feeway is.
//!
//! Does: hold what several benches share.
//!
//! Does not: hold anything that the product uses.
//!
//! ```text
//! cargo bench --bench dispatcher ──► designs
//! cargo bench --bench intake ────► intake_path
//! cargo bench --bench summary ─────► ledger, original
//! cargo bench --bench settle ──────► ledger
//! ```

pub mod designs;
pub mod intake_path;
pub mod ledger;
pub mod original;
