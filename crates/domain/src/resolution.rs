//! What an operator decides about a payment whose processor never comes back.

use std::future::Future;
use std::time::Duration;

use crate::{
    CorrelationId, Entry, Fee, Fronts, Hold, Incarnation, JournalTime, LAPSE, Line, Money,
    ProcessorName, RecordedRun, RequestedAt, Restamped, Run, RunPage, Settle, Settlement,
    StandBack, Stated, Store, StoreFault, Undo,
};

/// How many resolutions are kept; the oldest go first. At about 200 bytes each, 2 MB.
pub const MAX_RESOLUTIONS: usize = 10_000;

/// Who holds the entries of an owner after an operator's no that nobody lived to be asked about.
/// It never beats, so the next front adopts them at once.
pub const RELEASED: &str = "feeway-ctl";

/// An open entry, and who has it in hand as far as the journal knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Custody {
    /// The entry as it was read.
    pub entry: Entry,
    /// Who works on its owner's entries; none when nobody is known to.
    pub hold: Option<Hold>,
    /// The holder's last heartbeat; none when it has resigned.
    pub beat: Option<JournalTime>,
    /// The store's clock when this was read.
    pub now: JournalTime,
}

impl Custody {
    /// How long the holder has been silent by the store's clock; none when it has resigned.
    pub fn silence(&self) -> Option<Duration> {
        self.beat.map(|beat| beat.age(self.now))
    }

    /// Whether the holder has been silent for [`LAPSE`], or has resigned.
    pub fn is_lapsed(&self) -> bool {
        self.silence().is_none_or(|silence| silence >= LAPSE)
    }

    /// Whether an operator has let go of another payment of the same owner, and nobody has
    /// taken the owner over since.
    pub fn is_released(&self) -> bool {
        let holder = self.hold.as_ref().map(|hold| hold.holder.as_str());
        holder == Some(RELEASED) && self.beat.is_none()
    }

    /// Whether nothing has happened between the two: the same entry in the same hands,
    /// without a heartbeat.
    pub fn is_unchanged(&self, since: &Self) -> bool {
        self.entry == since.entry && self.hold == since.hold && self.beat == since.beat
    }
}

/// All that the store knows of one payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What a listing says of it: one line, or one for each holder of a conflict.
    pub lines: Vec<Line>,
    /// Who has it in hand, while it is open.
    pub custody: Option<Custody>,
}

/// What the operator vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The processor that the entry names holds the payment.
    Held {
        /// The instant in its books.
        requested_at: RequestedAt,
        /// Its fee in force then.
        fee: Fee,
    },
    /// That processor does not hold the payment and will never take it, whoever asks it,
    /// and whatever of earlier attempts may still be under way.
    NotHeld,
}

/// Why nobody can be sending a payment to the processor that its entry names, or any payment
/// to a processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nobody has it in hand: the custody that was seen has lapsed. Of a processor: no front
    /// lives.
    Silence,
    /// Every front that lives, and whoever has the payment in hand, has confirmed this token
    /// of the order to stand back from that processor.
    StoodBack(String),
}

/// The reply to a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolve {
    /// The processor's yes is in the ledger, now or from an earlier time.
    Settled(Settle),
    /// The entry names no processor any longer, now or from an earlier time: the next front
    /// may send it to any.
    Released,
    /// It is no longer as it was read, its holder has been heard of since, or not all stand
    /// back: nothing happened.
    Changed,
    /// It is not open: nothing happened.
    Gone,
    /// Its entry names no processor: nothing happened.
    Unnamed,
}

/// The reply to taking a rejection back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reopen {
    /// It is open again, now or from an earlier time, and names no processor.
    Reopened,
    /// It was never rejected, or reopened by somebody else: nothing happened.
    Open,
    /// A processor holds it: nothing happened.
    Settled,
    /// Nobody knows it, any longer at least: nothing happened.
    Unknown,
}

/// What an operator decided, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// A payment that was pinned to a processor is resolved.
    Resolved {
        /// Which processor.
        processor: ProcessorName,
        /// What was vouched for.
        verdict: Verdict,
    },
    /// A rejected payment is open again.
    Reopened {
        /// Why it was rejected.
        reason: String,
    },
}

/// A decision that was carried out, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// When, by the store's clock.
    pub at: JournalTime,
    /// Which payment.
    pub id: CorrelationId,
    /// Its amount.
    pub amount: Money,
    /// What was decided.
    pub decided: Decided,
    /// By whom.
    pub by: String,
}

/// What a store offers to an operator.
pub trait Resolutions: Store {
    /// All that is known of a payment, if it is known.
    fn case(
        &self,
        id: CorrelationId,
    ) -> impl Future<Output = Result<Option<Case>, StoreFault>> + Send;

