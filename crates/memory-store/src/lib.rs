//! The store in memory, for tests: the same steps on tokio's clock, which can be paused.

mod acknowledged;
mod books;
mod departures;
mod inspection;
mod journal;
mod resolution;
mod restamps;
mod runs;
mod stand_back;
mod state;
mod statement;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use feeway_domain::{
    Accept, Adopt, Beat, Census, Confirm, CorrelationId, Enlist, Entry, Fee, Freed, Hold,
    Incarnation, JournalTime, Ledger, LedgerFault, Listed, Listing, Note, Page, Payment,
    PaymentState, ProcessorName, Purge, Reject, Relocation, Rename, Resolution, Restamp, Retire,
    Settle, Settlement, Site, StandBack, Status, Store, StoreFault, Summary, Window,
};
use tokio::time::Instant;

pub use acknowledged::Acknowledged;

use books::Books;
use departures::Departures;
use journal::Journal;
use restamps::Restamps;
use runs::Runs;
use stand_back::StandBacks;

/// 2025-07-01T00:00:00Z, when every store in memory begins.
const BEGINNING_MICROS: i64 = 1_751_328_000_000_000;

/// The journal and the ledger in memory. A clone is the same store. It never fails and
/// never waits; a test wraps it to make it do either.
///
/// It has an order for everything, so a test that is repeated sees the same.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    /// How often it forgot, as if it had been started again.
    runs: Arc<AtomicU64>,
    /// The run to which whoever has this handle has repeated everything; the present one unless
    /// given.
    repeated_in: Option<u64>,
    began: Instant,
    max_open: u64,
    retention: Duration,
}

/// All that a [`MemoryStore`] held at one moment.
#[derive(Clone, Debug)]
pub struct MemorySnapshot(State);

#[derive(Clone, Debug, Default)]
struct State {
    journal: Journal,
    books: Books,
    /// Oldest first.
    resolutions: VecDeque<Resolution>,
    departures: Departures,
    restamps: Restamps,
    runs: Runs,
    /// Where the look-ups are trusted.
    look_ups: BTreeMap<ProcessorName, String>,
    stand_backs: StandBacks,
    /// The share that each processor keeps, as fronts have said.
    fees: BTreeMap<ProcessorName, Fee>,
    /// How often everything was purged.
    generation: u64,
    /// Whether anything new was taken since the store last forgot.
    has_taken: bool,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(u64::MAX, Duration::from_secs(7 * 24 * 3_600))
    }
}

impl MemoryStore {
    /// An empty store that takes so many open payments and keeps single ones so long.
    pub fn new(max_open: u64, retention: Duration) -> Self {
        Self {
            state: Arc::default(),
            runs: Arc::default(),
            repeated_in: None,
            began: Instant::now(),
            max_open,
            retention,
        }
    }

    /// The store's clock: it began in July 2025 and runs with tokio's.
    pub fn now(&self) -> JournalTime {
        let passed = i64::try_from(self.began.elapsed().as_micros()).unwrap_or(i64::MAX);
        JournalTime::from_micros(BEGINNING_MICROS.saturating_add(passed))
    }

    /// Now, and until when what is rejected now is kept.
    fn rejection_times(&self) -> (JournalTime, JournalTime) {
        let now = self.now();
        let until = now.micros().saturating_add(self.retention_micros());
        (now, JournalTime::from_micros(until))
    }

    fn retention_micros(&self) -> i64 {
        i64::try_from(self.retention.as_micros()).unwrap_or(i64::MAX)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under this lock")
    }
}

impl Ledger for MemoryStore {
    async fn summary(&self, window: Window) -> Result<Summary, LedgerFault> {
        let mut state = self.state();
        self.check_open(&mut state)?;
        state.books.summary(window)
    }

    async fn list(&self, listing: &Listing) -> Result<Page, LedgerFault> {
        let mut state = self.state();
        self.check_open(&mut state)?;
        match listing.listed {
            Listed::Settled | Listed::Conflict => state.books.list(listing),
            Listed::Open | Listed::Pinned | Listed::Rejected => {
                Ok(state.journal.list(listing, self.now()))
            }
        }
    }

