use feeway_domain::{CorrelationId, Fronts, Hold, Incarnation, JournalTime, Owner, ProcessorName};

use crate::journal::Journal;

impl Journal {
    /// A front confirms that it stands back from a processor.
    pub(crate) fn confirm(&mut self, front: &Incarnation, processor: &ProcessorName, token: &str) {
        if let Some(record) = self.owners.get_mut(front) {
            record.confirmed.insert(processor.clone(), token.to_owned());
        }
    }

    pub(crate) fn fronts(&self, now: JournalTime) -> Fronts {
        let owners = self.owners.iter().map(|(name, record)| Owner {
            hold: Hold {
                owner: name.clone(),
                holder: record.holder.clone(),
                epoch: record.epoch,
            },
            beat: record.beat,
            queued: self.queue_len(name),
            confirmed: record.confirmed.clone().into_iter().collect(),
        });
        Fronts {
            now,
            owners: owners.collect(),
        }
    }

    /// An operator's no while the fronts stand back: the entry names no processor, and the hold
    /// stays good.
    pub(crate) fn unname(&mut self, id: CorrelationId) {
        if let Some(entry) = self.open.get_mut(&id) {
            entry.processor = None;
            entry.moves = entry.moves.saturating_add(1);
        }
    }
}
