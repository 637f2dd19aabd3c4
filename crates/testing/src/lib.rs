//! What the tests of several crates need: certificates of a private authority, and the log as
//! text.
//!
//! Does: make an authority and certificates for servers, as files; catch what a test logs.
//!
//! Does not: belong to the product. Nothing but tests may depend on it.
//!
//! ```text
//! TestAuthority ──► ca.pem, server certificates ──► a test's own TLS server
//! CaughtLog     ◄── tracing, of one thread
//! ```

mod caught_log;
mod test_authority;

pub use caught_log::CaughtLog;
pub use test_authority::{ServerCertificate, TestAuthority};
