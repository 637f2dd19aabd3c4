//! The journal of open payments, the ledger of settled ones, and the leader's lease, in Redis.
//!
//! Does: every step as one atomic function of the library `feeway_v1` ([`RedisStore`]); the
//! same steps in memory, for tests on a paused clock ([`MemoryStore`]); after a restart of
//! Redis the repetition of what it may have forgotten.
//!
//! Does not: any policy. When to send where, to retry, to adopt or to ask is for others.
//!
//! ```text
//! accept, settle, lease … ──► pool of writes ──┐          ┌─► {0}:open, :queue   journal
//!            │ acknowledged                    ├─► Redis ─┼─► {0}:settled, :ledger, :sum
//!            └► last 3 s, for a replay         │ feeway_v1└─► feeway:lease, :health
//! summary, find, queued ──► pool of reads ─────┘
//! ```

mod horizon;
mod keys;
mod listing;
mod memory_store;
mod recent;
mod record;
mod redis_store;
mod roll_up;
#[cfg(feature = "testing")]
pub mod testing;
mod window_plan;

pub use memory_store::{Acknowledged, MemorySnapshot, MemoryStore};
pub use recent::{FORGETFUL_FOR, Recent, Repeated, Write};
pub use redis_store::{
    AdoptData, Ask, Authorities, AuthoritiesError, Breach, Data, Lease, MissingFunctions,
    RedisAccess, RedisConfig, RedisMemory, RedisStore, RedisUrl, RedisUrlError, SchemaError,
    Settings, Trouble, Unusable,
};
