//! The programs of `cargo xtask compare`: a client at an even pace, and the floor, a server that
//! does no more than any front has to.
//!
//! Does: hold what the two share, and the statistics that benches use as well.
//!
//! Does not: hold anything that the product uses.
//!
//! ```text
//! feeway-pace ──► arrivals, wire, times ──► one line of JSON
//! feeway-floor ──► 202
//! ```

pub mod arrivals;
pub mod times;
pub mod wire;
