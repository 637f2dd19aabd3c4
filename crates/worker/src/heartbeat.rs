//! Says that this front lives, notices which fronts no longer do, and adopts what they
//! have open.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use feeway_domain::{
    Adopt, Beat, Cause, HEARTBEAT, Hold, Incarnation, LAPSE, ProcessorClient, RequestedAt, Store,
    StoreFault,
};
use feeway_jobs::tenure::Tenure;
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::context::Context;
use crate::enlist::enlist;
use crate::feeder::feed;
use crate::stand_back::StandBacks;

/// How often a front looks whether an order to stand back is carried out.
const LOOK: Duration = Duration::from_millis(100);

/// How often a front says that it lives while somebody waits for what that changes.
const HASTE: Duration = Duration::from_millis(200);

/// How long a heartbeat may take whose answer tells what time it is: half of this is how far
/// stamps by Redis's clock may be off.
const PROMPT: Duration = Duration::from_secs(1);

/// A front whose clock is further off than this from Redis's accepts no new payments.
const FAR_OFF: Duration = Duration::from_secs(60);

/// After so many beats what cannot be worked on here is counted anew: an operator may have ended
/// some of it and then not given the order anew, and one that is counted and gone hides one that
/// was accepted without our knowing. To count is to read all that is open, so not too often.
const RECOUNT: u32 = 300;

/// Runs until the worker ends.
pub(crate) async fn beat_for_ever<S: Store, C: ProcessorClient>(context: Arc<Context<S, C>>) {
    let mut heartbeat = Heartbeat {
        context,
        lives: 0,
        has_enlisted: false,
        adopt_from: None,
        arrivals: (0, Instant::now()),
        stand_backs: StandBacks::default(),
        beats: 0,
        is_closed: false,
    };
    let mut backoff = Backoff::default();
    loop {
        if heartbeat.beat().await.is_ok() {
            backoff = Backoff::default();
            heartbeat.rest().await;
        } else {
            // Others may have been unable to beat as well: nobody adopts in the first
            // period after the store came back.
            heartbeat.adopt_from = None;
            backoff.pause().await;
        }
    }
}

struct Heartbeat<S: Store, C: ProcessorClient> {
    context: Arc<Context<S, C>>,
    /// Incarnations that this process has had.
    lives: u64,
    /// Whether one of them got its place in the journal.
    has_enlisted: bool,
    /// When others may be adopted.
    adopt_from: Option<Instant>,
    /// Payments accepted until the last beat, and when that was.
    arrivals: (u64, Instant),
    stand_backs: StandBacks,
    beats: u32,
    /// The store waits for those who remember what it may have forgotten.
    is_closed: bool,
}

impl<S: Store, C: ProcessorClient> Heartbeat<S, C> {
    async fn beat(&mut self) -> Result<(), StoreFault> {
        if self.context.tenures.own().is_none() {
            self.enlist().await?;
        }
        let tenures = self.context.tenures.all();
        let holds: Vec<Hold> = tenures.iter().map(|tenure| tenure.hold.clone()).collect();
        let asked = (self.context.config.clock.now(), Instant::now());
        let beat = self.context.store.beat(&holds).await?;
        self.note(&beat, asked);
        self.is_closed = !beat.is_open;
        self.note_arrivals();
        self.read_stand_backs().await?;
        self.beats = self.beats.wrapping_add(1);
        for (tenure, queued) in tenures.iter().zip(&beat.queued) {
            self.look_after(tenure, *queued).await?;
        }
        self.note_lasting();
        if self.context.tenures.own().is_none() {
            self.enlist().await?;
        }
        self.adopt_lapsed(beat).await?;
        self.stand_backs.confirm(&self.context).await
    }

