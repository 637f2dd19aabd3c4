//! What lets a payment leave a processor, what is remembered of those that left, and of those
//! that are booked at another time than their processor says.

use std::time::Duration;

use feeway_domain::{
    CorrelationId, Freed, Hold, Incarnation, JournalTime, Note, Payment, ProcessorName, Restamp,
    StoreFault,
};
use feeway_redis_layout::command;
use feeway_redis_layout::keys;
use feeway_redis_layout::record;
use feeway_redis_layout::reply::{Reply, bytes, parsed, unreadable};
use feeway_redis_layout::written::Written;
use redis::Value;

use crate::RedisStore;

impl RedisStore {
    pub(crate) async fn note(
        &self,
        hold: &Hold,
        id: CorrelationId,
        moves: u32,
    ) -> Result<Note, StoreFault> {
        let note = command::note_answered(hold, id, moves);
        self.redis
            .write(note, |reply| match reply.word() {
                "noted" => Ok((Note::Noted, None)),
                "stale" => Ok((Note::Stale, None)),
                "fenced" => Ok((Note::Fenced, None)),
                _ => reply.unreadable(),
            })
            .await
    }

    pub(crate) async fn read_answered(
        &self,
        owner: &Incarnation,
        ids: &[CorrelationId],
    ) -> Result<Vec<Option<u32>>, StoreFault> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let found = Reply::new(self.redis.read(command::answered(owner, ids)).await?)?;
        let moves = found.parts().iter().map(|moves| {
            let is_noted = *moves != Value::Nil;
            if is_noted {
                parsed(moves).map(Some)
            } else {
                Some(None)
            }
        });
        moves
            .collect::<Option<Vec<_>>>()
            .filter(|moves| moves.len() == ids.len())
            .ok_or_else(|| unreadable(&found))
    }

    pub(crate) async fn add_freed(
        &self,
        payment: &Payment,
        processor: &ProcessorName,
    ) -> Result<(), StoreFault> {
        let written = Written::Freed {
            payment: *payment,
            processor: processor.clone(),
        };
        let note = command::note_freed(payment, processor);
        self.redis
            .write(note, |reply| Ok(((), written.of(reply.generation(1)))))
            .await
    }

    pub(crate) async fn add_restamp(&self, restamp: &Restamp) -> Result<(), StoreFault> {
        let written = Written::Restamp(restamp.clone());
        let note = command::note_restamp(restamp);
        self.redis
            .write(note, |reply| Ok(((), written.of(reply.generation(1)))))
            .await
    }

    pub(crate) async fn list_freed(
        &self,
        age: Duration,
        limit: usize,
    ) -> Result<Vec<Freed>, StoreFault> {
        let found = Reply::new(self.redis.read(command::freed(age, limit)).await?)?;
        let (pairs, _) = found.parts().as_chunks::<2>();
        let freed = pairs.iter().map(read_freed);
        freed
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| unreadable(&found))
    }

    pub(crate) async fn remove_freed(&self, freed: &Freed) -> Result<(), StoreFault> {
        let forget = command::forget_freed(freed);
        self.redis.write(forget, |_| Ok(((), None))).await
    }

    pub(crate) async fn trust(
        &self,
        processor: &ProcessorName,
        url: &str,
        trusted: bool,
    ) -> Result<(), StoreFault> {
        let written = (!trusted).then(|| Written::Distrust {
            processor: processor.clone(),
            url: url.into(),
        });
        let trust = command::trust_look_up(processor, url, trusted);
        self.redis.write(trust, |_| Ok(((), written))).await
    }

    pub(crate) async fn list_trusted(&self) -> Result<Vec<(ProcessorName, String)>, StoreFault> {
        let all = redis::cmd("HGETALL").arg(keys::LOOK_UPS).take();
        let found = self.redis.read(all).await?;
        let Ok(pairs) = redis::from_redis_value_ref::<Vec<(String, String)>>(&found) else {
            return Err(unreadable(&found));
        };
        let trusted = pairs
            .into_iter()
            .map(|(name, url)| Some((name.parse().ok()?, url)));
        let mut trusted = trusted
            .collect::<Option<Vec<(ProcessorName, String)>>>()
            .ok_or_else(|| unreadable(&found))?;
        trusted.sort_unstable();
        Ok(trusted)
    }
}

/// Reads a member of the sorted set, and when it was noted.
fn read_freed([member, at]: &[Value; 2]) -> Option<Freed> {
    let (payment, processor) = record::read_freed(bytes(member)?)?;
    Some(Freed {
        payment,
        processor,
        at: JournalTime::from_micros(parsed(at)?),
    })
}
