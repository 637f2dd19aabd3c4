//! What a process tells of itself: its log, and its metrics as Prometheus reads them.
//!
//! Does: read the option for the log and start it (text on a terminal, JSON lines else);
//! install the recorder behind the `metrics` facade with its buckets, keep it small while
//! nobody reads it, and write its page together with the standard figures of the process.
//!
//! Does not: count anything itself (whoever does the work counts it), or serve HTTP (each
//! process has an admin listener).
//!
//! ```text
//! counters, histograms ── metrics facade ──► recorder ──┐
//! gauges set when the page is asked for ────────────────┼──► Exposition::page ──► /metrics
//! /proc/self ── process figures ────────────────────────┘
//! ```

mod exposition;
mod log;
mod process_figures;

pub use exposition::{CONTENT_TYPE, Exposition, ExpositionError};
pub use log::{LogOptions, start_log};
