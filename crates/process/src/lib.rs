//! What every process of Feeway does: it logs, tells its metrics, and stops when it is told to.
//!
//! Does: read the option for the log and start it (text on a terminal, JSON lines else);
//! install the recorder behind the `metrics` facade with its buckets, keep it small while
//! nobody reads it, and write its page together with the standard figures of the process;
//! catch SIGTERM and SIGINT.
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
mod stop_signal;

pub use exposition::{CONTENT_TYPE, Exposition, ExpositionError};
pub use log::{LogOptions, start_log};
pub use stop_signal::StopSignal;
