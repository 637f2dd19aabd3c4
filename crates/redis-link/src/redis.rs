use std::sync::Arc;

use feeway_books::recent::Recent;
use feeway_domain::{InHand, JournalTime, StoreFault};
use feeway_redis_layout::reply::Reply;
use feeway_redis_layout::written::{Acknowledged, Written};
use redis::{Cmd, Pipeline, Value};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::config::RedisConfig;
use crate::connection::{CHECKOUT, Shared};
use crate::inspection::inspect_for_ever;
use crate::link_pool::{LinkPool, keep_connected};
use crate::run::Run;
use crate::standing::Lane;
use crate::writer::Writer;

/// One Redis, through two pools of connections: for what is written and for what is only read. A
/// clone is the same.
#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    writer: Writer,
    reads: LinkPool,
    shared: Arc<Shared>,
    tasks: [AbortHandle; 2],
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Redis {
    /// The one at this URL. It need not be there yet; it is looked for from now on.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(config: &RedisConfig) -> Self {
        let client = config.client();
        let shared = Arc::new(Shared::new(config));
        let only_reads = config.only_reads;
        let pool = |lane| LinkPool::new(client.clone(), lane, only_reads, Arc::clone(&shared));
        let (writes, reads) = (pool(Lane::Writes), pool(Lane::Reads));
        let pools = [writes.clone(), reads.clone()];
        let keeper = tokio::spawn(keep_connected(pools, Arc::clone(&shared)));
        let inspecting = inspect_for_ever(writes.clone(), only_reads, Arc::clone(&shared));
        let inspector = tokio::spawn(inspecting);
        Self {
            inner: Arc::new(Inner {
                writer: Writer::new(writes, Arc::clone(&shared)),
                reads,
                shared,
                tasks: [keeper.abort_handle(), inspector.abort_handle()],
            }),
        }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.inner.shared
    }

    /// What group commits write through.
    pub fn writer(&self) -> Writer {
        self.inner.writer.clone()
    }

    /// Sends a write, and notes what its reply acknowledges, to repeat it to a Redis that has
    /// forgotten it.
    ///
    /// # Errors
    /// Away or closed when nothing was done; unknown when nobody can say.
    pub async fn write<T, A: Into<Acknowledged>>(
        &self,
        command: Cmd,
        read: impl FnOnce(&Reply) -> Result<(T, A), StoreFault>,
    ) -> Result<T, StoreFault> {
        let find_by = Instant::now() + CHECKOUT;
        let read = |reply: &Reply| read(reply).map(|(value, written)| (value, written.into()));
        let written = self.inner.writer.write(command, find_by, read).await?;
        self.shared().takes_writes();
        Ok(written)
    }

    /// Sends a command that only reads.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn read(&self, command: Cmd) -> Result<Value, StoreFault> {
        self.inner.reads.link().await?.send(&command).await
    }

    /// Sends several of them, one after the other on one connection.
    ///
    /// # Errors
    /// When there is no answer to one of them.
    pub async fn read_in_turn(&self, commands: &Pipeline) -> Result<Vec<Value>, StoreFault> {
        let mut link = self.inner.reads.link().await?;
        link.send_in_turn(commands).await
    }

    /// What is known of the run that the connections lead to.
    pub fn run(&self) -> &Run {
        &self.shared().run
    }

    /// What was acknowledged lately.
    pub fn recent(&self) -> &Recent<Written> {
        &self.shared().recent
    }

    /// A heartbeat was acknowledged at this time of Redis's clock: data without it is older.
    pub fn felt(&self, now: JournalTime) {
        if let Some(past) = &self.shared().past {
            past.felt(now);
        }
    }

    /// Where payments that this process has in hand are found when the data was lost.
    pub fn write_back_from(&self, in_hand: Arc<dyn InHand>) {
        if let Some(past) = &self.shared().past {
            past.write_back_from(in_hand);
        }
    }

    /// Has every connection made anew: another run is behind them.
    pub fn give_up_links(&self) {
        self.shared().give_up_links();
    }
}
