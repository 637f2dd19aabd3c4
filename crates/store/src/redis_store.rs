//! The store in Redis, through two pools of connections.

mod absence;
mod accepting;
mod access;
mod adoption;
pub(crate) mod command;
mod condition;
mod config;
mod connect_error;
mod connection;
mod group_commit;
mod heartbeat;
mod inspection;
mod lease;
mod library;
mod link;
mod link_pool;
mod listing;
mod look_up;
mod node;
mod past;
mod recent;
mod refusals;
mod refusing;
mod rejection;
mod renaming;
mod reply;
mod resolution;
mod retirement;
mod run;
mod settings;
mod settling;
mod sites;
mod stand_back;
mod standing;
mod statement;
mod summary;
mod together;
mod writer;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use feeway_domain::{
    Accept, Adopt, Beat, Census, Confirm, CorrelationId, Enlist, Entry, Fee, Freed, Hold, InHand,
    Incarnation, LedgerFault, Listing, Note, Page, Payment, PaymentState, ProcessorName, Purge,
    Reject, Relocation, Rename, Restamp, Retire, Settle, Settlement, Site, StandBack, Store,
    StoreFault, Summary, Window,
};
use redis::{Cmd, Value};
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

pub use access::{Authorities, AuthoritiesError, RedisAccess};
pub use adoption::{AdoptData, Data};
pub use config::{RedisConfig, RedisUrl, RedisUrlError};
pub use lease::{Ask, Lease};
pub use library::MissingFunctions;
pub use settings::{Breach, RedisMemory, Settings};
pub use standing::{SchemaError, Trouble, Unusable};

use accepting::{Accepting, Intake};
use connection::{CHECKOUT, Shared};
use group_commit::{GroupCommit, Pace};
use inspection::inspect_for_ever;
use link_pool::{LinkPool, keep_connected};
use recent::{Acknowledged, Written};
use reply::Reply;
use settling::Settling;
use standing::Lane;
use summary::Known;
use writer::Writer;

/// How long an intake waits for a run that has just begun to open, before it is refused.
const OPENING: Duration = Duration::from_millis(500);
const OPENING_LOOK: Duration = Duration::from_millis(20);

/// The journal, the ledger and the leader's lease in Redis. A clone is the same store.
///
/// No call takes longer than a second: up to 250 ms to find a connection, in which case
/// nothing was sent, and up to 700 ms for the answer. An intake takes half a second more where Redis
/// was restarted and waits for other fronts.
#[derive(Clone)]
pub struct RedisStore {
    inner: Arc<Inner>,
}

struct Inner {
    writer: Writer,
    intakes: GroupCommit<Accepting>,
    settles: GroupCommit<Settling>,
    reads: LinkPool,
    shared: Arc<Shared>,
    retention: Duration,
    /// Which roll-ups of days exist, as of the last summary.
    known: Mutex<Arc<BTreeSet<Known>>>,
    tasks: [AbortHandle; 2],
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl RedisStore {
    /// The store at this URL. Redis need not be there yet; it is looked for from now on.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(config: RedisConfig) -> Self {
        let client = config.client();
        let shared = Arc::new(Shared::new(&config));
        let only_reads = config.only_reads;
        let pool = |lane| LinkPool::new(client.clone(), lane, only_reads, Arc::clone(&shared));
        let (writes, reads) = (pool(Lane::Writes), pool(Lane::Reads));
        let pools = [writes.clone(), reads.clone()];
        let keeper = tokio::spawn(keep_connected(pools, Arc::clone(&shared)));
        let inspecting = inspect_for_ever(writes.clone(), only_reads, Arc::clone(&shared));
        let inspector = tokio::spawn(inspecting);
        let writer = Writer::new(writes, Arc::clone(&shared));
        Self {
            inner: Arc::new(Inner {
                intakes: GroupCommit::start(
                    writer.clone(),
                    Accepting {
                        max_open: config.max_open,
                    },
                ),
                settles: GroupCommit::start(writer.clone(), Settling),
                writer,
                reads,
                shared,
                retention: config.retention,
                known: Mutex::default(),
                tasks: [keeper.abort_handle(), inspector.abort_handle()],
            }),
        }
    }

