use std::sync::Arc;
use std::time::Duration;

use bb8_redis::bb8::Pool;
use feeway_domain::StoreFault;
use redis::Client;
use tokio::time::timeout;

use crate::connection::{CHECKOUT, Connector, Shared};
use crate::link::Link;
use crate::standing::Lane;

/// One connection carries all commands of a pool: they pipeline by themselves, and a second
/// one gains nothing against a server with one thread.
const CONNECTIONS: u32 = 1;

/// How long to wait between two attempts to reach a Redis that is away: short enough that
/// every front has repeated its last writes well within one heartbeat of its return.
const RETRY: Duration = Duration::from_millis(100);

/// The connections of one lane.
#[derive(Clone)]
pub(crate) struct LinkPool {
    pool: Pool<Connector>,
}

impl LinkPool {
    pub(crate) fn new(client: Client, lane: Lane, only_reads: bool, shared: Arc<Shared>) -> Self {
        let pool = Pool::builder()
            .max_size(CONNECTIONS)
            .test_on_check_out(false)
            .max_lifetime(None)
            .idle_timeout(None)
            .connection_timeout(CHECKOUT)
            .build_unchecked(Connector::new(client, lane, only_reads, shared));
        Self { pool }
    }

    /// A share in a connection; the pool has it back already.
    pub(crate) async fn link(&self) -> Result<Link, StoreFault> {
        let working = async {
            loop {
                let Ok(checkout) = self.pool.get().await else {
                    return Err(StoreFault::Away);
                };
                // One that has ended is replaced when it goes back.
                if !checkout.is_broken() {
                    return Ok(checkout.clone());
                }
            }
        };
        timeout(CHECKOUT, working)
            .await
            .unwrap_or(Err(StoreFault::Away))
    }
}

/// Makes connections anew whenever one has ended, so that what Redis may have forgotten is
/// repeated at once and not with the next payment. Ends when it is aborted.
pub(crate) async fn keep_connected(pools: [LinkPool; 2], shared: Arc<Shared>) {
    loop {
        for pool in &pools {
            while pool.link().await.is_err() {
                tokio::time::sleep(RETRY).await;
            }
        }
        shared.standing.broken.notified().await;
    }
}
