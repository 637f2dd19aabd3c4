mod fronts;
mod notes;
mod rejections;
mod run;
mod sites;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use feeway_books::listing;
use feeway_domain::{
    Adopt, Beat, CorrelationId, Entry, Hold, Incarnation, JournalTime, Line, Listed, Listing, Page,
    PaymentState, ProcessorName, RELEASED, Rename, Status,
};

use self::run::{Run, is_silent};
use self::sites::Sites;
use rejections::Rejected;

/// Open and rejected payments, and who owns them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    open: BTreeMap<CorrelationId, Entry>,
    queues: BTreeMap<Incarnation, BTreeSet<(JournalTime, CorrelationId)>>,
    owners: BTreeMap<Incarnation, Record>,
    epoch: u64,
    rejected: BTreeMap<CorrelationId, Rejected>,
    /// The moves of entries whose attempts have all ended, by owner.
    answered: BTreeMap<Incarnation, BTreeMap<CorrelationId, u32>>,
    sites: Sites,
    run: Run,
}

#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) holder: Incarnation,
    epoch: u64,
    /// None once the holder has resigned.
    beat: Option<JournalTime>,
    /// The number of the run in which the holder last repeated everything.
    pub(crate) run: u64,
    /// The orders to stand back that the front has confirmed, by their tokens.
    confirmed: BTreeMap<ProcessorName, String>,
}

impl Record {
    pub(crate) fn is_lapsed(&self, now: JournalTime, since: JournalTime) -> bool {
        self.beat.is_none_or(|beat| is_silent(beat, since, now))
    }
}

impl Journal {
    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn is_good(&self, hold: &Hold) -> bool {
        self.owners
            .get(&hold.owner)
            .is_some_and(|record| record.holder == hold.holder && record.epoch == hold.epoch)
    }

    pub(crate) fn find(&self, id: CorrelationId, now: JournalTime) -> Option<PaymentState> {
        if let Some(entry) = self.open.get(&id) {
            let status = Status::Open {
                processor: entry.processor.clone(),
            };
            let amount = entry.payment.amount;
            return Some(PaymentState { id, amount, status });
        }
        self.rejection(id, now).map(|line| line.state)
    }

    pub(crate) fn insert(&mut self, entry: Entry) {
        let place = (entry.accepted_at, entry.payment.id);
        let queue = self.queues.entry(entry.owner.clone()).or_default();
        queue.insert(place);
        self.open.insert(entry.payment.id, entry);
    }

    pub(crate) fn remove(&mut self, id: CorrelationId) -> Option<Entry> {
        let entry = self.open.remove(&id)?;
        if let Some(queue) = self.queues.get_mut(&entry.owner) {
            queue.remove(&(entry.accepted_at, id));
        }
        if let Some(notes) = self.answered.get_mut(&entry.owner) {
            notes.remove(&id);
        }
        Some(entry)
    }

    pub(crate) fn rename(
        &mut self,
        hold: &Hold,
        id: CorrelationId,
        moves: u32,
        to: &ProcessorName,
    ) -> Rename {
        let good = self.is_good(hold);
        let Some(entry) = self.open.get_mut(&id) else {
            return Rename::Gone;
        };
        // Rejected meanwhile and reopened, or forgotten and accepted anew.
        if entry.owner != hold.owner {
            return Rename::Gone;
        }
        if !good {
            return Rename::Fenced;
        }
        let more = moves.saturating_add(1);
        let named = entry.moves == more && entry.processor.as_ref() == Some(to);
        if !named {
            if entry.moves != moves {
                return Rename::Differs(entry.processor.clone());
            }
            entry.processor = Some(to.clone());
            entry.moves = more;
        }
        Rename::Named
    }