    async fn find(&self, id: CorrelationId) -> Result<Option<PaymentState>, StoreFault> {
        let mut state = self.state();
        let known = state.known(id, self.now());
        if known.is_none() {
            self.check_open(&mut state)?;
        }
        Ok(known)
    }

    async fn purge(&self) -> Result<Purge, StoreFault> {
        let mut state = self.state();
        self.check_open(&mut state)?;
        let open = state.journal.open();
        if open > 0 {
            return Ok(Purge::Open(u64::try_from(open).unwrap_or(u64::MAX)));
        }
        state.forget_all();
        state.generation += 1;
        Ok(Purge::Purged)
    }
}

impl Store for MemoryStore {
    async fn enlist(&self, incarnation: &Incarnation) -> Result<Hold, StoreFault> {
        let journal = &mut self.state().journal;
        let hold = journal.enlist(incarnation, self.now());
        journal.tell_run(&hold, self.claim(), self.run(), self.now());
        Ok(hold)
    }

    async fn enlist_at(
        &self,
        incarnation: &Incarnation,
        sites: &[Site],
        seen: Option<&Relocation>,
    ) -> Result<Enlist, StoreFault> {
        let now = self.now();
        let mut state = self.state();
        if state.journal.is_relocated(sites) {
            self.check_open(&mut state)?;
        }
        let journal = &mut state.journal;
        let enlisted = journal.enlist_at(incarnation, sites, seen, now);
        if let Enlist::Enlisted(hold) = &enlisted {
            journal.tell_run(hold, self.claim(), self.run(), now);
        }
        Ok(enlisted)
    }

    async fn tell_fees(&self, fees: &[(ProcessorName, Fee)]) -> Result<(), StoreFault> {
        self.state().fees.extend(fees.iter().cloned());
        Ok(())
    }

    async fn census(&self, _from: Option<u64>) -> Result<Census, StoreFault> {
        Ok(self.state().journal.census())
    }

    async fn accept(
        &self,
        hold: &Hold,
        payment: &Payment,
        processor: Option<&ProcessorName>,
    ) -> Result<Accept, StoreFault> {
        let now = self.now();
        let mut state = self.state();
        if let Some(known) = state.known(payment.id, now) {
            if known.amount != payment.amount {
                return Ok(Accept::AmountDiffers);
            }
            state.promise(
                &Entry {
                    payment: *payment,
                    owner: hold.owner.clone(),
                    processor: None,
                    moves: 0,
                    accepted_at: now,
                },
                now,
            );
            return Ok(match known.status {
                Status::Open { .. } => Accept::Known,
                Status::Settled { .. } | Status::Rejected { .. } | Status::Conflict { .. } => {
                    Accept::Ended
                }
            });
        }
        if !state.journal.is_good(hold) {
            return Ok(Accept::Fenced);
        }
        self.check_open(&mut state)?;
        if u64::try_from(state.journal.open()).unwrap_or(u64::MAX) >= self.max_open {
            return Ok(Accept::Full);
        }
        state.journal.insert(Entry {
            payment: *payment,
            owner: hold.owner.clone(),
            processor: processor.cloned(),
            moves: 0,
            accepted_at: now,
        });
        state.has_taken = true;
        Ok(Accept::Kept { accepted_at: now })
    }

    async fn rename(
        &self,
        hold: &Hold,
        id: CorrelationId,
        moves: u32,
        to: &ProcessorName,
    ) -> Result<Rename, StoreFault> {
        Ok(self.state().journal.rename(hold, id, moves, to))
    }

    async fn settle(&self, settlement: &Settlement) -> Result<Settle, StoreFault> {
        Ok(self.state().settle(settlement, self.now()))
    }

    async fn reject(
        &self,
        hold: &Hold,
        payment: &Payment,
        why: &str,
    ) -> Result<Reject, StoreFault> {
        let times = self.rejection_times();
        Ok(self.state().journal.reject(hold, payment.id, why, times))
    }

