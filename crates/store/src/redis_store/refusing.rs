//! What a Redis refuses that can be reached, and that it does so no longer.

use feeway_domain::Cause;
use tracing::{info, warn};

use crate::redis_store::connection::Shared;

impl Shared {
    /// It refused a write as it will refuse the next.
    pub(crate) fn refuses(&self, why: &str) {
        let why = format!("Redis takes no writes: {why}");
        if self.standstill.begin(Cause::Refusing, &why) {
            warn!(why, "Redis refuses writes: nothing is accepted or started");
        }
    }

    /// It carried out a step that writes, or is no longer the one that refused.
    pub(crate) fn takes_writes(&self) {
        // Asked with each step, so it is one load as long as all is well.
        if self.standstill.is_on() && self.standstill.end(Cause::Refusing) {
            info!("Redis takes writes again");
        }
    }

    /// It refused a new payment for want of memory.
    pub(crate) fn memory_is_full(&self) {
        self.memory.refused();
        if self
            .standstill
            .begin(Cause::Memory, "the memory of Redis is full (maxmemory)")
        {
            warn!("the memory of Redis is full: new payments are refused");
            self.memory.watched.notify_one();
        }
    }

    /// It has room again.
    pub(crate) fn memory_is_free(&self) {
        if self.standstill.end(Cause::Memory) {
            info!("Redis has memory again");
        }
    }
}
