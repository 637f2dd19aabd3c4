//! Whether Redis has memory again, after it had none.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use feeway_domain::Cause;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::redis_store::connection::Shared;
use crate::redis_store::link_pool::LinkPool;
use crate::redis_store::node::field;

/// Between two looks at a Redis that is full.
const LOOK: Duration = Duration::from_secs(1);

/// A Redis at its limit refuses one payment and takes the next. It has memory again once it has
/// refused none for so long, so that it is not said with each of them.
const CALM: Duration = Duration::from_secs(10);

/// When Redis last refused a payment for want of memory.
#[derive(Default)]
pub(crate) struct Memory {
    refused_at: Mutex<Option<Instant>>,
    /// Told when it is worth looking.
    pub(crate) watched: Notify,
}

impl Memory {
    pub(crate) fn refused(&self) {
        *self.lock() = Some(Instant::now());
    }

    fn is_calm(&self) -> bool {
        self.lock().is_none_or(|at| at.elapsed() >= CALM)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        // Nothing panics while holding it.
        self.refused_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks while memory is full, and says when it is not. Ends when it is aborted.
pub(crate) async fn watch_memory(reads: LinkPool, shared: Arc<Shared>) {
    loop {
        shared.memory.watched.notified().await;
        while shared.standstill.has(Cause::Memory) {
            sleep(LOOK).await;
            if shared.memory.is_calm() && has_room(&reads).await {
                shared.memory_is_free();
            }
        }
    }
}

async fn has_room(reads: &LinkPool) -> bool {
    let Ok(mut link) = reads.link().await else {
        return false;
    };
    let info = redis::cmd("INFO").arg("memory").take();
    let Ok(reply) = link.send(&info).await else {
        return false;
    };
    let info = redis::from_redis_value_ref::<String>(&reply);
    info.is_ok_and(|info| is_below_limit(&info))
}

/// By the same count as Redis's own: what it needs for replicas and its file does not matter.
fn is_below_limit(info: &str) -> bool {
    let number = |name| field(info, name).and_then(|text| text.parse::<u64>().ok());
    let (Some(used), Some(limit)) = (number("used_memory"), number("maxmemory")) else {
        return true;
    };
    let apart = number("mem_not_counted_for_evict").unwrap_or(0);
    limit == 0 || used.saturating_sub(apart) <= limit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_do_not_fill_a_redis() {
        for (used, apart, limit, is_below) in [
            (100, 0, 0, true),
            (100, 0, 100, true),
            (101, 0, 100, false),
            (101, 1, 100, true),
        ] {
            let info = format!(
                "used_memory:{used}\r\nmem_not_counted_for_evict:{apart}\r\nmaxmemory:{limit}\r\n"
            );
            assert_eq!(is_below_limit(&info), is_below, "{info}");
        }
        assert!(
            is_below_limit(""),
            "what does not tell its limit is asked by payments"
        );
    }
}
