//! What a Redis that answers refuses, and when it no longer does.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use feeway_domain::Cause;
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::connection::Shared;
use crate::past::Lost;

/// For so long after a right was denied, a step that is allowed does not end the standstill: else
/// the two would take turns in the log.
const DENIAL: Duration = Duration::from_secs(10);

impl Shared {
    /// It refused a write as it will refuse the next.
    pub(crate) fn refuses(&self, why: &str) {
        let why = format!("Redis does not accept writes: {why}");
        if self.standstill.begin(Cause::Refusing, &why) {
            warn!(why, "Redis refuses writes: nothing is accepted or started");
        }
    }

    /// It denied a right. Heartbeats may be allowed, so they say nothing of that for a while, and
    /// each step may lack another right, so the first stands for all.
    pub(crate) fn denies(&self, why: &str) {
        *self.denied_at() = Some(Instant::now());
        if !self.standstill.has(Cause::Refusing) {
            self.refuses(why);
        }
        self.inspection.due.notify_one();
    }

    /// It carried out a step that writes, or is no longer the one that refused.
    pub(crate) fn takes_writes(&self) {
        // Asked with each step, so it is one load as long as all is well.
        if !self.standstill.is_on() || self.denied_at().is_some_and(|at| at.elapsed() < DENIAL) {
            return;
        }
        if self.standstill.end(Cause::Refusing) {
            info!("Redis accepts writes again");
        }
    }

    fn denied_at(&self) -> MutexGuard<'_, Option<Instant>> {
        // Nothing panics while holding it.
        self.denied_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// It has not the data that we belong to.
    pub(crate) fn has_lost(&self, lost: &Lost) {
        let why = lost.to_string();
        if self.standstill.begin(Cause::Past, &why) {
            error!(
                why,
                "Redis has lost data: nothing is accepted, started or written"
            );
        }
    }

    /// It has our data, or an operator has let us go on with what it has.
    pub(crate) fn has_its_past(&self) {
        if self.standstill.end(Cause::Past) {
            info!("Redis has its data again, or an operator has adopted what it has");
        }
    }

    /// It refused a new payment for want of memory.
    pub(crate) fn refused_for_memory(&self) {
        self.memory_is_full();
        self.inspection.due.notify_one();
    }

    pub(crate) fn memory_is_full(&self) {
        self.inspection.memory_is_full();
        if self
            .standstill
            .begin(Cause::Memory, "Redis is out of memory (maxmemory)")
        {
            warn!("Redis is out of memory: new payments are refused");
        }
    }

    /// It has room again.
    pub(crate) fn memory_is_free(&self) {
        if self.standstill.end(Cause::Memory) {
            info!("Redis has memory again");
        }
    }
}
