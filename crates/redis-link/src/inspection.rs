//! Looks at Redis's settings when it is connected to, and each minute.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use feeway_domain::Cause;
use feeway_redis_layout::reply::bytes;
use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};

use crate::connection::Shared;
use crate::library;
use crate::link::{Link, words};
use crate::link_pool::LinkPool;
use crate::settings::{Breach, Findings, RedisMemory, Settings, Told, judge};

/// Between two looks at a Redis that is as it should be.
const LOOK: Duration = Duration::from_secs(60);

/// While it is not, somebody may be mending it.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// After each look.
const REST: Duration = Duration::from_secs(1);

/// A Redis at its limit refuses one payment and takes the next. It has memory again once it was
/// not full for so long, so that it is not said with each of them.
const CALM: Duration = Duration::from_secs(10);

/// What the last look found, and what was said of it.
#[derive(Default)]
pub(crate) struct Inspection {
    last: Mutex<Last>,
    /// Told when it is worth looking before the minute is over.
    pub(crate) due: Notify,
}

#[derive(Default)]
struct Last {
    found: Findings,
    /// Which breaches were said, and when.
    said: Option<(String, Instant)>,
    /// When memory was last full.
    full_at: Option<Instant>,
    /// Why Redis does not take our functions, so that older ones have to do.
    older_functions: Option<String>,
}

impl Inspection {
    pub(crate) fn breaches(&self) -> Vec<Breach> {
        self.last().found.breaches.clone()
    }

    pub(crate) fn memory(&self) -> Option<RedisMemory> {
        self.last().found.memory
    }

    pub(crate) fn memory_is_full(&self) {
        self.last().full_at = Some(Instant::now());
    }

