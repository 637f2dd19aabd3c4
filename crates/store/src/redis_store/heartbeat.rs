//! A front says that it lives.

use feeway_domain::{Beat, Hold, Incarnation, StoreFault};

use crate::redis_store::recent::Acknowledged;
use crate::redis_store::reply::bytes;
use crate::redis_store::run::read_run;
use crate::redis_store::{RedisStore, command};

impl RedisStore {
    /// Also tells a front that does nothing else of purges.
    pub(crate) async fn heartbeat(&self, holds: &[Hold]) -> Result<Beat, StoreFault> {
        let shared = &self.inner.shared;
        shared.run.set_holds(holds);
        let beat = command::beat(holds, &shared.run.claim());
        let mut is_known_run = true;
        let beat: Beat = self
            .write(beat, |reply| {
                let (Some(queued), Some(lapsed)) = (reply.list(1), reply.list(2)) else {
                    return reply.unreadable();
                };
                let mut lapsed: Vec<Incarnation> = lapsed
                    .iter()
                    .filter_map(|owner| std::str::from_utf8(bytes(owner)?).ok())
                    .map(Incarnation::new)
                    .collect();
                lapsed.sort_unstable();
                let queued = queued.iter().map(|count| {
                    // -1 stands for a hold that is no longer good.
                    redis::from_redis_value_ref::<i64>(count)
                        .ok()
                        .and_then(|count| u64::try_from(count).ok())
                });
                let Some((run, is_open)) = read_run(reply, 4) else {
                    return reply.unreadable();
                };
                is_known_run = shared.run.note(run, is_open);
                let beat = Beat {
                    now: reply.time(0)?,
                    queued: queued.collect(),
                    lapsed,
                    is_open: is_open && is_known_run,
                };
                let seen = Acknowledged {
                    writes: Vec::new(),
                    generation: reply.generation(3),
                };
                Ok((beat, seen))
            })
            .await?;
        if let Some(past) = &shared.past {
            past.felt(beat.now);
        }
        if !is_known_run {
            // It is the same server in another role: a new connection repeats what is owed to it.
            shared.give_up_links();
        }
        Ok(beat)
    }
}
