//! What an operator sees of data that fronts do not go on with, and says to it.

use std::collections::BTreeMap;

use feeway_domain::{JournalTime, ProcessorName, StoreFault};
use feeway_redis_layout::command;
use feeway_redis_layout::keys;
use feeway_redis_layout::reply::{bytes, parsed, unreadable};
use redis::Value;

use crate::RedisStore;

/// The data that Redis has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// Its identity, unless it is empty or older than all identities.
    pub identity: Option<String>,
    /// The last heartbeat of any front that it has.
    pub pulse: Option<JournalTime>,
    /// The processors that it knows, each with the time of the last reconciliation of the whole
    /// ledger with this data that found no difference.
    pub reconciled: BTreeMap<ProcessorName, Option<JournalTime>>,
}

/// The reply to [`RedisStore::adopt_data`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdoptData {
    /// The data has the new identity now.
    Adopted,
    /// It is not what was seen.
    Changed,
}

impl RedisStore {
    /// What the data says of itself.
    pub async fn data(&self) -> Result<Data, StoreFault> {
        let mut asked = redis::pipe();
        asked
            .cmd("HMGET")
            .arg(&[keys::META, "identity", "pulse"])
            .hgetall(keys::RECONCILED)
            .hkeys(keys::URLS)
            .hkeys(keys::FEES);
        let replies = self.redis.read_in_turn(&asked).await?;
        let [Value::Array(meta), reconciled, urls, fees] = replies.as_slice() else {
            return Err(unreadable(&replies));
        };
        let text = |at: usize| meta.get(at).and_then(bytes);
        let identity = text(0).map(|text| String::from_utf8_lossy(text).into_owned());
        let mut processors: BTreeMap<ProcessorName, Option<JournalTime>> = [urls, fees]
            .into_iter()
            .flat_map(names)
            .map(|name| (name, None))
            .collect();
        for (name, note) in pairs(reconciled) {
            let (Some(name), Some(note)) = (parsed(name), bytes(note)) else {
                continue;
            };
            let at = read_note(note, identity.as_deref());
            processors.entry(name).or_default().clone_from(&at);
        }
        Ok(Data {
            identity,
            pulse: (meta.get(1).and_then(parsed)).map(JournalTime::from_micros),
            reconciled: processors,
        })
    }

    /// Notes that a processor's whole export was found equal to the ledger.
    pub async fn note_reconciled(&self, processor: &ProcessorName) -> Result<(), StoreFault> {
        self.redis
            .write(command::note_reconciled(processor), |_| Ok(((), None)))
            .await
    }

    /// Lets the fronts go on with this data if it still has the identity that was seen: it gets
    /// a new one, hexadecimal digits that nothing has had before, and whoever stands still because
    /// of this data, or belongs to it, takes that as theirs. `by` is kept beside it. Idempotent.
    pub async fn adopt_data(
        &self,
        seen: &Data,
        identity: &str,
        by: &str,
    ) -> Result<AdoptData, StoreFault> {
        let adopt = command::adopt_store(seen.identity.as_deref(), identity, by);
        self.redis
            .write(adopt, |reply| {
                let adopted = match reply.word() {
                    "adopted" => AdoptData::Adopted,
                    "other" => AdoptData::Changed,
                    _ => return reply.unreadable(),
                };
                Ok((adopted, None))
            })
            .await
    }
}

/// A note is `at|identity`. One of other data says nothing of this.
fn read_note(note: &[u8], identity: Option<&str>) -> Option<JournalTime> {
    let (at, of) = std::str::from_utf8(note).ok()?.split_once('|')?;
    let at = at.parse().ok().map(JournalTime::from_micros);
    at.filter(|_| of == identity.unwrap_or_default())
}

fn names(list: &Value) -> Vec<ProcessorName> {
    if let Value::Array(names) | Value::Set(names) = list {
        names.iter().filter_map(parsed).collect()
    } else {
        Vec::new()
    }
}

fn pairs(map: &Value) -> Vec<(&Value, &Value)> {
    if let Value::Map(pairs) = map {
        pairs.iter().map(|(key, value)| (key, value)).collect()
    } else {
        Vec::new()
    }
}
