//! Which run of Redis the connections lead to, what is owed to it, and whether it is open.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use feeway_books::recent::FORGETFUL_FOR;
use feeway_domain::{Hold, StoreFault};
use feeway_redis_layout::command::{self, RunClaim};
use feeway_redis_layout::reply::{Reply, parsed};
use feeway_redis_layout::written::replay;
use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{Pipeline, ServerError, Value};
use tokio::time::sleep;
use tracing::{error, info, warn};

use crate::connect_error::ConnectError;
use crate::connection::Connector;
use crate::link::{Link, is_denial};
use crate::redis::Redis;

/// Writes repeated in one round trip: at 30 µs each well inside the time for a command.
const REPLAY_CHUNK: usize = 1_000;

/// Between two looks whether the run is open, which heartbeats find out.
const LOOK: Duration = Duration::from_millis(20);

/// What one process knows of the run.
#[derive(Debug, Default)]
pub struct Run {
    known: Mutex<Known>,
    is_open: AtomicBool,
    /// Writes that could not be repeated by their own fault.
    pub(crate) unrepeatable: AtomicU64,
}

#[derive(Debug, Default)]
struct Known {
    claim: RunClaim,
    /// As the last heartbeat had them, and those that were got since.
    holds: Vec<Hold>,
}

impl Run {
    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing panics while holding it.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a heartbeat says of the run to which this process has repeated everything.
    pub fn claim(&self) -> RunClaim {
        self.known().claim.clone()
    }

    fn holds(&self) -> Vec<Hold> {
        self.known().holds.clone()
    }

    /// The holds that a heartbeat had.
    pub fn set_holds(&self, holds: &[Hold]) {
        holds.clone_into(&mut self.known().holds);
    }

    /// One more hold.
    pub fn add_hold(&self, hold: &Hold) {
        let holds = &mut self.known().holds;
        holds.retain(|known| known.owner != hold.owner);
        holds.push(hold.clone());
    }

    /// Whether nobody is waited for who may remember what the run has forgotten, as far as is
    /// known here. One that was open once stays so.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// What a step said of the run. False when it is another than the one that is known here.
    pub fn note(&self, id: &str, is_open: bool) -> bool {
        let is_same = self.known().claim.repeated_in == id;
        if is_same && is_open != self.is_open.swap(is_open, Ordering::AcqRel) && is_open {
            info!(
                "all fronts have repeated what Redis may have forgotten: new payments are accepted"
            );
        }
        is_same
    }

    /// As [`Run::note`], of what a reply has at this place.
    pub fn read(&self, reply: &Reply, at: usize) {
        if let Some((id, is_open)) = read_run(reply, at) {
            self.note(id, is_open);
        }
    }

    /// What is read at a replica is what it has: fronts repeat nothing to it.
    pub(crate) fn trust(&self, run: &str) {
        self.meet(run, false);
        self.is_open.store(true, Ordering::Release);
    }

    fn meet(&self, run: &str, always: bool) {
        self.known().claim = RunClaim {
            repeated_in: run.to_owned(),
            always,
        };
        self.is_open.store(false, Ordering::Release);
    }
}

/// The id of the run and whether it is open, where a reply has them.
pub fn read_run(reply: &Reply, at: usize) -> Option<(&str, bool)> {
    Some((reply.text(at)?, reply.text(at + 1)? == "1"))
}

impl Connector {
    /// Repeats to another run what it may have forgotten, and says so; nothing new is let through
    /// meanwhile. Also finds out whether the run is open.
    pub(crate) async fn meet_run(
        &self,
        link: &mut Link,
        run: &str,
        is_other: bool,
    ) -> Result<(), ConnectError> {
        let always = !self.only_reads && writes_through(&mut link.connection).await;
        let shared = &self.shared;
        if !is_other {
            if shared.run.claim().repeated_in != run {
                shared.run.meet(run, always);
            }
            shared.recent.set_forgetful_for(forgetful_for(always));
            return match self.look_whether_open(link, command::run_state(), 0).await {
                // Nothing is owed, and whoever has no right to ask is told that by the settings.
                Err(ConnectError::Redis(error))
                    if error.code() == Some("NOPERM") || is_denial(&error) =>
                {
                    Ok(())
                }
                looked => looked,
            };
        }
        let _closed = shared.gate.write().await;
        shared.recent.owe();
        self.replay(link).await?;
        shared.recent.set_forgetful_for(forgetful_for(always));
        shared.run.meet(run, always);
        let holds = shared.run.holds();
        let mut beat = command::beat(&holds, &shared.run.claim());
        link.say_identity(&mut beat);
        self.look_whether_open(link, beat, 4).await?;
        if !shared.run.is_open() {
            info!(
                "Redis was restarted and may have forgotten payments: new ones are refused until every front has repeated what it knows, or has been silent for 5 s"
            );
        }
        shared.give_up_links();
        Ok(())
    }

    async fn look_whether_open(
        &self,
        link: &mut Link,
        asked: redis::Cmd,
        at: usize,
    ) -> Result<(), ConnectError> {
        let value: Value = asked.query_async(&mut link.connection).await?;
        let reply = Reply::new(value).or(Err(ConnectError::NoRunId))?;
        let (id, is_open) = read_run(&reply, at).ok_or(ConnectError::NoRunId)?;
        if self.shared.run.note(id, is_open) {
            Ok(())
        } else {
            Err(ConnectError::AnotherRun)
        }
    }

