use feeway_books::horizon::GRACE;
use feeway_domain::{Purge, Retire, StoreFault};
use feeway_redis_layout::command;
use feeway_redis_layout::written::Acknowledged;
use tracing::error;

use crate::RedisStore;

/// Payments that one call of `retire` forgets at most: 200 at about 2 µs are 0.4 ms in
/// which Redis does nothing else.
const RETIRE_STEPS: usize = 200;

impl RedisStore {
    /// Empties the ledger unless payments are open. The generation that this raises makes void
    /// what anybody would repeat.
    pub(crate) async fn empty_ledger(&self) -> Result<Purge, StoreFault> {
        let recent = self.redis.recent();
        self.redis
            .write(command::purge(), |reply| match reply.word() {
                "purged" => {
                    let seen = Acknowledged {
                        writes: Vec::new(),
                        generation: reply.generation(1),
                    };
                    // Functions of an earlier version know no generations.
                    if seen.generation.is_none() {
                        recent.clear();
                    }
                    Ok((Purge::Purged, seen))
                }
                "open" => Ok((Purge::Open(reply.parsed(1)?), None.into())),
                "closed" => Err(StoreFault::Closed),
                _ => reply.unreadable(),
            })
            .await
    }

    pub(crate) async fn close_books(&self) -> Result<Retire, StoreFault> {
        let retire = command::retire(self.inner.retention, GRACE, RETIRE_STEPS);
        self.redis.write(retire, |reply| match reply.word() {
            "done" => {
                let behind_micros: u64 = reply.parsed(1)?;
                if behind_micros > 0 {
                    let behind_hours = behind_micros / 3_600_000_000;
                    error!(behind_hours, "the clock of Redis has jumped ahead: check it; the books close one hour per minute until they have caught up");
                }
                Ok((Retire::Done, None))
            }
            "more" => Ok((Retire::More, None)),
            _ => reply.unreadable(),
        })
        .await
    }
}
