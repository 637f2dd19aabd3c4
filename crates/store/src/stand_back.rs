//! Standing back from a processor: the order, the fronts' confirmations, and who they are.

use feeway_domain::{
    Confirm, Fronts, Hold, Incarnation, JournalTime, Owner, ProcessorName, StandBack, StoreFault,
};
use feeway_redis_layout::command::stand_back as command;
use feeway_redis_layout::reply::{Reply, bytes, unreadable};
use feeway_redis_layout::written::Written;
use redis::Value;

use crate::RedisStore;

/// What a field of an owner's record is called that holds a confirmation, before the name of
/// the processor.
const CONFIRMATION: &str = "back:";

/// A write that is not repeated after a restart of Redis: what it says counts in that run alone.
const NOT_REPEATED: Option<Written> = None;

impl RedisStore {
    pub(crate) async fn read_stand_backs(&self) -> Result<Vec<StandBack>, StoreFault> {
        let found = Reply::new(self.redis.read(command::stand_backs()).await?)?;
        let (orders, _) = found.parts().as_chunks::<4>();
        let read = orders.iter().map(read_stand_back);
        let mut orders = read
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| unreadable(&found))?;
        orders.sort_unstable_by(|one, other| one.processor.cmp(&other.processor));
        Ok(orders)
    }

    pub(crate) async fn confirm(
        &self,
        own: &Hold,
        processor: &ProcessorName,
        token: &str,
    ) -> Result<Confirm, StoreFault> {
        let confirm = command::confirm_stand_back(own, processor, token);
        self.redis
            .write(confirm, |reply| match reply.word() {
                "confirmed" => Ok((Confirm::Confirmed, NOT_REPEATED)),
                "stale" => Ok((Confirm::Stale, NOT_REPEATED)),
                "fenced" => Ok((Confirm::Fenced, NOT_REPEATED)),
                _ => reply.unreadable(),
            })
            .await
    }

    pub(crate) async fn read_last_stand_back(
        &self,
        processor: &ProcessorName,
    ) -> Result<Option<String>, StoreFault> {
        let found = Reply::new(self.redis.read(command::last_stand_back(processor)).await?)?;
        match (found.word(), found.text(1)) {
            ("last", Some(last)) => Ok(Some(last.to_owned())),
            ("none", None) => Ok(None),
            _ => found.unreadable(),
        }
    }

    /// Not repeated after a restart of Redis: it may have been ended since, by another.
    pub(crate) async fn order_stand_back(
        &self,
        processor: &ProcessorName,
        after: Option<&str>,
        token: &str,
        by: &str,
    ) -> Result<Option<StandBack>, StoreFault> {
        let order = command::stand_back(processor, after, token, by);
        self.redis
            .write(order, |reply| match (reply.word(), reply.text(1)) {
                ("ordered", Some(token)) => {
                    let order = StandBack {
                        processor: processor.clone(),
                        token: token.to_owned(),
                        at: reply.time(2)?,
                        by: reply.text(3).unwrap_or_default().to_owned(),
                    };
                    Ok((Some(order), NOT_REPEATED))
                }
                ("other", None) => Ok((None, NOT_REPEATED)),
                _ => reply.unreadable(),
            })
            .await
    }

    pub(crate) async fn cancel_stand_back(
        &self,
        processor: &ProcessorName,
        token: &str,
    ) -> Result<bool, StoreFault> {
        let end = command::end_stand_back(processor, token);
        self.redis
            .write(end, |reply| match reply.word() {
                "ended" => Ok((true, NOT_REPEATED)),
                "other" => Ok((false, NOT_REPEATED)),
                _ => reply.unreadable(),
            })
            .await
    }

    pub(crate) async fn list_fronts(&self) -> Result<Fronts, StoreFault> {
        let found = Reply::new(self.redis.read(command::fronts()).await?)?;
        let owners = found.parts().iter().skip(1).map(read_owner);
        // One that was forgotten at this moment has no record.
        let mut owners: Vec<Owner> = owners
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| unreadable(&found))?
            .into_iter()
            .flatten()
            .collect();
        owners.sort_unstable_by(|one, other| one.hold.owner.cmp(&other.hold.owner));
        Ok(Fronts {
            now: found.time(0)?,
            owners,
        })
    }
}

fn text(value: &Value) -> Option<&str> {
    std::str::from_utf8(bytes(value)?).ok()
}

fn read_stand_back([processor, token, at, by]: &[Value; 4]) -> Option<StandBack> {
    Some(StandBack {
        processor: text(processor)?.parse().ok()?,
        token: text(token)?.to_owned(),
        at: JournalTime::from_micros(text(at)?.parse().ok()?),
        by: text(by)?.to_owned(),
    })
}

/// Reads a name, a count, and the fields of a record; nothing of one that has no holder.
fn read_owner(value: &Value) -> Option<Option<Owner>> {
    let Value::Array(parts) = value else {
        return None;
    };
    let [name, queued, fields @ ..] = &parts[..] else {
        return None;
    };
    let owner = Incarnation::new(text(name)?);
    let (mut holder, mut epoch, mut beat, mut words) = (None, "", 0, Vec::new());
    for [field, value] in fields.as_chunks::<2>().0 {
        match text(field)? {
            "holder" => holder = Some(Incarnation::new(text(value)?)),
            "epoch" => epoch = text(value)?,
            "beat" => beat = text(value)?.parse().ok()?,
            other => {
                let processor = other.strip_prefix(CONFIRMATION);
                words.extend(processor.map(|processor| (processor, value)));
            }
        }
    }
    let Some(holder) = holder else {
        return Some(None);
    };
    let is_own = holder == owner;
    let words = words.into_iter().filter(|_| is_own);
    let confirmed = words.filter_map(|(processor, word)| {
        let (token, of_epoch) = text(word)?.rsplit_once(' ')?;
        let processor: ProcessorName = processor.parse().ok()?;
        (of_epoch == epoch).then(|| (processor, token.to_owned()))
    });
    Some(Some(Owner {
        confirmed: confirmed.collect(),
        hold: Hold {
            owner,
            holder,
            epoch: epoch.parse().ok()?,
        },
        beat: (beat != 0).then(|| JournalTime::from_micros(beat)),
        queued: text(queued)?.parse().ok()?,
    }))
}
