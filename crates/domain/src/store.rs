use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::{
    Accept, Adopt, Beat, Census, Confirm, CorrelationId, Enlist, Entry, Fee, Freed, Hold, InHand,
    Incarnation, LedgerFault, Listing, Note, Page, Payment, PaymentState, ProcessorName, Purge,
    Reject, Relocation, Rename, Restamp, Retire, Settle, Settlement, Site, StandBack, Summary,
    Window,
};

/// What is known of payments: sums, pages and single ones. A clone is the same ledger.
///
/// Dropping a returned future leaves the fate of a purge unknown, and else changes nothing.
pub trait Ledger: Clone + Send + Sync + 'static {
    /// What was settled in a window, to the microsecond or not at all.
    fn summary(&self, window: Window) -> impl Future<Output = Result<Summary, LedgerFault>> + Send;

    /// A page of single payments.
    fn list(&self, listing: &Listing) -> impl Future<Output = Result<Page, LedgerFault>> + Send;

    /// Where a payment stands, if it is known.
    fn find(
        &self,
        id: CorrelationId,
    ) -> impl Future<Output = Result<Option<PaymentState>, StoreFault>> + Send;

    /// Empties the ledger, unless payments are open.
    fn purge(&self) -> impl Future<Output = Result<Purge, StoreFault>> + Send;
}

/// The journal of open payments and the ledger of settled ones: in Redis in the product,
/// in memory in tests. Every method is one atomic step. A clone is the same store.
///
/// Dropping a returned future leaves the step's fate unknown, as [`StoreFault::Unknown`].
pub trait Store: Ledger {
    /// Where to find what has to be written back when the store's data was lost and an operator
    /// has let the fronts go on without it. A store that cannot lose any has no use for that.
    fn write_back_from(&self, in_hand: Arc<dyn InHand>) {
        drop(in_hand);
    }

    /// Registers a new incarnation as its own holder, its first heartbeat included, without a
    /// word of where it finds its processors.
    fn enlist(
        &self,
        incarnation: &Incarnation,
    ) -> impl Future<Output = Result<Hold, StoreFault>> + Send;

    /// As [`Store::enlist`], of one that comes with its processors. The store enters those that
    /// it does not know. For one that it knows at other URLs the same is asked twice, the second
    /// time with the reply to the first. A URL that is vouched for is then known as well; any
    /// other takes the place of the known ones, for which [`Store::census`] must have found no
    /// entry in between that names the processor. The store sees to it that nobody can have
    /// named it since.
    fn enlist_at(
        &self,
        incarnation: &Incarnation,
        sites: &[Site],
        seen: Option<&Relocation>,
    ) -> impl Future<Output = Result<Enlist, StoreFault>> + Send;

    /// Says which share each processor keeps, as this front is configured. What the front that
    /// came last has said stands.
    fn tell_fees(
        &self,
        fees: &[(ProcessorName, Fee)],
    ) -> impl Future<Output = Result<(), StoreFault>> + Send;

    /// Counts open entries by the processor that they name, in pages of which each is a step.
    /// Entries that are there all the time are counted at least once.
    fn census(&self, from: Option<u64>) -> impl Future<Output = Result<Census, StoreFault>> + Send;

    /// Writes a payment into the journal, naming the processor it is about to be sent to,
    /// or none when it is going to wait. Idempotent by id.
    fn accept(
        &self,
        hold: &Hold,
        payment: &Payment,
        processor: Option<&ProcessorName>,
    ) -> impl Future<Output = Result<Accept, StoreFault>> + Send;

    /// As [`Store::accept`] of each, in order. Each is a step of its own, whichever of them
    /// share a way to the store.
    fn accept_many(
        &self,
        hold: &Hold,
        payments: &[(Payment, Option<&ProcessorName>)],
    ) -> impl Future<Output = Vec<Result<Accept, StoreFault>>> + Send {
        async move {
            let mut accepts = Vec::with_capacity(payments.len());
            for (payment, processor) in payments {
                accepts.push(self.accept(hold, payment, *processor).await);
            }
            accepts
        }
    }

    /// Makes the entry name `to`, if it has been renamed `moves` times so far; then it has
    /// been once more. Idempotent: if it names `to` with `moves + 1` it is
    /// [`Rename::Named`] as well.
    fn rename(
        &self,
        hold: &Hold,
        id: CorrelationId,
        moves: u32,
        to: &ProcessorName,
    ) -> impl Future<Output = Result<Rename, StoreFault>> + Send;

    /// Records that a processor holds a payment and ends its journal entry. A fact, not a
    /// claim: it needs no hold and no open entry. Idempotent by id and processor.
    fn settle(
        &self,
        settlement: &Settlement,
    ) -> impl Future<Output = Result<Settle, StoreFault>> + Send;

    /// As [`Store::settle`], where nobody waits for the reply: it may wait a few
    /// milliseconds for others, to share a step with them.
    fn settle_unhurried(
        &self,
        settlement: &Settlement,
    ) -> impl Future<Output = Result<Settle, StoreFault>> + Send {
        self.settle(settlement)
    }

    /// Ends an entry that every processor refused, and keeps why for a time.
    fn reject(
        &self,
        hold: &Hold,
        payment: &Payment,
        why: &str,
    ) -> impl Future<Output = Result<Reject, StoreFault>> + Send;

