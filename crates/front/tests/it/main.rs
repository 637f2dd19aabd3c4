//! A front on real sockets, asked byte by byte.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod connections;
mod contract;
mod front;
mod hostile;
mod life_cycle;
mod process;
mod secrets;
mod shutdown;
mod wire;
