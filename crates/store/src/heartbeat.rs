//! A front says that it lives.

use feeway_domain::{Beat, Hold, Incarnation, StoreFault};
use feeway_redis_layout::command;
use feeway_redis_layout::reply::bytes;
use feeway_redis_layout::written::Acknowledged;
use feeway_redis_link::run::read_run;

use crate::RedisStore;

impl RedisStore {
    /// Also tells a front that does nothing else of purges.
    pub(crate) async fn heartbeat(&self, holds: &[Hold]) -> Result<Beat, StoreFault> {
        let run = self.redis.run();
        run.set_holds(holds);
        let beat = command::beat(holds, &run.claim());
        let mut is_known_run = true;
        let beat: Beat = self
            .redis
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
                let Some((id, is_open)) = read_run(reply, 4) else {
                    return reply.unreadable();
                };
                is_known_run = run.note(id, is_open);
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
        self.redis.felt(beat.now);
        if !is_known_run {
            // It is the same server in another role: a new connection repeats what is owed to it.
            self.redis.give_up_links();
        }
        Ok(beat)
    }
}