    /// Repeats what is owed. What fails by its own fault will always do so and counts as answered.
    async fn replay(&self, link: &mut Link) -> Result<(), ConnectError> {
        let shared = &self.shared;
        let (mut count, mut others) = (0, 0);
        loop {
            let writes = shared.recent.owed(REPLAY_CHUNK);
            if writes.is_empty() {
                break;
            }
            let mut pipeline = Pipeline::with_capacity(writes.len());
            for repeated in &writes {
                let mut command = replay(repeated);
                link.say_identity(&mut command);
                pipeline.add_command(command);
            }
            let replies = link
                .connection
                .req_packed_commands(&pipeline, 0, writes.len())
                .await?;
            let (mut answered, mut failed) = (0, None);
            for (reply, repeated) in replies.iter().zip(&writes) {
                if let Value::ServerError(error) = reply
                    && !is_its_own_fault(error)
                {
                    failed = Some(error.clone());
                    break;
                }
                if let Some(error) = failure(reply) {
                    let (id, written) = (repeated.write.id(), &repeated.write);
                    shared.run.unrepeatable.fetch_add(1, Ordering::Relaxed);
                    error!(
                        error,
                        id = id.map(tracing::field::display),
                        ?written,
                        "a write that Redis may have forgotten cannot be repeated"
                    );
                }
                others += usize::from(is_another_lineage(reply));
                answered += 1;
            }
            shared.recent.repeated(answered);
            count += answered;
            if let Some(error) = failed {
                return Err(ConnectError::NotRepeated(error.to_string()));
            }
        }
        info!(
            writes = count,
            "repeated the last writes to a restarted Redis"
        );
        if others > 0 {
            warn!(
                writes = others,
                "payments that Redis had forgotten were accepted again before they were repeated"
            );
        }
        Ok(())
    }
}

fn forgetful_for(always: bool) -> Duration {
    if always {
        Duration::ZERO
    } else {
        FORGETFUL_FOR
    }
}

/// Whether Redis has everything on its disk before it answers. Whoever may not ask does not know.
async fn writes_through(connection: &mut MultiplexedConnection) -> bool {
    let asked = redis::cmd("CONFIG")
        .arg(&["GET", "appendonly", "appendfsync"])
        .query_async::<std::collections::HashMap<String, String>>(connection)
        .await;
    asked.is_ok_and(|settings| {
        let is = |name, value| settings.get(name).is_some_and(|set| set == value);
        is("appendonly", "yes") && is("appendfsync", "always")
    })
}

/// Whether an error speaks of a write and not of Redis's health, role, memory, or our rights.
fn is_its_own_fault(error: &ServerError) -> bool {
    let is_of_redis = matches!(
        error.code(),
        "LOADING"
            | "BUSY"
            | "NOAUTH"
            | "NOPERM"
            | "READONLY"
            | "MASTERDOWN"
            | "MISCONF"
            | "NOREPLICAS"
            | "OOM"
            | "CLUSTERDOWN"
            | "TRYAGAIN"
            | "MOVED"
            | "ASK"
            | "EXECABORT"
            | "ELSEWHERE"
    );
    let details = error.details().unwrap_or_default();
    !is_of_redis && !details.contains("Function not found")
}

/// Why a write was not repeated, by its own fault.
fn failure(reply: &Value) -> Option<String> {
    if let Value::ServerError(error) = reply {
        return Some(error.to_string());
    }
    let Value::Array(parts) = reply else {
        return None;
    };
    let word: String = parsed(parts.first()?)?;
    let is_failure = word == "unfit" || word.starts_with("failed ");
    is_failure.then_some(word)
}

fn is_another_lineage(reply: &Value) -> bool {
    let Value::Array(parts) = reply else {
        return false;
    };
    parts
        .first()
        .and_then(feeway_redis_layout::reply::bytes)
        .is_some_and(|word| word == b"other")
}

impl Redis {
    /// What is read of the books may be incomplete while somebody may remember more.
    pub(crate) async fn until_open(&self) -> Result<(), StoreFault> {
        let run = self.run();
        if run.is_open() {
            return Ok(());
        }
        let reply = Reply::new(self.read(command::run_state()).await?)?;
        let Some((id, is_open)) = read_run(&reply, 0) else {
            return reply.unreadable();
        };
        if run.note(id, is_open) && is_open {
            Ok(())
        } else {
            Err(StoreFault::Closed)
        }
    }

    /// What was read while nobody was waited for.
    pub async fn read_books<T, E: From<StoreFault>>(
        &self,
        read: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.until_open().await?;
        let found = read.await?;
        // Another run may have begun since.
        if self.shared().run.is_open() {
            Ok(found)
        } else {
            Err(StoreFault::Closed.into())
        }
    }

    /// Whether the limit of writes kept for a replay is reached. None is dropped for a new payment.
    pub fn remembers_too_much(&self) -> bool {
        let shared = self.shared();
        let is_full = shared.recent.is_full();
        if is_full && !shared.is_overflow_told.swap(true, Ordering::Relaxed) {
            warn!(
                "payments are refused: Redis acknowledged more in the last 3 s than a front keeps for repeating"
            );
        }
        is_full
    }

    /// Waits until Redis waits for nobody, as heartbeats find out. Cancel safe.
    pub async fn opened(&self) {
        while !self.is_open() {
            sleep(LOOK).await;
        }
    }

    /// As [`Redis::opened`] of who has no heartbeat. Cancel safe.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn asked_until_open(&self) -> Result<(), StoreFault> {
        loop {
            match self.until_open().await {
                Err(StoreFault::Closed) => sleep(LOOK).await,
                result => return result,
            }
        }
    }

    /// Writes that could not be repeated after a restart of Redis, by their own fault.
    pub fn unrepeatable(&self) -> u64 {
        self.shared().run.unrepeatable.load(Ordering::Relaxed)
    }

    /// Whether Redis waits for nobody who may remember what it has forgotten, as far as is known.
    pub fn is_open(&self) -> bool {
        self.shared().run.is_open()
    }
}