    /// Open or rejected payments.
    pub(crate) fn list(&self, listing: &Listing, now: JournalTime) -> Page {
        let mut lines: Vec<Line> = if listing.listed == Listed::Rejected {
            let rejected = self.rejected.keys();
            rejected.filter_map(|&id| self.rejection(id, now)).collect()
        } else {
            let pinned = listing.listed == Listed::Pinned;
            let open = self.open.values();
            open.filter(|entry| !pinned || entry.processor.is_some())
                .map(listing::open_line)
                .collect()
        };
        let (from, to) = listing::range(listing.window);
        let start = listing.after.as_ref().map(|cursor| (cursor.at, cursor.id));
        lines.retain(|line| {
            (from..=to).contains(&line.at.micros()) && Some((line.at, line.state.id)) > start
        });
        lines.sort_unstable_by_key(|line| (line.at, line.state.id));
        listing::page(lines, listing.limit)
    }

    pub(crate) fn enlist(&mut self, owner: &Incarnation, now: JournalTime) -> Hold {
        let current = self.owners.get(owner);
        let epoch = match current {
            Some(record) if record.holder == *owner => record.epoch,
            _ => self.next_epoch(),
        };
        self.give(owner, owner, epoch, now)
    }

    /// Of a front that has repeated everything in the run of this id.
    pub(crate) fn beat(&mut self, holds: &[Hold], claim: u64, now: JournalTime) -> Beat {
        let run = self.repeated_in(claim);
        let mut queued = Vec::with_capacity(holds.len());
        let mut ours = BTreeSet::new();
        for hold in holds {
            if !self.is_good(hold) {
                queued.push(None);
                continue;
            }
            if let Some(record) = self.owners.get_mut(&hold.owner) {
                record.beat = Some(now);
                record.run = run;
            }
            ours.insert(&hold.owner);
            queued.push(Some(self.queue_len(&hold.owner)));
        }
        let lapsed = self
            .owners
            .iter()
            .filter(|(owner, record)| {
                !ours.contains(owner) && record.is_lapsed(now, self.run.since)
            })
            .map(|(owner, _)| owner.clone())
            .collect();
        Beat {
            now,
            queued,
            lapsed,
            is_open: false,
        }
    }

    /// An incarnation of a front that has repeated everything in the run of an id.
    pub(crate) fn tell_run(&mut self, hold: &Hold, claim: u64, id: u64, now: JournalTime) {
        self.find_run(id, now);
        self.set_run(&hold.owner, self.repeated_in(claim));
        self.find_run(id, now);
    }

    fn set_run(&mut self, owner: &Incarnation, run: u64) {
        if let Some(record) = self.owners.get_mut(owner) {
            record.run = run;
        }
    }

    pub(crate) fn resign(&mut self, hold: &Hold) {
        if self.is_good(hold)
            && let Some(record) = self.owners.get_mut(&hold.owner)
        {
            record.beat = None;
        }
    }

    pub(crate) fn adopt(
        &mut self,
        owner: &Incarnation,
        holder: &Incarnation,
        now: JournalTime,
    ) -> Adopt {
        let since = self.run.since;
        let record = self.owners.get(owner);
        let lapsed = record.map(|record| record.is_lapsed(now, since));
        if lapsed != Some(true) {
            return Adopt::Refused;
        }
        let epoch = self.next_epoch();
        Adopt::Adopted(self.give(owner, holder, epoch, now))
    }

    pub(crate) fn discharge(&mut self, hold: &Hold) -> bool {
        let gone = !self.owners.contains_key(&hold.owner);
        if self.queue_len(&hold.owner) > 0 || !(gone || self.is_good(hold)) {
            return false;
        }
        self.owners.remove(&hold.owner);
        self.queues.remove(&hold.owner);
        self.answered.remove(&hold.owner);
        self.sites.forget(&hold.owner);
        true
    }

    pub(crate) fn entry(&self, id: CorrelationId) -> Option<&Entry> {
        self.open.get(&id)
    }

