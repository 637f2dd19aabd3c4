//! Criterion benches of the pieces that decide how fast Feeway is.
//!
//! Does: hold what several benches share.
//!
//! Does not: hold anything that the product uses.
//!
//! ```text
//! cargo bench --bench dispatcher ──► designs
//! ```

pub mod designs;
