use feeway_books::listing;
use feeway_domain::{
    CorrelationId, Entry, Hold, Incarnation, JournalTime, Line, Payment, Reject, Reopen,
};

use crate::journal::Journal;

/// What is known of a payment that every processor declined.
#[derive(Clone, Debug)]
pub(crate) struct Rejected {
    /// As it was at the end.
    entry: Entry,
    at: JournalTime,
    until: JournalTime,
    why: String,
}

impl Journal {
    pub(crate) fn reject(
        &mut self,
        hold: &Hold,
        id: CorrelationId,
        why: &str,
        (at, until): (JournalTime, JournalTime),
    ) -> Reject {
        let Some(entry) = self.open.get(&id) else {
            return Reject::Gone;
        };
        if !self.is_good(hold) {
            return Reject::Fenced;
        }
        // An earlier call rejected it, and somebody reopened it since.
        if entry.owner != hold.owner {
            return Reject::Gone;
        }
        let rejected = Rejected {
            entry: entry.clone(),
            at,
            until,
            why: why.to_owned(),
        };
        self.rejected.insert(id, rejected);
        self.remove(id);
        Reject::Rejected
    }

    pub(crate) fn is_rejected(&self, id: CorrelationId, now: JournalTime) -> bool {
        self.rejected(id, now).is_some()
    }

    fn rejected(&self, id: CorrelationId, now: JournalTime) -> Option<&Rejected> {
        self.rejected.get(&id).filter(|kept| now < kept.until)
    }

    /// When and why a payment was rejected.
    pub(crate) fn rejection(&self, id: CorrelationId, now: JournalTime) -> Option<Line> {
        let kept = self.rejected(id, now)?;
        let amount = kept.entry.payment.amount;
        let line = listing::rejected_line(id, amount, kept.at, kept.why.clone());
        Some(line)
    }

    /// The entry of a payment when it was rejected.
    pub(crate) fn rejected_entry(&self, id: CorrelationId, now: JournalTime) -> Option<Entry> {
        self.rejected(id, now).map(|kept| kept.entry.clone())
    }

    /// As the function `reopen`, of a payment that no processor holds. Also says why it had been
    /// rejected, if it is open only now.
    pub(crate) fn reopen(
        &mut self,
        id: CorrelationId,
        owner: &Incarnation,
        now: JournalTime,
    ) -> (Reopen, Option<(Payment, String)>) {
        if let Some(entry) = self.open.get(&id) {
            let is_ours = entry.owner == *owner;
            let reply = if is_ours {
                Reopen::Reopened
            } else {
                Reopen::Open
            };
            return (reply, None);
        }
        if !self.is_rejected(id, now) {
            return (Reopen::Unknown, None);
        }
        let Some(Rejected { entry, why, .. }) = self.rejected.remove(&id) else {
            return (Reopen::Unknown, None);
        };
        let payment = entry.payment;
        let entry = Entry {
            processor: None,
            ..entry
        };
        self.open_again(entry, owner, now);
        (Reopen::Reopened, Some((payment, why)))
    }

    /// Opens a payment again as it was, under an owner that waits for an adopter.
    pub(crate) fn open_again(&mut self, entry: Entry, owner: &Incarnation, now: JournalTime) {
        if self.holder(owner).0.is_none() {
            self.abandon(owner, now);
        }
        self.insert(Entry {
            owner: owner.clone(),
            moves: entry.moves.saturating_add(1),
            ..entry
        });
    }

    /// As the function `restore_reject`: of two states the one with more moves is later.
    pub(crate) fn restore_reject(
        &mut self,
        entry: &Entry,
        why: &str,
        (at, until): (JournalTime, JournalTime),
    ) {
        let id = entry.payment.id;
        if self.open.get(&id).is_some_and(|open| !open.is_of(entry)) {
            return;
        }
        let open = self.open.get(&id).map(|open| open.moves);
        let rejected = || self.rejected.get(&id).map(|kept| kept.entry.moves);
        if open
            .or_else(rejected)
            .is_some_and(|moves| moves > entry.moves)
        {
            return;
        }
        let rejected = Rejected {
            entry: entry.clone(),
            at,
            until,
            why: why.to_owned(),
        };
        self.rejected.insert(id, rejected);
        self.remove(id);
    }

    pub(crate) fn retire(&mut self, now: JournalTime) {
        self.rejected.retain(|_, rejected| now < rejected.until);
    }

    pub(crate) fn forget_rejected(&mut self) {
        self.rejected.clear();
    }

    /// Forgets what is open too, whoever owns it.
    pub(crate) fn forget_open(&mut self) {
        self.open.clear();
        self.queues.clear();
        self.answered.clear();
    }
}