    /// Until the next beat is due, or the own hold is lost.
    async fn rest(&mut self) {
        // What waits for the next beat of all: that nobody has to be waited for, or that nothing
        // can be forgotten any longer.
        let is_awaited = self.is_closed || self.context.is_draining();
        let until = Instant::now() + if is_awaited { HASTE } else { HEARTBEAT };
        loop {
            let look = if self.stand_backs.are_owed() {
                until.min(Instant::now() + LOOK)
            } else {
                until
            };
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(look) => {}
                () = self.context.hold_lost.notified() => return,
            }
            if look == until || self.stand_backs.confirm(&self.context).await.is_err() {
                tokio::time::sleep_until(until).await;
                return;
            }
        }
    }

    fn note_lasting(&self) {
        if let Some(own) = self.context.tenures.own()
            && !own.is_lasting()
            && !self.context.store.may_forget_enlistment()
        {
            own.set_lasting();
        }
    }

    async fn read_stand_backs(&mut self) -> Result<(), StoreFault> {
        let orders = self.context.store.stand_backs().await?;
        self.stand_backs.follow(&self.context, orders);
        Ok(())
    }

    /// What the reply tells of the clocks and of the backlog.
    fn note(&self, beat: &Beat, (asked, since): (RequestedAt, Instant)) {
        let meters = &self.context.meters;
        let took = since.elapsed();
        // Redis read its clock somewhere between the question and the answer. When one of us slept
        // in between, that says nothing, and our own monotonic clock is better.
        if took <= PROMPT {
            self.context.set_journal_clock(beat.now, since + took / 2);
            let answered = self.context.config.clock.now();
            let middle = asked.micros().midpoint(answered.micros());
            let offset = middle.saturating_sub(beat.now.micros());
            meters.set_clock_offset(offset);
            self.judge_clock(offset);
        }
        meters.set_open(beat.queued.iter().flatten().sum());
    }

    /// Stamps go by Redis's clock before it comes to this. But a machine whose clock is that wrong
    /// is not one to trust with new payments.
    fn judge_clock(&self, offset_micros: i64) {
        let standstill = &self.context.config.standstill;
        if Duration::from_micros(offset_micros.unsigned_abs()) <= FAR_OFF {
            if standstill.end(Cause::Clock) {
                tracing::info!(
                    "the clock of this front agrees with Redis's again: new payments are accepted"
                );
            }
            return;
        }
        let side = if offset_micros > 0 {
            "ahead of"
        } else {
            "behind"
        };
        let why = format!("the clock of this front is more than a minute {side} Redis's");
        if standstill.begin(Cause::Clock, &why) {
            tracing::error!(
                offset_ms = offset_micros / 1_000,
                "{why}: new payments are refused"
            );
        }
    }

    fn note_arrivals(&mut self) {
        let catch_up = &self.context.catch_up;
        let (before, since) = self.arrivals;
        let (arrivals, now) = (catch_up.arrivals(), Instant::now());
        catch_up.set_arrival_rate(arrivals - before, now - since);
        self.arrivals = (arrivals, now);
    }

    /// Begins a new incarnation. Should the reply be lost, the incarnation nobody uses
    /// lapses and is adopted with nothing in it.
    async fn enlist(&mut self) -> Result<(), StoreFault> {
        self.lives += 1;
        let incarnation = Incarnation::new(&format!("{}.{}", self.context.config.life, self.lives));
        let hold = match enlist(&self.context, &incarnation, !self.has_enlisted).await? {
            Ok(hold) => hold,
            Err(moved) => {
                self.context.refusal.send_replace(Some(moved));
                // Nothing can be done without a place in the journal; the process ends.
                return std::future::pending().await;
            }
        };
        self.has_enlisted = true;
        // Whoever ordered it before we enlisted does not know us; whoever does it later waits
        // for us.
        self.read_stand_backs().await?;
        tracing::info!(%incarnation, "enlisted");
        self.take_on(hold);
        self.note_lasting();
        self.context.enlisted.notify_waiters();
        Ok(())
    }

    fn take_on(&self, hold: Hold) -> Arc<Tenure> {
        let tenure = Tenure::new(hold);
        self.context.tenures.add(Arc::clone(&tenure));
        self.context
            .tasks
            .spawn(feed(Arc::clone(&self.context), Arc::clone(&tenure)));
        tenure
    }

    async fn look_after(&self, tenure: &Tenure, queued: Option<u64>) -> Result<(), StoreFault> {
        match queued {
            None => {
                tracing::warn!(owner = %tenure.hold.owner, "hold lost: another front took over");
                self.let_go(tenure);
                self.give_up_adopted(tenure).await?;
            }
            Some(0) if !tenure.is_own() && !self.is_closed => {
                if self.context.store.discharge(&tenure.hold).await? {
                    tracing::info!(owner = %tenure.hold.owner, "adopted payments are all done");
                    self.let_go(tenure);
                }
            }
            // A step under it was refused, and yet it is good. Nobody works under it any longer,
            // and our beats would keep its payments from everybody.
            Some(_) if tenure.is_lost() => {
                tracing::warn!(owner = %tenure.hold.owner, "a hold that seemed lost is still ours: giving it up");
                self.context.store.resign(&tenure.hold).await?;
                self.let_go(tenure);
            }
            // Accepted without our knowing: the reply was lost, or came too late.
            Some(queued) if queued > tenure.accounted_for() as u64 => tenure.fall_behind(),
            // Some that nobody here could work on have ended: an operator decided about them.
            Some(queued) if queued < tenure.unplaceable.load(Ordering::Relaxed) as u64 => {
                tenure.fall_behind();
            }
            Some(_) if self.beats.is_multiple_of(RECOUNT) && tenure.has_unplaceable() => {
                tenure.fall_behind();
            }
            Some(_) => {}
        }
        Ok(())
    }

    fn let_go(&self, tenure: &Tenure) {
        tenure.lose();
        self.context.tenures.remove(&tenure.hold);
    }

    /// What an incarnation adopted goes with its own hold: an incarnation without a record of its
    /// own can confirm nothing, and whoever waited for its word would do so for ever.
    async fn give_up_adopted(&self, lost: &Tenure) -> Result<(), StoreFault> {
        for tenure in self.context.tenures.all() {
            if lost.is_own() && tenure.hold.holder == lost.hold.holder {
                self.context.store.resign(&tenure.hold).await?;
                self.let_go(&tenure);
            }
        }
        Ok(())
    }

    async fn adopt_lapsed(&mut self, beat: Beat) -> Result<(), StoreFault> {
        let now = Instant::now();
        let adopt_from = *self.adopt_from.get_or_insert(now + LAPSE);
        if now < adopt_from || !beat.is_open || self.context.is_draining() {
            return Ok(());
        }
        let Some(own) = self.context.tenures.own() else {
            return Ok(());
        };
        for owner in beat.lapsed {
            match self.context.store.adopt(&owner, &own.hold.holder).await? {
                Adopt::Adopted(hold) => {
                    tracing::info!(%owner, epoch = hold.epoch, "adopted");
                    self.context.meters.adoptions.increment(1);
                    self.take_on(hold).fall_behind();
                }
                Adopt::Refused => {}
            }
        }
        Ok(())
    }
}
