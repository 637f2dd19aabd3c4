//! A front on real sockets, asked byte by byte.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attacks;
mod connections;
mod contract;
mod front;
mod hostile;
mod process;
mod random_bodies;
mod shutdown;
mod smuggling;
mod wire;
