use feeway_domain::{CorrelationId, Hold, Incarnation, Note};

use crate::journal::Journal;

impl Journal {
    pub(crate) fn note_answered(&mut self, hold: &Hold, id: CorrelationId, moves: u32) -> Note {
        let Some(entry) = self.open.get(&id) else {
            return Note::Stale;
        };
        if !self.is_good(hold) {
            return Note::Fenced;
        }
        if entry.owner != hold.owner {
            return Note::Stale;
        }
        if entry.moves != moves {
            return Note::Stale;
        }
        let notes = self.answered.entry(hold.owner.clone()).or_default();
        notes.insert(id, moves);
        Note::Noted
    }

    pub(crate) fn answered(&self, owner: &Incarnation, ids: &[CorrelationId]) -> Vec<Option<u32>> {
        let notes = self.answered.get(owner);
        let moves = |id| notes.and_then(|notes| notes.get(id).copied());
        ids.iter().map(moves).collect()
    }
}