    /// Notes under a hold that every attempt ever made at the processor that the entry names
    /// has ended, and that the last answer there was a no, if the entry has been renamed
    /// `moves` times. The caller makes no further attempt there before a renaming, whose moves
    /// then void the note. The note goes when the payment ends.
    fn note_answered(
        &self,
        hold: &Hold,
        id: CorrelationId,
        moves: u32,
    ) -> impl Future<Output = Result<Note, StoreFault>> + Send;

    /// The moves that were noted for entries of an owner, in the order of the ids; none where
    /// there is no note.
    fn answered(
        &self,
        owner: &Incarnation,
        ids: &[CorrelationId],
    ) -> impl Future<Output = Result<Vec<Option<u32>>, StoreFault>> + Send;

    /// Remembers that a payment leaves a processor because it is absent there, so that it can
    /// be looked up once more. The newest [`MAX_FREED`](crate::MAX_FREED) are kept. Of the same
    /// payment and processor the latest counts.
    fn note_freed(
        &self,
        payment: &Payment,
        processor: &ProcessorName,
    ) -> impl Future<Output = Result<(), StoreFault>> + Send;

    /// Payments that left a processor at least `age` ago by the store's clock, the oldest
    /// first, at most `limit`.
    fn freed(
        &self,
        age: Duration,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Freed>, StoreFault>> + Send;

    /// Forgets that a payment left a processor, unless it has left it again since.
    fn forget_freed(&self, freed: &Freed) -> impl Future<Output = Result<(), StoreFault>> + Send;

    /// Remembers that a payment is about to be settled at another time than its processor
    /// says. The newest [`MAX_RESTAMPED`](crate::MAX_RESTAMPED) are kept. Idempotent.
    fn note_restamp(
        &self,
        restamp: &Restamp,
    ) -> impl Future<Output = Result<(), StoreFault>> + Send;

    /// Remembers that the look-up of the processor of this name at this URL finds what it
    /// holds, or that it does not.
    fn trust_look_up(
        &self,
        processor: &ProcessorName,
        url: &str,
        trusted: bool,
    ) -> impl Future<Output = Result<(), StoreFault>> + Send;

    /// The processors whose look-ups are trusted, with the URLs at which they are.
    fn trusted_look_ups(
        &self,
    ) -> impl Future<Output = Result<Vec<(ProcessorName, String)>, StoreFault>> + Send;

    /// The processors from which the fronts are to stand back.
    fn stand_backs(&self) -> impl Future<Output = Result<Vec<StandBack>, StoreFault>> + Send;

    /// Writes down under a front's hold of its own payments that it has nothing in flight at a
    /// processor and starts nothing there as long as the order to stand back has this token.
    fn confirm_stand_back(
        &self,
        own: &Hold,
        processor: &ProcessorName,
        token: &str,
    ) -> impl Future<Output = Result<Confirm, StoreFault>> + Send;

    /// How many steps of this process the store has acknowledged and may still forget if it is
    /// killed, as of its last answer.
    fn forgettable(&self) -> usize {
        0
    }

    /// Whether the store may still forget that this process was enlisted. Until then nobody may
    /// know that there is something to wait for when it has forgotten.
    fn may_forget_enlistment(&self) -> bool {
        false
    }

    /// Says that `holder` lives, for all its holds at once.
    fn beat(&self, holds: &[Hold]) -> impl Future<Output = Result<Beat, StoreFault>> + Send;

    /// Says that a hold's holder is going: its owner may be adopted at once.
    fn resign(&self, hold: &Hold) -> impl Future<Output = Result<(), StoreFault>> + Send;

    /// Takes over all entries of an owner whose holder has been silent for
    /// [`LAPSE`](crate::LAPSE).
    fn adopt(
        &self,
        owner: &Incarnation,
        holder: &Incarnation,
    ) -> impl Future<Output = Result<Adopt, StoreFault>> + Send;

    /// Forgets an owner that has no open payments left; true when it is forgotten, false
    /// when it still has some or the hold is no longer good.
    fn discharge(&self, hold: &Hold) -> impl Future<Output = Result<bool, StoreFault>> + Send;

    /// Up to `limit` open entries of an owner in order of acceptance, after `after` (an
    /// entry read before, which need not be open any longer), else from the oldest.
    fn queued(
        &self,
        owner: &Incarnation,
        after: Option<&Entry>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Entry>, StoreFault>> + Send;

    /// Closes the books of hours that are older than the retention, and forgets single
    /// payments a day later: a bounded number of them, so that nobody waits for it.
    /// Anybody may call it at any time.
    fn retire(&self) -> impl Future<Output = Result<Retire, StoreFault>> + Send;
}

/// A step that was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreFault {
    /// It was not carried out and will not be.
    #[error("the store cannot be reached")]
    Away,
    /// The store refused it for want of memory; it was not carried out.
    #[error("the store is full")]
    Full,
    /// The store may have forgotten what it answered lately, and waits for the fronts that remember
    /// it; it was not carried out.
    #[error(
        "the store was restarted and is waiting for the fronts to repeat what it may have forgotten"
    )]
    Closed,
    /// It was sent, and nobody knows whether it was or will be carried out.
    #[error("the store did not answer")]
    Unknown,
}