    /// Carries out a verdict and records it, in one step, if the entry is still as it was seen
    /// and the proof still holds. Idempotent: the same call again, after an answer was lost,
    /// says what the first one would have said.
    ///
    /// With [`Proof::Silence`] the entry is still in the custody that was seen and that has
    /// lapsed. After [`Verdict::NotHeld`] the hold that was seen is good no longer, so whoever
    /// had it and wakes up late can neither rename nor reject. The caller has to have seen the
    /// same custody for [`LAPSE`] by a clock of its own, with the store answering all the time:
    /// the store's clock alone may have leapt, and after the store was away every holder seems
    /// to be silent.
    ///
    /// With [`Proof::StoodBack`] the hold stays good: the front that has it has nothing of this
    /// payment in hand.
    fn resolve(
        &self,
        seen: &Custody,
        verdict: &Verdict,
        proof: &Proof,
        by: &str,
    ) -> impl Future<Output = Result<Resolve, StoreFault>> + Send;

    /// Takes a rejection back and records it, in one step: the payment is open again, with its
    /// time of acceptance, names no processor and has been renamed once more than ever before,
    /// so that nothing that happened before the rejection is taken for a later state. It
    /// belongs to `owner`, whom nobody holds: the next front adopts it at its next heartbeat.
    /// Idempotent for one owner, which the caller makes unique for each time it decides.
    fn reopen(
        &self,
        id: CorrelationId,
        owner: &Incarnation,
        by: &str,
    ) -> impl Future<Output = Result<Reopen, StoreFault>> + Send;

    /// What the last order to stand back from a processor was, in force or ended, for the next
    /// one to build on; none when there never was one. It is the same in every run of the store.
    fn last_stand_back(
        &self,
        processor: &ProcessorName,
    ) -> impl Future<Output = Result<Option<String>, StoreFault>> + Send;

    /// Tells the fronts to stand back from a processor, or to confirm anew that they do, if the
    /// last order is still `after`, as [`Self::last_stand_back`] gave it; else nothing happens.
    /// So a call that is carried out late, when its caller has given up, cannot bring back an
    /// order that somebody has ended since. Gives back the order as the fronts will read it.
    ///
    /// The caller makes a token that nobody had before, without `|` and `@`, and no `-` in front.
    /// Idempotent: the same call again gives the same order while that is the last one.
    fn stand_back(
        &self,
        processor: &ProcessorName,
        after: Option<&str>,
        token: &str,
        by: &str,
    ) -> impl Future<Output = Result<Option<StandBack>, StoreFault>> + Send;

    /// Ends the order to stand back from a processor if it is still the one that was read with
    /// this token, in whichever run of the store; false when it is another one. Idempotent: true
    /// again while it is the last one.
    fn end_stand_back(
        &self,
        processor: &ProcessorName,
        token: &str,
    ) -> impl Future<Output = Result<bool, StoreFault>> + Send;

    /// Settles a payment that a processor's export has and the ledger has not, in one step,
    /// unless something speaks against it, and records it with its run. `slip` is how far that
    /// processor's clock may be off. Idempotent within the run.
    fn settle_stated(
        &self,
        settlement: &Settlement,
        run: &Run,
        slip: Duration,
        proof: &Proof,
    ) -> impl Future<Output = Result<Stated, StoreFault>> + Send;

    /// The last [`MAX_RUNS`](crate::MAX_RUNS) runs that settled something, oldest first.
    fn runs(&self) -> impl Future<Output = Result<Vec<RecordedRun>, StoreFault>> + Send;

    /// Payments that a run settled, as far as they are kept.
    fn run_payments(
        &self,
        run: &str,
        from: Option<u64>,
    ) -> impl Future<Output = Result<RunPage, StoreFault>> + Send;

    /// Takes a settlement of a run back and records that, in one step, if nothing else has
    /// touched the payment since: it is out of every sum and listing. If it was open it is
    /// open again as it was, with one move more, and belongs to `owner`, whom nobody holds: the
    /// next front adopts it at its next heartbeat. Idempotent.
    fn undo_stated(
        &self,
        run: &str,
        settlement: &Settlement,
        owner: &Incarnation,
        by: &str,
    ) -> impl Future<Output = Result<Undo, StoreFault>> + Send;

    /// The shares that fronts have said processors keep, in the order of their names.
    fn fees(&self) -> impl Future<Output = Result<Vec<(ProcessorName, Fee)>, StoreFault>> + Send;

    /// Everybody who owns open payments, and who has confirmed what.
    fn fronts(&self) -> impl Future<Output = Result<Fronts, StoreFault>> + Send;

    /// The last [`MAX_RESOLUTIONS`] decisions, oldest first.
    fn resolutions(&self) -> impl Future<Output = Result<Vec<Resolution>, StoreFault>> + Send;

    /// The last [`MAX_RESTAMPED`](crate::MAX_RESTAMPED) payments that are booked at another
    /// time than their processor says, oldest first.
    fn restamped(&self) -> impl Future<Output = Result<Vec<Restamped>, StoreFault>> + Send;
}