    async fn note_answered(
        &self,
        hold: &Hold,
        id: CorrelationId,
        moves: u32,
    ) -> Result<Note, StoreFault> {
        Ok(self.state().journal.note_answered(hold, id, moves))
    }

    async fn answered(
        &self,
        owner: &Incarnation,
        ids: &[CorrelationId],
    ) -> Result<Vec<Option<u32>>, StoreFault> {
        Ok(self.state().journal.answered(owner, ids))
    }

    async fn note_freed(
        &self,
        payment: &Payment,
        processor: &ProcessorName,
    ) -> Result<(), StoreFault> {
        let now = self.now();
        self.state().departures.note(payment, processor, now);
        Ok(())
    }

    async fn freed(&self, age: Duration, limit: usize) -> Result<Vec<Freed>, StoreFault> {
        Ok(self.state().departures.list(self.now(), age, limit))
    }

    async fn forget_freed(&self, freed: &Freed) -> Result<(), StoreFault> {
        self.state().departures.forget(freed);
        Ok(())
    }

    async fn note_restamp(&self, restamp: &Restamp) -> Result<(), StoreFault> {
        let now = self.now();
        self.state().restamps.note(restamp, now);
        Ok(())
    }

    async fn trust_look_up(
        &self,
        processor: &ProcessorName,
        url: &str,
        trusted: bool,
    ) -> Result<(), StoreFault> {
        let mut state = self.state();
        if trusted {
            state.look_ups.insert(processor.clone(), url.to_owned());
        } else {
            state.distrust(processor, url);
        }
        Ok(())
    }

    async fn trusted_look_ups(&self) -> Result<Vec<(ProcessorName, String)>, StoreFault> {
        Ok(self.state().look_ups.clone().into_iter().collect())
    }

    async fn stand_backs(&self) -> Result<Vec<StandBack>, StoreFault> {
        Ok(self.state().stand_backs.list(self.run()))
    }

    async fn confirm_stand_back(
        &self,
        own: &Hold,
        processor: &ProcessorName,
        token: &str,
    ) -> Result<Confirm, StoreFault> {
        let mut state = self.state();
        if !state.journal.is_good(own) {
            return Ok(Confirm::Fenced);
        }
        if state.stand_backs.token(processor, self.run()).as_deref() != Some(token) {
            return Ok(Confirm::Stale);
        }
        state.journal.confirm(&own.owner, processor, token);
        Ok(Confirm::Confirmed)
    }

    async fn beat(&self, holds: &[Hold]) -> Result<Beat, StoreFault> {
        let (journal, now) = (&mut self.state().journal, self.now());
        journal.find_run(self.run(), now);
        let mut beat = journal.beat(holds, self.claim(), now);
        beat.is_open = journal.find_run(self.run(), now);
        Ok(beat)
    }

    async fn resign(&self, hold: &Hold) -> Result<(), StoreFault> {
        self.state().journal.resign(hold);
        Ok(())
    }

    async fn adopt(&self, owner: &Incarnation, holder: &Incarnation) -> Result<Adopt, StoreFault> {
        let mut state = self.state();
        self.check_open(&mut state)?;
        Ok(state.journal.adopt(owner, holder, self.now()))
    }

    async fn discharge(&self, hold: &Hold) -> Result<bool, StoreFault> {
        let mut state = self.state();
        self.check_open(&mut state)?;
        Ok(state.journal.discharge(hold))
    }

    async fn queued(
        &self,
        owner: &Incarnation,
        after: Option<&Entry>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreFault> {
        Ok(self.state().journal.queued(owner, after, limit))
    }

    async fn retire(&self) -> Result<Retire, StoreFault> {
        let now = self.now();
        let mut state = self.state();
        let kept_from = state.books.retire(now.micros(), self.retention_micros());
        state.journal.retire(now);
        state.runs.retire(kept_from);
        Ok(Retire::Done)
    }
}
