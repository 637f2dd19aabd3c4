//! The journal of open payments, the ledger of settled ones, and the leader's lease, in Redis.
//!
//! Does: every step as one atomic function of the library `feeway_v1` ([`RedisStore`]).
//!
//! Does not: any policy. When to send where, to retry, to adopt or to ask is for others. How a
//! connection is kept is for `redis-link`, how the data lies in Redis for `redis-layout`.
//!
//! ```text
//! accept, settle, lease … ──► pool of writes ──┐          ┌─► {0}:open, :queue   journal
//!            │ acknowledged                    ├─► Redis ─┼─► {0}:settled, :ledger, :sum
//!            └► last 3 s, for a replay         │ feeway_v1└─► feeway:lease, :health
//! summary, find, queued ──► pool of reads ─────┘
//! ```

mod absence;
mod accepting;
mod adoption;
mod heartbeat;
mod lease;
mod listing;
mod look_up;
mod rejection;
mod renaming;
mod resolution;
mod retirement;
mod settling;
mod sites;
mod stand_back;
mod statement;
mod summary;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use feeway_domain::{
    Accept, Adopt, Beat, Census, Confirm, CorrelationId, Enlist, Entry, Fee, Freed, Hold, InHand,
    Incarnation, Ledger, LedgerFault, Listing, Note, Page, Payment, PaymentState, ProcessorName,
    Purge, Reject, Relocation, Rename, Restamp, Retire, Settle, Settlement, Site, StandBack, Store,
    StoreFault, Summary, Window,
};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

pub use adoption::{AdoptData, Data};
pub use feeway_redis_link::{
    Breach, MissingFunctions, Redis, RedisAccess, RedisConfig, RedisMemory, RedisOptions, RedisUrl,
    RedisUrlError, SchemaError, Settings, Trouble, Unusable,
};
pub use lease::{Ask, Lease};

use feeway_redis_layout::command;
use feeway_redis_layout::written::Written;
use feeway_redis_link::group_commit::{GroupCommit, Pace};

use accepting::{Accepting, Intake};
use settling::Settling;
use summary::Known;

/// How long an intake waits for Redis to be back and its run to be open, before it is refused: a
/// restart takes less.
const OPENING: Duration = Duration::from_millis(500);
const OPENING_LOOK: Duration = Duration::from_millis(20);

/// The journal, the ledger and the leader's lease in Redis. A clone is the same store.
///
/// No call takes longer than a second: up to 250 ms to find a connection, in which case
/// nothing was sent, and up to 700 ms for the answer. An intake looks for half a second, also for a
/// Redis that was restarted and waits for other fronts.
#[derive(Clone)]
pub struct RedisStore {
    redis: Redis,
    inner: Arc<Inner>,
}

struct Inner {
    intakes: GroupCommit<Accepting>,
    settles: GroupCommit<Settling>,
    retention: Duration,
    /// Which roll-ups of days exist, as of the last summary.
    known: Mutex<Arc<BTreeSet<Known>>>,
}

impl RedisStore {
    /// The store at this URL. Redis need not be there yet; it is looked for from now on.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(config: RedisConfig) -> Self {
        let redis = Redis::new(&config);
        let accepting = Accepting {
            max_open: config.max_open,
        };
        Self {
            inner: Arc::new(Inner {
                intakes: GroupCommit::start(redis.writer(), accepting),
                settles: GroupCommit::start(redis.writer(), Settling),
                retention: config.retention,
                known: Mutex::default(),
            }),
            redis,
        }
    }

    /// The Redis that it is in, and how that is.
    pub fn redis(&self) -> &Redis {
        &self.redis
    }
}

impl Ledger for RedisStore {
    async fn summary(&self, window: Window) -> Result<Summary, LedgerFault> {
        self.redis.read_books(self.summarize(window)).await
    }

    async fn list(&self, listing: &Listing) -> Result<Page, LedgerFault> {
        self.redis.read_books(self.list_page(listing)).await
    }

    async fn find(&self, id: CorrelationId) -> Result<Option<PaymentState>, StoreFault> {
        self.look_up(id).await
    }

    async fn purge(&self) -> Result<Purge, StoreFault> {
        self.empty_ledger().await
    }
}

impl Store for RedisStore {
    fn write_back_from(&self, in_hand: Arc<dyn InHand>) {
        self.redis.write_back_from(in_hand);
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
        if self.redis.remembers_too_much() {
            return Err(StoreFault::Away);
        }
        // Nothing was done with either fault. The run opens when the last front has its connection
        // again, so whatever waited for Redis comes a moment too early. What Redis refuses by its
        // role, rights or data does not end so soon.
        let wait_until = Instant::now() + OPENING;
        loop {
            let intake = Intake::new(hold, payment, processor);
            match self.inner.intakes.take(intake, Pace::AtOnce).await {
                Err(StoreFault::Away | StoreFault::Closed)
                    if Instant::now() < wait_until && !self.redis.standstill().is_on() =>
                {
                    sleep(OPENING_LOOK).await;
                }
                answer => return answer,
            }
        }
    }

    async fn accept_many(
        &self,
        hold: &Hold,
        payments: &[(Payment, Option<&ProcessorName>)],
    ) -> Vec<Result<Accept, StoreFault>> {
        if self.redis.remembers_too_much() {
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
        self.redis.recent().len()
    }

    fn may_forget_enlistment(&self) -> bool {
        self.redis.recent().has_enlistment()
    }

    async fn beat(&self, holds: &[Hold]) -> Result<Beat, StoreFault> {
        self.heartbeat(holds).await
    }

    async fn resign(&self, hold: &Hold) -> Result<(), StoreFault> {
        let written = Written::Resign(hold.clone());
        self.redis
            .write(command::resign(hold), |_| Ok(((), Some(written))))
            .await
    }

    async fn adopt(&self, owner: &Incarnation, holder: &Incarnation) -> Result<Adopt, StoreFault> {
        let adopt = command::adopt(owner, holder);
        self.redis
            .write(adopt, |reply| match reply.word() {
                "adopted" => {
                    let hold = Hold {
                        owner: owner.clone(),
                        holder: holder.clone(),
                        epoch: reply.parsed(1)?,
                    };
                    self.redis.run().add_hold(&hold);
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
        self.redis
            .write(discharge, |reply| match reply.word() {
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

    async fn retire(&self) -> Result<Retire, StoreFault> {
        self.close_books().await
    }
}
