//! Redis, connected.
//!
//! Does: keep connections, load the functions, look after settings, memory and role, tell data
//! that is not ours, and repeat to a Redis that was restarted what it may have forgotten.
//!
//! Does not: know what a step does. What is asked over the connections is for `store`.
//!
//! ```text
//! Redis::write ──► Writer ──► pool of writes ──┐
//!            │ acknowledged                    ├──► Link ──► Redis
//!            └► last 3 s, for a replay         │
//! Redis::read ──────────────► pool of reads ───┘
//! ```

mod access;
mod condition;
mod config;
mod connect_error;
mod connection;
/// Payments that are ready at the same moment go in one step.
pub mod group_commit;
mod inspection;
mod library;
mod link;
mod link_pool;
mod node;
mod past;
mod redis;
mod redis_options;
mod refusals;
mod refusing;
pub mod run;
mod settings;
mod standing;
pub mod together;
mod writer;

pub use access::RedisAccess;
pub use config::{RedisConfig, RedisUrl, RedisUrlError};
pub use library::MissingFunctions;
pub use redis::Redis;
pub use redis_options::RedisOptions;
pub use settings::{Breach, RedisMemory, Settings};
pub use standing::{SchemaError, Trouble, Unusable};
pub use writer::Writer;
