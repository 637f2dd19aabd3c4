//! The store against real private Redis servers, and both stores against one suite.

mod conformance;
mod conformance_journal;
mod conformance_ledger;
mod cost;
mod lease;
mod outages;
mod replay;
mod together;
mod world;
