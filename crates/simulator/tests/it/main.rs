//! The simulator over real sockets.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod admin;
mod chaos;
mod client;
mod health;
mod manual;
mod other_rules;
mod payments;
mod permits;
mod post_rules;
mod process;
mod running;
mod shutdown;
mod summary;
mod wire;
