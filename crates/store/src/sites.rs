//! Where fronts find their processors.

use std::collections::BTreeMap;

use feeway_domain::{
    Census, Enlist, Fee, Hold, Incarnation, Known, ProcessorName, Relocation, Site, StoreFault,
};
use feeway_redis_layout::command;
use feeway_redis_layout::keys;
use feeway_redis_layout::record;
use feeway_redis_layout::reply::{Reply, bytes, unreadable};
use feeway_redis_layout::written::{KnownSites, Written};
use redis::Value;

use crate::RedisStore;

impl RedisStore {
    pub(crate) async fn enlist_alone(&self, incarnation: &Incarnation) -> Result<Hold, StoreFault> {
        let run = self.redis.run();
        let enlist = command::enlist(incarnation, &run.claim());
        self.redis
            .write(enlist, |reply| {
                let hold = read_hold(reply, incarnation)?;
                run.add_hold(&hold);
                run.read(reply, 2);
                Ok((hold.clone(), Some(Written::Hold(hold))))
            })
            .await
    }

    pub(crate) async fn enlist_with(
        &self,
        incarnation: &Incarnation,
        sites: &[Site],
        seen: Option<&Relocation>,
    ) -> Result<Enlist, StoreFault> {
        let run = self.redis.run();
        let enlist = command::enlist_at(incarnation, sites, seen, &run.claim());
        self.redis
            .write(enlist, |reply| match reply.word() {
                "enlisted" => {
                    let hold = read_hold(reply, incarnation)?;
                    run.add_hold(&hold);
                    run.read(reply, 3);
                    let written = Written::Sites {
                        hold: hold.clone(),
                        sites: read_sites(reply, sites).ok_or_else(|| unreadable(reply))?,
                    };
                    Ok((Enlist::Enlisted(hold), Some(written)))
                }
                "in-use" => {
                    let known = reply.text(2).map(record::read_urls);
                    let by = reply.text(3).map(Incarnation::new);
                    let (Some(urls), Some(by)) = (known, by) else {
                        return reply.unreadable();
                    };
                    let known = Known {
                        processor: reply.parsed(1)?,
                        urls,
                    };
                    Ok((Enlist::InUse { known, by }, None))
                }
                "relocated" => {
                    let processors = read_known(reply).ok_or_else(|| unreadable(reply))?;
                    let relocation = Relocation {
                        epoch: reply.parsed(1)?,
                        processors,
                    };
                    Ok((Enlist::Relocated(relocation), None))
                }
                "closed" => Err(StoreFault::Closed),
                _ => reply.unreadable(),
            })
            .await
    }

    /// Not repeated after a restart of Redis: the next front says it again, and until then
    /// the ledger tells.
    pub(crate) async fn note_fees(&self, fees: &[(ProcessorName, Fee)]) -> Result<(), StoreFault> {
        let tell = command::tell_fees(fees);
        self.redis
            .write(tell, |reply| match reply.word() {
                "told" => Ok(((), None)),
                _ => reply.unreadable(),
            })
            .await
    }

    pub(crate) async fn list_fees(&self) -> Result<Vec<(ProcessorName, Fee)>, StoreFault> {
        let all = redis::cmd("HGETALL").arg(keys::FEES).take();
        let found = self.redis.read(all).await?;
        let Ok(pairs) = redis::from_redis_value_ref::<Vec<(String, u32)>>(&found) else {
            return Err(unreadable(&found));
        };
        let fees = pairs
            .into_iter()
            .map(|(name, share)| Some((name.parse().ok()?, Fee::from_millionths(share)?)));
        let mut fees = fees
            .collect::<Option<Vec<(ProcessorName, Fee)>>>()
            .ok_or_else(|| unreadable(&found))?;
        fees.sort_unstable();
        Ok(fees)
    }

    pub(crate) async fn count_named(&self, from: Option<u64>) -> Result<Census, StoreFault> {
        let reply = Reply::new(self.redis.read(command::census(from)).await?)?;
        let named = read_named(&reply).ok_or_else(|| unreadable(&reply))?;
        let cursor: u64 = reply.parsed(0)?;
        Ok(Census {
            named,
            next: (cursor != 0).then_some(cursor),
        })
    }
}

fn read_hold(reply: &Reply, incarnation: &Incarnation) -> Result<Hold, StoreFault> {
    Ok(Hold {
        owner: incarnation.clone(),
        holder: incarnation.clone(),
        epoch: reply.parsed(1)?,
    })
}

/// What is known of each processor after the step.
fn read_sites(reply: &Reply, sites: &[Site]) -> Option<KnownSites> {
    let lists = reply.list(2)?;
    if lists.len() != sites.len() {
        return None;
    }
    let pairs = sites.iter().zip(lists);
    pairs
        .map(|(site, list)| Some((site.clone(), text(list)?.into())))
        .collect()
}

fn read_known(reply: &Reply) -> Option<Vec<Known>> {
    let (pairs, rest) = reply.list(2)?.as_chunks::<2>();
    let known = pairs.iter().map(|[name, list]| {
        Some(Known {
            processor: text(name)?.parse().ok()?,
            urls: record::read_urls(text(list)?),
        })
    });
    known
        .collect::<Option<Vec<_>>>()
        .filter(|_| rest.is_empty())
}

fn read_named(reply: &Reply) -> Option<BTreeMap<ProcessorName, u64>> {
    let (pairs, _) = reply.list(1)?.as_chunks::<2>();
    let named = pairs
        .iter()
        .map(|[name, count]| Some((text(name)?.parse().ok()?, text(count)?.parse().ok()?)));
    named.collect()
}

fn text(value: &Value) -> Option<&str> {
    std::str::from_utf8(bytes(value)?).ok()
}
