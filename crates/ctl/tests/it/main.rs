//! The tool against real private Redis servers.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod desk;
mod list_and_show;
mod many;
mod process;
mod reconcile;
mod reopen;
mod resolve;
mod settling;
mod stand_back;
mod undo;
