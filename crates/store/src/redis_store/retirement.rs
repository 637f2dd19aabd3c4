use feeway_domain::{Purge, Retire, StoreFault};
use tracing::error;

use crate::horizon::GRACE;
use crate::redis_store::{RedisStore, command};

/// Payments that one call of `retire` forgets at most: 200 at about 2 µs are 0.4 ms in
/// which Redis does nothing else.
const RETIRE_STEPS: usize = 200;

impl RedisStore {
    /// Empties the ledger unless payments are open, and forgets what would be repeated.
    pub(crate) async fn empty_ledger(&self) -> Result<Purge, StoreFault> {
        let purged = self
            .write(command::purge(), |reply| match reply.word() {
                "purged" => Ok((Purge::Purged, None)),
                "open" => Ok((Purge::Open(reply.parsed(1)?), None)),
                _ => reply.unreadable(),
            })
            .await?;
        if purged == Purge::Purged {
            self.inner.shared.recent.clear();
        }
        Ok(purged)
    }

    pub(crate) async fn close_books(&self) -> Result<Retire, StoreFault> {
        let retire = command::retire(self.inner.retention, GRACE, RETIRE_STEPS);
        self.write(retire, |reply| match reply.word() {
            "done" => {
                let behind_micros: u64 = reply.parsed(1)?;
                if behind_micros > 0 {
                    let behind_hours = behind_micros / 3_600_000_000;
                    error!(behind_hours, "the clock of redis has leapt: check it; the books close an hour a minute until they are up with it");
                }
                Ok((Retire::Done, None))
            }
            "more" => Ok((Retire::More, None)),
            _ => reply.unreadable(),
        })
        .await
    }
}
