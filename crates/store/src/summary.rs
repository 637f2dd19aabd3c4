use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use feeway_books::horizon::Horizon;
use feeway_books::window_plan::{Counts, Plan, Slice};
use feeway_domain::{LedgerFault, ProcessorName, StoreFault, Summary, Total, Window};
use feeway_redis_layout::keys;
use feeway_redis_layout::record::read_ledger_member;
use feeway_redis_layout::reply::{bytes, unreadable};
use feeway_redis_link::together::{NOTHING, Together};
use redis::Value;

use crate::RedisStore;

/// A roll-up of days that exists: whose, and of which quarter.
pub(crate) type Known = (ProcessorName, i64);

/// How often a summary starts again because roll-ups appeared while it was being read:
/// twice would take two new processors or quarters within a millisecond. Once more when it
/// cuts a closed hour.
const ATTEMPTS: usize = 8;

impl RedisStore {
    /// Adds up a window from one atomic read. Which keys there are to read is remembered
    /// from the last time; the read itself says whether that is still right.
    pub(crate) async fn summarize(&self, window: Window) -> Result<Summary, LedgerFault> {
        let plan = Plan::of(window);
        // Only the horizon tells which hours are cut, and almost never is there one. So their
        // sums are read once that is known, and other summaries do not pay for it.
        let mut cut = Vec::new();
        for _ in 0..ATTEMPTS {
            let known = Arc::clone(&*self.inner.known.lock().await);
            let reads = Reads::new(&plan, &cut, &known);
            let (replies, _) = self.redis.read_at_once(&reads.together).await?;
            let [names, horizon, replies @ ..] = &replies[..] else {
                return Err(unreadable(&replies).into());
            };
            let current = read_known(names).ok_or_else(|| unreadable(names))?;
            let horizon = Horizon::read(bytes(horizon));
            let cut_now = horizon.cut_hours(window);
            if current == *known && cut == cut_now {
                return reads.add_up(replies, horizon);
            }
            cut = cut_now;
            *self.inner.known.lock().await = Arc::new(current);
        }
        Err(StoreFault::Unknown.into())
    }
}

/// The commands of one summary, and what each of their replies counts for.
struct Reads {
    together: Together,
    slices: Vec<(ProcessorName, Slice)>,
    /// Whole hours that the window holds in part.
    cut: Vec<Slice>,
    edges: Vec<Counts>,
    totals: BTreeMap<ProcessorName, Total>,
}

impl Reads {
    fn new(plan: &Plan, cut: &[i64], known: &BTreeSet<Known>) -> Self {
        let mut totals: BTreeMap<ProcessorName, Total> = BTreeMap::new();
        let mut slices = Vec::new();
        for (processor, quarter) in known {
            if !totals.contains_key(processor) {
                totals.insert(processor.clone(), Total::default());
                let all = plan.slices.iter().cloned();
                slices.extend(all.map(|slice| (processor.clone(), slice)));
            }
            slices.extend(
                plan.days_of(*quarter)
                    .map(|slice| (processor.clone(), slice)),
            );
        }
        let cut = of_known(cut, known);
        let mut together = Together::default();
        together.read("HGETALL", keys::PROCESSORS, &NOTHING);
        together.read("GET", keys::HORIZON, &NOTHING);
        for (processor, slice) in slices.iter().chain(&cut) {
            let bytes = slice.unit.bytes(&slice.numbers);
            let key = keys::sum(processor, slice.unit, slice.period);
            together.read("GETRANGE", key, &(bytes.start, bytes.end - 1));
        }
        for edge in &plan.edges {
            let key = keys::ledger(edge.hour());
            together.read("ZRANGEBYSCORE", key, &(edge.first, edge.last));
        }
        Self {
            together,
            slices,
            cut: cut.into_iter().map(|(_, slice)| slice).collect(),
            edges: plan.edges.iter().map(|edge| edge.counts).collect(),
            totals,
        }
    }

    fn add_up(mut self, replies: &[Value], horizon: Horizon) -> Result<Summary, LedgerFault> {
        let parts = replies.split_at_checked(self.slices.len());
        let parts =
            parts.and_then(|(sums, rest)| Some((sums, rest.split_at_checked(self.cut.len())?)));
        let (sums, (cut, edges)) = parts.ok_or_else(|| unreadable(&replies))?;
        let mut in_cut = Total::default();
        for (slice, sum) in self.cut.iter().zip(cut) {
            bytes(sum)
                .and_then(|place| slice.unit.add_up(place, &mut in_cut))
                .ok_or_else(|| unreadable(sum))?;
        }
        if in_cut != Total::default() {
            return Err(horizon.too_old());
        }
        for ((processor, slice), sum) in self.slices.iter().zip(sums) {
            let total = self.totals.entry(processor.clone()).or_default();
            bytes(sum)
                .and_then(|places| slice.unit.add_up(places, total))
                .ok_or_else(|| unreadable(sum))?;
        }
        for (counts, members) in std::mem::take(&mut self.edges).into_iter().zip(edges) {
            self.count_members(counts, members)
                .ok_or_else(|| unreadable(members))?;
        }
        Ok(Summary(self.totals.into_iter().collect()))
    }

    fn count_members(&mut self, counts: Counts, members: &Value) -> Option<()> {
        let Value::Array(members) = members else {
            return None;
        };
        for member in members {
            let (processor, cents) = read_ledger_member(bytes(member)?)?;
            let known = self
                .totals
                .iter_mut()
                .find(|(name, _)| name.as_str() == processor);
            let total = known?.1;
            match counts {
                Counts::In => total.add(1, cents),
                Counts::Out => total.take_away(1, cents)?,
            }
        }
        Some(())
    }
}

/// These hours of every processor that has a roll-up for them.
fn of_known(hours: &[i64], known: &BTreeSet<Known>) -> Vec<(ProcessorName, Slice)> {
    let slices = hours.iter().map(|&hour| Slice::of_hour(hour));
    let of_known = slices.flat_map(|slice| {
        let of_quarter = known.iter().filter(move |known| known.1 == slice.period);
        let named = of_quarter.map(|(processor, _)| processor.clone());
        named.zip(std::iter::repeat(slice)).collect::<Vec<_>>()
    });
    of_known.collect()
}

fn read_known(names: &Value) -> Option<BTreeSet<Known>> {
    let Value::Array(names) = names else {
        return None;
    };
    let mut known = BTreeSet::new();
    for [name, _] in names.as_chunks::<2>().0 {
        let (processor, quarter) = std::str::from_utf8(bytes(name)?).ok()?.split_once(':')?;
        known.insert((processor.parse().ok()?, quarter.parse().ok()?));
    }
    Some(known)
}
