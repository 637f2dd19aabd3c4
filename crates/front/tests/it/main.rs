//! A front on real sockets, asked byte by byte.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attacks;
mod connections;
mod contract;
mod front;
mod hostile;
mod life_cycle;
mod process;
mod random_bodies;
mod secrets;
mod shutdown;
mod smuggling;
mod wire;