    async fn write<T, A: Into<Acknowledged>>(
        &self,
        command: Cmd,
        read: impl FnOnce(&Reply) -> Result<(T, A), StoreFault>,
    ) -> Result<T, StoreFault> {
        let find_by = Instant::now() + CHECKOUT;
        let read = |reply: &Reply| read(reply).map(|(value, written)| (value, written.into()));
        let written = self.inner.writer.write(command, find_by, read).await?;
        self.inner.shared.takes_writes();
        Ok(written)
    }

    async fn read(&self, command: Cmd) -> Result<Value, StoreFault> {
        self.inner.reads.link().await?.send(&command).await
    }

    async fn read_in_turn(&self, commands: &redis::Pipeline) -> Result<Vec<Value>, StoreFault> {
        let mut link = self.inner.reads.link().await?;
        link.send_in_turn(commands).await
    }
}

impl Store for RedisStore {
    fn write_back_from(&self, in_hand: Arc<dyn InHand>) {
        if let Some(past) = &self.inner.shared.past {
            past.write_back_from(in_hand);
        }
    }

    async fn enlist(&self, incarnation: &Incarnation) -> Result<Hold, StoreFault> {
        self.enlist_alone(incarnation).await
    }

    async fn enlist_at(
        &self,
        incarnation: &Incarnation,
        sites: &[Site],
        seen: Option<&Relocation>,
    ) -> Result<Enlist, StoreFault> {
        self.enlist_with(incarnation, sites, seen).await
    }

    async fn tell_fees(&self, fees: &[(ProcessorName, Fee)]) -> Result<(), StoreFault> {
        self.note_fees(fees).await
    }

    async fn census(&self, from: Option<u64>) -> Result<Census, StoreFault> {
        self.count_named(from).await
    }

    async fn accept(
        &self,
        hold: &Hold,
        payment: &Payment,
        processor: Option<&ProcessorName>,
    ) -> Result<Accept, StoreFault> {
        if self.remembers_too_much() {
            return Err(StoreFault::Away);
        }
        // The run opens when the last front has its connection again. Without this, whatever waited for
        // Redis would come a moment too early and be refused.
        let wait_until = Instant::now() + OPENING;
        loop {
            let intake = Intake::new(hold, payment, processor);
            match self.inner.intakes.take(intake, Pace::AtOnce).await {
                Err(StoreFault::Closed) if Instant::now() < wait_until => sleep(OPENING_LOOK).await,
                answer => return answer,
            }
        }
    }

    async fn accept_many(
        &self,
        hold: &Hold,
        payments: &[(Payment, Option<&ProcessorName>)],
    ) -> Vec<Result<Accept, StoreFault>> {
        if self.remembers_too_much() {
            return vec![Err(StoreFault::Away); payments.len()];
        }
        let intakes: Vec<Intake> = payments
            .iter()
            .map(|(payment, processor)| Intake::new(hold, payment, *processor))
            .collect();
        self.inner.intakes.take_together(&intakes).await
    }

    async fn rename(
        &self,
        hold: &Hold,
        id: CorrelationId,
        moves: u32,
        to: &ProcessorName,
    ) -> Result<Rename, StoreFault> {
        self.name(hold, id, moves, to).await
    }

    async fn settle(&self, settlement: &Settlement) -> Result<Settle, StoreFault> {
        let settles = &self.inner.settles;
        settles.take(settlement.clone(), Pace::AtOnce).await
    }

    async fn settle_unhurried(&self, settlement: &Settlement) -> Result<Settle, StoreFault> {
        let settles = &self.inner.settles;
        settles.take(settlement.clone(), Pace::Unhurried).await
    }

    async fn reject(
        &self,
        hold: &Hold,
        payment: &Payment,
        why: &str,
    ) -> Result<Reject, StoreFault> {
        self.end_rejected(hold, payment, why).await
    }

    async fn note_answered(
        &self,
        hold: &Hold,
        id: CorrelationId,
        moves: u32,
    ) -> Result<Note, StoreFault> {
        self.note(hold, id, moves).await
    }

