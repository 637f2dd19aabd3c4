//! A front on real sockets, asked byte by byte.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attacks;
mod books;
mod clock;
mod connections;
mod front;
mod hostile;
mod intake;
mod life_cycle;
mod process;
mod random_bodies;
mod routes;
mod secrets;
mod shutdown;
mod smuggling;
mod wire;
