//! The store against real private Redis servers, and both stores against one suite.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod absence;
mod access;
mod conformance;
mod conformance_absence;
mod conformance_journal;
mod conformance_ledger;
mod conformance_listing;
mod conformance_reopening;
mod conformance_resolution;
mod conformance_retention;
mod conformance_runs;
mod conformance_sites;
mod conformance_stand_back;
mod conformance_statement;
mod conformance_undo;
mod cost;
mod foreign_keys;
mod foreign_keys_of_operators;
mod group_commit;
mod group_settle;
mod lease;
mod library;
mod never_half;
mod outages;
mod purge;
mod random_steps;
mod refusing;
mod replay;
mod retirement;
mod settings;
mod sites;
mod stand_back;
mod together;
mod undo;
mod world;
