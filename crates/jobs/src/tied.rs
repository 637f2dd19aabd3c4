//! Payments that are tied to a processor, while nothing is under way for them.

use std::collections::{BTreeMap, VecDeque};

use feeway_health::Rank;
use tokio::time::Instant;

use crate::job::Job;

/// In order of an instant, and of arrival where that is the same.
type Queue = BTreeMap<(Instant, u64), Job>;

/// All of one lane. Each rests, then is looked up, and then may be posted again.
#[derive(Debug)]
pub struct Tied {
    /// By rank, by when the rest is over.
    resting: Vec<Queue>,
    look_ups: VecDeque<Job>,
    /// By rank, by acceptance: they may be posted.
    ready: Vec<Queue>,
    /// How many came in.
    count: u64,
}

impl Tied {
    /// Nothing is tied yet.
    pub fn new(processors: usize) -> Self {
        let queues = || (0..processors).map(|_| Queue::new()).collect();
        Self {
            resting: queues(),
            look_ups: VecDeque::new(),
            ready: queues(),
            count: 0,
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        let queues = self.resting.iter().chain(&self.ready);
        self.look_ups.len() + queues.map(BTreeMap::len).sum::<usize>()
    }

    /// Whether some wait for a permit.
    pub fn is_waiting(&self) -> bool {
        self.ready.iter().any(|queue| !queue.is_empty())
    }

    /// It rests until then.
    pub fn rest(&mut self, rank: Rank, job: Job, until: Instant) {
        self.count += 1;
        self.resting[rank.index()].insert((until, self.count), job);
    }

    /// It may be posted.
    pub fn make_ready(&mut self, rank: Rank, job: Job) {
        self.count += 1;
        self.ready[rank.index()].insert((job.accepted, self.count), job);
    }

    /// It is to be looked up.
    pub fn want_look_up(&mut self, job: Job) {
        self.look_ups.push_back(job);
    }

    /// The one that is to be looked up next.
    pub fn next_look_up(&mut self) -> Option<Job> {
        self.look_ups.pop_front()
    }

    /// Ends the rests that are over.
    pub fn wake(&mut self, now: Instant) {
        for queue in &mut self.resting {
            while let Some(entry) = queue.first_entry() {
                if entry.key().0 > now {
                    break;
                }
                self.look_ups.push_back(entry.remove());
            }
        }
    }

    /// When the next rest will be over.
    pub fn next_wake(&self) -> Option<Instant> {
        let first = self.resting.iter().filter_map(BTreeMap::first_key_value);
        first.map(|((due, _), _)| *due).min()
    }

    /// Ends all rests at a processor that works again.
    pub fn wake_all(&mut self, rank: Rank) {
        let resting = std::mem::take(&mut self.resting[rank.index()]);
        self.look_ups.extend(resting.into_values());
    }

    /// Takes out all at a processor.
    pub fn put_down(&mut self, rank: Rank) -> Vec<Job> {
        let resting = std::mem::take(&mut self.resting[rank.index()]);
        let ready = std::mem::take(&mut self.ready[rank.index()]);
        let (there, others): (VecDeque<Job>, VecDeque<Job>) = std::mem::take(&mut self.look_ups)
            .into_iter()
            .partition(|job| job.named == Some(rank));
        self.look_ups = others;
        let mut all = Vec::from(there);
        all.extend(resting.into_values());
        all.extend(ready.into_values());
        all
    }

    /// The one that was accepted first of those that may be posted.
    pub fn next_ready(&mut self, rank: Rank) -> Option<Job> {
        let first = self.ready[rank.index()].pop_first();
        first.map(|(_, job)| job)
    }

    /// From when on one of those that are good enough may find out whether the processor works.
    pub fn rouse_from(&self, rank: Rank, is_good: impl Fn(&Job) -> bool) -> Option<Instant> {
        let resting = self.resting[rank.index()].values();
        let good = resting.filter(|job| is_good(job));
        good.map(|job| job.rouse_from).min()
    }

    /// The first of them that may.
    pub fn rouse(&mut self, rank: Rank, is_good: impl Fn(&Job) -> bool) -> Option<Job> {
        let queue = &mut self.resting[rank.index()];
        let good = queue.iter().filter(|(_, job)| is_good(job));
        let (key, _) = good.min_by_key(|(_, job)| job.rouse_from)?;
        let key = *key;
        queue.remove(&key)
    }
}