    fn is_calm(&self) -> bool {
        let full_at = self.last().full_at;
        full_at.is_none_or(|at| at.elapsed() >= CALM)
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        // Nothing panics while holding it.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks Redis. Only a connection that has ended is an error.
pub(crate) async fn ask(connection: &mut MultiplexedConnection) -> Result<Told, RedisError> {
    let info: String = redis::cmd("INFO")
        .arg(&["memory", "persistence"])
        .query_async(connection)
        .await?;
    let config = redis::cmd("CONFIG")
        .arg(&["GET", "appendfsync"])
        .query_async::<Vec<(String, String)>>(connection)
        .await;
    let appendfsync = told(config.map(|pairs| pairs.into_iter().next().map(|(_, how)| how)))?;
    let rights = redis::cmd("FCALL").arg(&["rights", "0"]).take();
    let rights = match told(rights.query_async::<Value>(connection).await)? {
        Ok(missing) => Ok(names(&missing)),
        // Then no step works, so it is more than unknown.
        Err(why) if why.starts_with("NOPERM") => Ok(vec!["FCALL".to_owned()]),
        Err(why) => Err(why),
    };
    Ok(Told {
        info,
        appendfsync,
        rights,
    })
}

/// What Redis answered: what was asked for, or in its own words why not.
fn told<T>(answer: Result<T, RedisError>) -> Result<Result<T, String>, RedisError> {
    match answer {
        Ok(found) => Ok(Ok(found)),
        Err(error) if error.code().is_some() => Ok(Err(words(&error))),
        Err(error) => Err(error),
    }
}

fn names(list: &Value) -> Vec<String> {
    let Value::Array(names) = list else {
        return Vec::new();
    };
    let names = names.iter().filter_map(bytes);
    names
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect()
}

impl Shared {
    /// Draws the conclusions: accepts nothing any longer, or logs what is wrong.
    fn inspected(&self, told: &Told) {
        let found = judge(told, &self.inspection.last().found);
        for remark in &found.remarks {
            if !self.inspection.last().found.remarks.contains(remark) {
                warn!(remark, "check Redis");
            }
        }
        if found.memory.is_some_and(RedisMemory::is_full) {
            self.memory_is_full();
        } else if self.inspection.is_calm() {
            self.memory_is_free();
        }
        let why: Vec<String> = found.breaches.iter().map(ToString::to_string).collect();
        self.inspection.last().found = found;
        if why.is_empty() {
            self.settings_are_right();
        } else {
            self.settings_are_wrong(&why.join("; "));
        }
    }

    fn settings_are_wrong(&self, why: &str) {
        let stands_still = self.settings == Settings::Required;
        if stands_still {
            self.standstill.begin(Cause::Settings, why);
        }
        let mut last = self.inspection.last();
        let is_due = last.said.as_ref().is_none_or(|(said, at)| {
            // Where it changes nothing, nothing else reminds of it.
            said != why || !stands_still && at.elapsed() >= LOOK
        });
        if is_due {
            last.said = Some((why.to_owned(), Instant::now()));
            error!(why, stands_still, "a setting of Redis is unsafe");
        }
    }

    fn settings_are_right(&self) {
        self.standstill.end(Cause::Settings);
        if self.inspection.last().said.take().is_some() {
            info!("the settings of Redis are safe");
        }
    }

    /// Ours are in Redis, or older ones that have every function, for this reason.
    pub(crate) fn has_functions(&self, older: Option<String>) {
        let mut last = self.inspection.last();
        if let Some(why) = older.as_ref().filter(|_| last.older_functions != older) {
            warn!(
                why,
                "Redis refused to load newer functions; the older ones still work"
            );
        }
        last.older_functions = older;
    }

    /// As [`Shared::inspected`], of a connection that is new: the next look need not wait for its
    /// minute if this one found something.
    pub(crate) fn inspected_first(&self, told: &Told) {
        self.inspected(told);
        if self.is_worth_another_look() {
            self.inspection.due.notify_one();
        }
    }

    fn is_worth_another_look(&self) -> bool {
        self.standstill.has(Cause::Memory) || !self.inspection.breaches().is_empty()
    }
}

/// Never ends, until it is aborted. The first look is made when a connection is.
pub(crate) async fn inspect_for_ever(writes: LinkPool, only_reads: bool, shared: Arc<Shared>) {
    if shared.settings == Settings::Ignored {
        return;
    }
    loop {
        let pause = if shared.is_worth_another_look() {
            LOOK_AGAIN
        } else {
            LOOK
        };
        timeout(pause, shared.inspection.due.notified())
            .await
            .unwrap_or_default();
        // While there is none, each new connection is looked at.
        if let Ok(mut link) = writes.link().await {
            look(&mut link, only_reads, &shared).await;
        }
        // Somebody who tells all the time must not have us look all the time.
        sleep(REST).await;
    }
}

async fn look(link: &mut Link, only_reads: bool, shared: &Shared) {
    match library::provide(&mut link.connection, only_reads).await {
        Ok(older) => shared.has_functions(older),
        // Redis lacks functions by now, or they may not be seen. What a new connection finds is
        // said and tried again as ever.
        Err(error) if error.is_for_want_of_something() || !error.is_answer() => {
            link.give_up(&error.to_string());
        }
        // It is busy, or loads its file.
        Err(_) => {}
    }
    match ask(&mut link.connection).await {
        Ok(told) => shared.inspected(&told),
        Err(error) => link.give_up(&error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use feeway_testing::CaughtLog;

    use super::*;
    use crate::config::RedisConfig;

    fn shared(settings: Settings) -> Shared {
        let url = "redis://localhost".parse().unwrap();
        Shared::new(&RedisConfig {
            settings,
            ..RedisConfig::new(url)
        })
    }

    fn told(policy: &str) -> Told {
        Told {
            info: format!(
                "aof_enabled:1\r\nused_memory:1\r\nmaxmemory:9\r\nmaxmemory_policy:{policy}\r\n"
            ),
            appendfsync: Ok(Some("everysec".to_owned())),
            rights: Ok(Vec::new()),
        }
    }

    const SAID: &str = "a setting of Redis is unsafe";

    #[tokio::test(start_paused = true)]
    async fn a_trusted_unsafe_setting_is_logged_once_a_minute() {
        let log = CaughtLog::start();
        let shared = shared(Settings::Logged);
        for _ in 0..91 {
            shared.inspected(&told("allkeys-lru"));
            tokio::time::advance(LOOK_AGAIN).await;
        }
        let said = log.lines("ERROR", SAID);
        assert_eq!(said.len(), 4, "at 0, 60, 120 and 180 s: {}", log.text());
        assert!(said[0].contains("allkeys-lru"), "{said:?}");
        assert_eq!(shared.standstill.why(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_setting_that_stops_a_front_is_logged_once_for_each_change() {
        let log = CaughtLog::start();
        let shared = shared(Settings::Required);
        for policy in ["allkeys-lru", "volatile-ttl", "noeviction", "noeviction"] {
            for _ in 0..91 {
                shared.inspected(&told(policy));
                let why = shared.standstill.why().unwrap_or_default();
                assert_eq!(shared.standstill.is_on(), policy != "noeviction");
                assert_eq!(why.contains(policy), policy != "noeviction", "{why}");
                tokio::time::advance(LOOK_AGAIN).await;
            }
        }
        assert_eq!(log.lines("ERROR", SAID).len(), 2, "{}", log.text());
        let right = log.lines("INFO", "the settings of Redis are safe");
        assert_eq!(right.len(), 1, "{}", log.text());
    }

    #[tokio::test(start_paused = true)]
    async fn the_reason_for_older_functions_is_logged_once_for_each_change() {
        let log = CaughtLog::start();
        let shared = shared(Settings::Required);
        for older in ["OOM", "OOM", "NOPERM", "", "NOPERM"] {
            let why = Some(older.to_owned());
            shared.has_functions(why.filter(|why| !why.is_empty()));
        }
        let said = log.lines("WARN", "Redis refused to load newer functions");
        assert_eq!(said.len(), 3, "{}", log.text());
    }
}
