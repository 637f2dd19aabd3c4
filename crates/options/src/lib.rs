//! What the options of all programs have in common.
//!
//! Does: read secrets from files and the environment, files with certificate authorities, and
//! durations with a unit; refuse a value in one line that names the option and never quotes a
//! password.
//!
//! Does not: know what an option is for. Options of Redis are in `redis-link`, of NATS in `health`,
//! of processors in `processor`.

mod authorities;
mod ca_file;
mod discreet;
mod duration_text;
mod refusal;
mod secret_source;
mod usage;

pub use authorities::{Authorities, AuthoritiesError};
pub use ca_file::{CaFile, CaFileError, read_ca_file};
pub use discreet::Discreet;
pub use duration_text::{DurationTextError, between, spelled};
pub use refusal::one_line;
pub use secret_source::{SecretError, read_secret, secret_of_variable};
pub use usage::{EX_USAGE, or_exit_code};