    /// Who works on an owner's entries, and the last heartbeat.
    pub(crate) fn holder(&self, owner: &Incarnation) -> (Option<Hold>, Option<JournalTime>) {
        let record = self.owners.get(owner);
        let hold = record.map(|record| Hold {
            owner: owner.clone(),
            holder: record.holder.clone(),
            epoch: record.epoch,
        });
        (hold, record.and_then(|record| record.beat))
    }

    /// An operator's no: the entry names no processor, and its owner waits for an adopter.
    pub(crate) fn release(&mut self, id: CorrelationId, now: JournalTime) {
        let Some(entry) = self.open.get_mut(&id) else {
            return;
        };
        entry.processor = None;
        entry.moves = entry.moves.saturating_add(1);
        let owner = entry.owner.clone();
        self.abandon(&owner, now);
    }

    /// Makes an owner wait for an adopter.
    fn abandon(&mut self, owner: &Incarnation, now: JournalTime) {
        let epoch = self.next_epoch();
        let hold = self.give(owner, &Incarnation::new(RELEASED), epoch, now);
        self.resign(&hold);
    }

    /// As the function `restore_hold`: a later hold stands.
    pub(crate) fn restore_hold(&mut self, hold: &Hold, now: JournalTime) {
        let current = self
            .owners
            .get(&hold.owner)
            .map_or(0, |record| record.epoch);
        if current < hold.epoch {
            self.epoch = self.epoch.max(hold.epoch);
            self.give(&hold.owner, &hold.holder, hold.epoch, now);
            self.set_run(&hold.owner, 0);
        }
    }

    /// As the function `restore_entry`: of two states the one with more moves is later, and an
    /// entry of another lineage stays as it is.
    pub(crate) fn restore_entry(&mut self, entry: &Entry, hold: &Hold, now: JournalTime) {
        match self.open.get_mut(&entry.payment.id) {
            Some(current) if !current.is_of(entry) || current.moves >= entry.moves => {}
            Some(current) => *current = entry.clone(),
            None => {
                if !self.owners.contains_key(&entry.owner) {
                    let ours = entry.owner == hold.owner;
                    let holder = if ours { &hold.holder } else { &entry.owner };
                    let epoch = if ours { hold.epoch } else { 0 };
                    self.give(&entry.owner, holder, epoch, now);
                    // Of somebody else's we do not know that there is more to repeat.
                    let run = if ours { 0 } else { self.run.number };
                    self.set_run(&entry.owner, run);
                }
                self.insert(entry.clone());
            }
        }
    }

    pub(crate) fn queued(
        &self,
        owner: &Incarnation,
        after: Option<&Entry>,
        limit: usize,
    ) -> Vec<Entry> {
        let start = after.map_or(Bound::Unbounded, |entry| {
            Bound::Excluded((entry.accepted_at, entry.payment.id))
        });
        let queue = self.queues.get(owner);
        queue
            .into_iter()
            .flat_map(|queue| queue.range((start, Bound::Unbounded)))
            .filter_map(|(_, id)| self.open.get(id).cloned())
            .take(limit)
            .collect()
    }

    fn queue_len(&self, owner: &Incarnation) -> u64 {
        let len = self.queues.get(owner).map_or(0, BTreeSet::len);
        u64::try_from(len).unwrap_or(u64::MAX)
    }

    fn next_epoch(&mut self) -> u64 {
        self.epoch += 1;
        self.epoch
    }

    fn give(
        &mut self,
        owner: &Incarnation,
        holder: &Incarnation,
        epoch: u64,
        now: JournalTime,
    ) -> Hold {
        let run = self.owners.get(owner).map_or(0, |record| record.run);
        let record = Record {
            holder: holder.clone(),
            epoch,
            beat: Some(now),
            run,
            confirmed: BTreeMap::new(),
        };
        self.owners.insert(owner.clone(), record);
        Hold {
            owner: owner.clone(),
            holder: holder.clone(),
            epoch,
        }
    }
}
