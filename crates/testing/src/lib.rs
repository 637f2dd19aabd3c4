//! What the tests of several crates need: a private Redis, certificates of a private authority,
//! users of a private NATS operator, and the log as text.
//!
//! Does: start and kill a redis-server of a test's own; make an authority and certificates for
//! servers, an operator of NATS with its servers' configuration and users, as files; catch what a
//! test logs.
//!
//! Does not: belong to the product. Nothing but tests may depend on it.
//!
//! ```text
//! PrivateRedis  ──► unix://… of a redis-server that ends with it
//! TestAuthority ──► ca.pem, server certificates ──► a test's own TLS server
//! NatsOperator  ──► configuration, .creds files ──► a test's own NATS and its clients
//! CaughtLog     ◄── tracing, of one thread
//! ```

mod caught_log;
mod nats_operator;
mod private_redis;
mod test_authority;

pub use caught_log::CaughtLog;
pub use nats_operator::{NatsOperator, NatsUser};
pub use private_redis::{Persistence, PrivateRedis};
pub use test_authority::{ServerCertificate, TestAuthority};
