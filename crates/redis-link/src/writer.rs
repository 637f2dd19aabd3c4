use std::sync::Arc;

use feeway_domain::StoreFault;
use feeway_redis_layout::reply::Reply;
use feeway_redis_layout::written::Acknowledged;
use redis::Cmd;
use tokio::time::{Instant, timeout_at};

use crate::connection::Shared;
use crate::link_pool::LinkPool;

/// Sends writes, and keeps what was acknowledged for a replay.
#[derive(Clone)]
pub struct Writer {
    links: LinkPool,
    shared: Arc<Shared>,
}

impl Writer {
    pub(crate) fn new(links: LinkPool, shared: Arc<Shared>) -> Self {
        Self { links, shared }
    }

    /// Sends one write and reads its reply. When no connection is found in time, nothing
    /// was sent.
    pub(crate) async fn write<T>(
        &self,
        mut command: Cmd,
        find_by: Instant,
        read: impl FnOnce(&Reply) -> Result<(T, Acknowledged), StoreFault>,
    ) -> Result<T, StoreFault> {
        let shared = &self.shared;
        // While writes are repeated nothing new goes out; what waits too long was not sent.
        let pass = async {
            loop {
                let link = self.links.link().await?;
                let pass = shared.gate.read().await;
                if !link.is_broken() {
                    return Ok((link, pass));
                }
            }
        };
        let (mut link, _pass) = timeout_at(find_by, pass)
            .await
            .unwrap_or(Err(StoreFault::Away))?;
        link.say_identity(&mut command);
        let reply = Reply::new(link.send(&command).await?)?;
        let (value, acknowledged) = read(&reply)?;
        let Acknowledged { writes, generation } = acknowledged;
        shared.recent.answered(writes, generation);
        Ok(value)
    }
}
