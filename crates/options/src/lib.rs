//! The options by which every program is told of processors, Redis and NATS, and their secrets.
//!
//! Does: clap arguments for a program's own to be flattened into; passwords from files and the
//! environment; durations with a unit; refusals that name the option and never quote a password.
//!
//! Does not: connect to anything. What the options mean is for the crates that use them.
//!
//! ```text
//! command line, FEEWAY_…, files ──► RedisOptions ──► RedisConfig  store
//!                                   NatsOptions  ──► NatsConfig   health
//!                                   processor_parser ──► ProcessorOption  processor
//! ```

mod ca_file;
mod discreet;
mod duration_text;
mod nats_options;
mod redis_options;
mod refusal;
mod secret_source;

pub use discreet::{Discreet, processor_parser};
pub use duration_text::{DurationTextError, between, spelled};
pub use nats_options::NatsOptions;
pub use redis_options::RedisOptions;
pub use refusal::one_line;
