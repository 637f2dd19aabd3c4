use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use feeway_domain::{LedgerFault, ProcessorName, StoreFault, Summary, Total, Window};
use redis::{Pipeline, Value, pipe};

use crate::horizon::Horizon;
use crate::keys;
use crate::record::read_ledger_member;
use crate::redis_store::RedisStore;
use crate::redis_store::reply::{bytes, unreadable};
use crate::window_plan::{Counts, Plan, Slice};

/// A roll-up of days that exists: whose, and of which quarter.
pub(crate) type Known = (ProcessorName, i64);

/// How often a summary starts again because roll-ups appeared while it was being read:
/// twice would take two new processors or quarters within a millisecond.
const ATTEMPTS: usize = 8;

impl RedisStore {
    /// Adds up a window from one atomic read. Which keys there are to read is remembered
    /// from the last time; the read itself says whether that is still right.
    pub(crate) async fn summarize(&self, window: Window) -> Result<Summary, LedgerFault> {
        let plan = Plan::of(window);
        for _ in 0..ATTEMPTS {
            let known = Arc::clone(&*self.inner.known.lock().await);
            let reads = Reads::new(&plan, &known);
            let replies = self.read_together(&reads.transaction).await?;
            let [names, horizon, replies @ ..] = &replies[..] else {
                return Err(unreadable(&replies).into());
            };
            let current = read_known(names).ok_or_else(|| unreadable(names))?;
            if current == *known {
                Horizon::read(bytes(horizon)).check(window)?;
                return Ok(reads.add_up(replies)?);
            }
            *self.inner.known.lock().await = Arc::new(current);
        }
        Err(StoreFault::Unknown.into())
    }
}

/// The commands of one summary, and what each of their replies counts for.
struct Reads {
    transaction: Pipeline,
    slices: Vec<(ProcessorName, Slice)>,
    edges: Vec<Counts>,
    totals: BTreeMap<ProcessorName, Total>,
}

impl Reads {
    fn new(plan: &Plan, known: &BTreeSet<Known>) -> Self {
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
        let mut transaction = pipe();
        transaction.atomic();
        transaction.cmd("HGETALL").arg(keys::PROCESSORS);
        transaction.cmd("GET").arg(keys::HORIZON);
        for (processor, slice) in &slices {
            let bytes = slice.unit.bytes(&slice.numbers);
            transaction
                .cmd("GETRANGE")
                .arg(keys::sum(processor, slice.unit, slice.period))
                .arg(bytes.start)
                .arg(bytes.end - 1);
        }
        for edge in &plan.edges {
            transaction
                .cmd("ZRANGEBYSCORE")
                .arg(keys::ledger(edge.hour()))
                .arg(edge.first)
                .arg(edge.last);
        }
        Self {
            transaction,
            slices,
            edges: plan.edges.iter().map(|edge| edge.counts).collect(),
            totals,
        }
    }

    fn add_up(mut self, replies: &[Value]) -> Result<Summary, StoreFault> {
        let (sums, edges) = replies
            .split_at_checked(self.slices.len())
            .ok_or_else(|| unreadable(&replies))?;
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

fn read_known(names: &Value) -> Option<BTreeSet<Known>> {
    let Value::Map(names) = names else {
        return None;
    };
    let mut known = BTreeSet::new();
    for (name, _) in names {
        let (processor, quarter) = std::str::from_utf8(bytes(name)?).ok()?.split_once(':')?;
        known.insert((processor.parse().ok()?, quarter.parse().ok()?));
    }
    Some(known)
}
