//! How the data lies in Redis, and how it is asked for.
//!
//! Does: name the keys, write and read entries, put each step into a call of a function of
//! `feeway_v1/*.lua`, and read replies.
//!
//! Does not: talk to Redis.
//!
//! ```text
//! a step ──► command ──► FCALL name keys arguments     reply ──► what it came to
//!               └─► keys, record
//! ```

pub mod command;
pub mod keys;
pub mod record;
/// What functions reply.
pub mod reply;
pub mod written;

/// The library of functions, as it is loaded into Redis: one text, in this order, because a
/// function may only use what stands above it.
pub const LIBRARY: &str = concat!(
    include_str!("feeway_v1/base.lua"),
    include_str!("feeway_v1/entries.lua"),
    include_str!("feeway_v1/purge.lua"),
    include_str!("feeway_v1/run.lua"),
    include_str!("feeway_v1/intake.lua"),
    include_str!("feeway_v1/past.lua"),
    include_str!("feeway_v1/naming.lua"),
    include_str!("feeway_v1/rejection.lua"),
    include_str!("feeway_v1/settling.lua"),
    include_str!("feeway_v1/enlisting.lua"),
    include_str!("feeway_v1/standing_back.lua"),
    include_str!("feeway_v1/resolution.lua"),
    include_str!("feeway_v1/statement.lua"),
    include_str!("feeway_v1/reading.lua"),
    include_str!("feeway_v1/retention.lua"),
    include_str!("feeway_v1/lease.lua"),
    include_str!("feeway_v1/register.lua"),
);
