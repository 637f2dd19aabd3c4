//! Looks at Redis's settings when it is connected to, and each minute.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use feeway_domain::Cause;
use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};

use crate::redis_store::connection::Shared;
use crate::redis_store::link_pool::LinkPool;
use crate::redis_store::reply::bytes;
use crate::redis_store::settings::{Breach, Findings, RedisMemory, Settings, judge};

/// Between two looks at a Redis that is as it should be.
const LOOK: Duration = Duration::from_secs(60);

/// While it is not, somebody may be mending it.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// A Redis at its limit refuses one payment and takes the next. It has memory again once it has
/// refused none for so long, so that it is not said with each of them.
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
    /// When the breaches were said.
    said_at: Option<Instant>,
    /// When a payment was last refused for want of memory.
    refused_at: Option<Instant>,
}

impl Inspection {
    pub(crate) fn breaches(&self) -> Vec<Breach> {
        self.last().found.breaches.clone()
    }

    pub(crate) fn memory(&self) -> Option<RedisMemory> {
        self.last().found.memory
    }

    pub(crate) fn refused_a_payment(&self) {
        self.last().refused_at = Some(Instant::now());
    }

    fn is_calm(&self) -> bool {
        let refused_at = self.last().refused_at;
        refused_at.is_none_or(|at| at.elapsed() >= CALM)
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        // Nothing panics while holding it.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks Redis. Only a connection that has ended is an error: what Redis does not tell is said.
pub(crate) async fn inspect(
    connection: &mut MultiplexedConnection,
) -> Result<Findings, RedisError> {
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
    Ok(judge(&info, &appendfsync, &rights))
}

/// What Redis answered: what was asked for, or in its own words why not.
fn told<T>(answer: Result<T, RedisError>) -> Result<Result<T, String>, RedisError> {
    match answer {
        Ok(found) => Ok(Ok(found)),
        Err(error) => match error.code() {
            Some(code) => Ok(Err(format!(
                "{code} {}",
                error.detail().unwrap_or_default()
            ))),
            None => Err(error),
        },
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
    /// Draws the conclusions: stands still, or says what is wrong.
    pub(crate) fn inspected(&self, found: Findings) {
        if self.settings == Settings::Ignored {
            return;
        }
        for remark in &found.remarks {
            if !self.inspection.last().found.remarks.contains(remark) {
                warn!(remark, "a setting of Redis");
            }
        }
        if found.memory.is_some_and(RedisMemory::is_full) {
            self.memory_is_full();
        } else if self.inspection.is_calm() {
            self.memory_is_free();
        }
        let why: Vec<String> = found.breaches.iter().map(ToString::to_string).collect();
        let why = why.join("; ");
        self.inspection.last().found = found;
        if why.is_empty() {
            self.settings_are_right();
        } else {
            self.settings_are_wrong(&why);
        }
    }

    fn settings_are_wrong(&self, why: &str) {
        let is_news = match self.settings {
            Settings::Required => self.standstill.begin(Cause::Settings, why),
            Settings::Ignored | Settings::Logged => false,
        };
        let mut last = self.inspection.last();
        let is_due = last.said_at.is_none_or(|at| at.elapsed() >= LOOK);
        if is_news || is_due {
            last.said_at = Some(Instant::now());
            let stands_still = self.settings == Settings::Required;
            error!(why, stands_still, "a setting of Redis breaks a promise");
        }
    }

    fn settings_are_right(&self) {
        self.standstill.end(Cause::Settings);
        if self.inspection.last().said_at.take().is_some() {
            info!("the settings of Redis are as they should be");
        }
    }

    fn is_worth_another_look(&self) -> bool {
        self.standstill.has(Cause::Memory) || !self.inspection.breaches().is_empty()
    }
}

/// Never ends, until it is aborted. The first look is made when a connection is.
pub(crate) async fn inspect_for_ever(writes: LinkPool, shared: Arc<Shared>) {
    if shared.settings == Settings::Ignored {
        return;
    }
    loop {
        let pause = if shared.is_worth_another_look() {
            LOOK_AGAIN
        } else {
            LOOK
        };
        // Somebody who tells all the time must not have us look all the time.
        timeout(pause, shared.inspection.due.notified())
            .await
            .unwrap_or_default();
        let Ok(mut link) = writes.link().await else {
            sleep(LOOK_AGAIN).await;
            continue;
        };
        match inspect(&mut link.connection).await {
            Ok(found) => shared.inspected(found),
            // Its next command tells the pool.
            Err(error) => warn!(%error, "Redis did not tell its settings"),
        }
        sleep(LOOK_AGAIN.min(pause) / 2).await;
    }
}
