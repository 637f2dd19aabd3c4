//! What several steps of the store in memory do with all that it holds.

use feeway_domain::{
    CorrelationId, Entry, JournalTime, PaymentState, ProcessorName, Settle, Settlement,
};

use super::State;
use super::books::Books;
use super::departures::Departures;
use super::restamps::Restamps;

impl State {
    /// Forgets all payments that are not open.
    pub(super) fn forget_all(&mut self) {
        self.books = Books::default();
        self.journal.forget_rejected();
        self.departures = Departures::default();
        self.restamps = Restamps::default();
        self.runs.forget_payments();
    }

    /// A payment is settled, and its entry may name another processor, which may have it as well:
    /// that one is asked in a while, whoever has it in hand now.
    pub(super) fn settle(&mut self, settlement: &Settlement, now: JournalTime) -> Settle {
        let id = settlement.payment.id;
        let settled = self.books.settle(settlement, now.micros());
        if settled == Settle::Known {
            self.runs.confirm(id);
        }
        let entry = self.journal.remove(id);
        if let Some(entry) = entry
            && let Some(named) = entry.processor
            && named != settlement.processor
        {
            self.departures.note(&entry.payment, &named, now);
        }
        settled
    }

    /// As the function `promise_stated`, of a payment that is settled.
    pub(super) fn promise(&mut self, entry: &Entry, now: JournalTime) {
        if !self.journal.is_rejected(entry.payment.id, now) {
            self.runs.promise(entry);
        }
    }

    pub(super) fn distrust(&mut self, processor: &ProcessorName, url: &str) {
        if self
            .look_ups
            .get(processor)
            .is_some_and(|trusted| trusted == url)
        {
            self.look_ups.remove(processor);
        }
    }

    pub(super) fn known(&self, id: CorrelationId, now: JournalTime) -> Option<PaymentState> {
        let settled = self.books.find(id);
        settled.or_else(|| self.journal.find(id, now))
    }
}