    async fn answered(
        &self,
        owner: &Incarnation,
        ids: &[CorrelationId],
    ) -> Result<Vec<Option<u32>>, StoreFault> {
        self.read_answered(owner, ids).await
    }

    async fn note_freed(
        &self,
        payment: &Payment,
        processor: &ProcessorName,
    ) -> Result<(), StoreFault> {
        self.add_freed(payment, processor).await
    }

    async fn freed(&self, age: Duration, limit: usize) -> Result<Vec<Freed>, StoreFault> {
        self.list_freed(age, limit).await
    }

    async fn forget_freed(&self, freed: &Freed) -> Result<(), StoreFault> {
        self.remove_freed(freed).await
    }

    async fn note_restamp(&self, restamp: &Restamp) -> Result<(), StoreFault> {
        self.add_restamp(restamp).await
    }

    async fn trust_look_up(
        &self,
        processor: &ProcessorName,
        url: &str,
        trusted: bool,
    ) -> Result<(), StoreFault> {
        self.trust(processor, url, trusted).await
    }

    async fn trusted_look_ups(&self) -> Result<Vec<(ProcessorName, String)>, StoreFault> {
        self.list_trusted().await
    }

    async fn stand_backs(&self) -> Result<Vec<StandBack>, StoreFault> {
        self.read_stand_backs().await
    }

    async fn confirm_stand_back(
        &self,
        own: &Hold,
        processor: &ProcessorName,
        token: &str,
    ) -> Result<Confirm, StoreFault> {
        self.confirm(own, processor, token).await
    }

    fn forgettable(&self) -> usize {
        self.inner.shared.recent.len()
    }

    fn may_forget_enlistment(&self) -> bool {
        self.inner.shared.recent.has_enlistment()
    }

    async fn beat(&self, holds: &[Hold]) -> Result<Beat, StoreFault> {
        self.heartbeat(holds).await
    }

    async fn resign(&self, hold: &Hold) -> Result<(), StoreFault> {
        let written = Written::Resign(hold.clone());
        self.write(command::resign(hold), |_| Ok(((), Some(written))))
            .await
    }

    async fn adopt(&self, owner: &Incarnation, holder: &Incarnation) -> Result<Adopt, StoreFault> {
        let adopt = command::adopt(owner, holder);
        self.write(adopt, |reply| match reply.word() {
            "adopted" => {
                let hold = Hold {
                    owner: owner.clone(),
                    holder: holder.clone(),
                    epoch: reply.parsed(1)?,
                };
                self.inner.shared.run.add_hold(&hold);
                Ok((Adopt::Adopted(hold.clone()), Some(Written::Hold(hold))))
            }
            "refused" => Ok((Adopt::Refused, None)),
            "closed" => Err(StoreFault::Closed),
            _ => reply.unreadable(),
        })
        .await
    }

    async fn discharge(&self, hold: &Hold) -> Result<bool, StoreFault> {
        let discharge = command::discharge(hold);
        self.write(discharge, |reply| match reply.word() {
            "discharged" => Ok((true, Some(Written::Discharge(hold.clone())))),
            "kept" => Ok((false, None)),
            "closed" => Err(StoreFault::Closed),
            _ => reply.unreadable(),
        })
        .await
    }

    async fn queued(
        &self,
        owner: &Incarnation,
        after: Option<&Entry>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreFault> {
        self.list_queued(owner, after, limit).await
    }

    async fn summary(&self, window: Window) -> Result<Summary, LedgerFault> {
        self.read_books(self.summarize(window)).await
    }

    async fn list(&self, listing: &Listing) -> Result<Page, LedgerFault> {
        self.read_books(self.list_page(listing)).await
    }

    async fn retire(&self) -> Result<Retire, StoreFault> {
        self.close_books().await
    }

    async fn find(&self, id: CorrelationId) -> Result<Option<PaymentState>, StoreFault> {
        self.look_up(id).await
    }

    async fn purge(&self) -> Result<Purge, StoreFault> {
        self.empty_ledger().await
    }
}
