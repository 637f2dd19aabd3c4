//! One connection to Redis, and what its errors say of a step.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use feeway_domain::StoreFault;
use feeway_redis_layout::command::{Subject, subject};
use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{Cmd, Pipeline, RedisError, Value};
use tokio::task::JoinSet;
use tracing::error;

use crate::connection::Shared;
use crate::standing::Lane;

/// One connection, shared by many commands at a time.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) connection: MultiplexedConnection,
    /// Ends with the last share in the connection, whatever Redis still owes.
    pub(crate) _driver: Arc<JoinSet<()>>,
    pub(crate) broken: Arc<AtomicBool>,
    pub(crate) number: u64,
    pub(crate) lane: Lane,
    /// The argument of steps that only the data may take to which it led.
    pub(crate) identity: Option<Arc<str>>,
    pub(crate) shared: Arc<Shared>,
}

impl Link {
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    pub(crate) fn give_up(&self, why: &str) {
        if !self.broken.swap(true, Ordering::AcqRel) {
            let standing = &self.shared.standing;
            standing.disconnected(self.lane, self.number, why);
        }
    }

    /// Adds to a step that it is for the data that this connection led to.
    pub(crate) fn say_identity(&self, step: &mut Cmd) {
        if let Some(identity) = &self.identity {
            step.arg(&**identity);
        }
    }

    pub(crate) async fn send(&mut self, command: &Cmd) -> Result<Value, StoreFault> {
        let reply = self.connection.req_packed_command(command).await;
        reply
            .and_then(Value::extract_error)
            .map_err(|error| self.fault(&error, Some(command)))
    }

    /// One after another, in one round trip; between two others may write.
    pub(crate) async fn send_in_turn(
        &mut self,
        commands: &Pipeline,
    ) -> Result<Vec<Value>, StoreFault> {
        commands
            .query_async(&mut self.connection)
            .await
            .map_err(|error| self.fault(&error, None))
    }

    /// What an error says about the step that was asked for.
    fn fault(&self, error: &RedisError, command: Option<&Cmd>) -> StoreFault {
        if error.is_io_error() || error.is_unrecoverable_error() {
            self.give_up(&error.to_string());
            return StoreFault::Unknown;
        }
        match error.code() {
            Some("OOM") => {
                self.shared.refused_for_memory();
                StoreFault::Full
            }
            // Behind the same address there may be another server by now, which is no replica.
            Some("READONLY" | "MASTERDOWN") => {
                self.refused(error);
                self.give_up(&words(error));
                StoreFault::Away
            }
            // Other data, or none, has taken the place of ours. New connections look at it; until
            // then nothing is read there either.
            Some("ELSEWHERE") => {
                self.give_up(&words(error));
                self.shared.give_up_links();
                StoreFault::Away
            }
            Some("MISCONF" | "NOREPLICAS") => {
                self.refused(error);
                StoreFault::Away
            }
            Some("NOPERM") => {
                self.denied(error);
                StoreFault::Away
            }
            // It refuses all work, or all writes, before it does any.
            Some("LOADING" | "BUSY" | "NOAUTH" | "CLUSTERDOWN" | "TRYAGAIN") => StoreFault::Away,
            _ if is_missing_function(error) => {
                // Somebody flushed the functions; a new connection loads them again.
                self.give_up("Redis no longer has the functions");
                StoreFault::Away
            }
            _ => {
                if let Some(Subject { step, ids }) = command.map(subject) {
                    error!(%error, step, %ids, "Redis could not carry out a step");
                } else {
                    error!(%error, "Redis could not carry out a step");
                }
                if is_denial(error) {
                    self.denied(error);
                }
                StoreFault::Unknown
            }
        }
    }

    /// Other steps may still be allowed. Which are not is found out by looking.
    fn denied(&self, error: &RedisError) {
        if self.lane == Lane::Writes {
            self.shared.denies(&words(error));
        }
    }

    /// What is read may still be answered, so it is writes that count.
    fn refused(&self, error: &RedisError) {
        if self.lane == Lane::Writes {
            self.shared.refuses(&words(error));
        }
    }
}

/// Redis asks for rights with each call, so that a function may be let in and not do its work.
pub(crate) fn is_denial(error: &RedisError) -> bool {
    let detail = error.detail().unwrap_or_default();
    ["ACL failure in script", "The user executing the script"]
        .iter()
        .any(|words| detail.contains(words))
}

/// What Redis said, in its own words.
pub(crate) fn words(error: &RedisError) -> String {
    let detail = error.detail().unwrap_or_default();
    format!(
        "{} {}",
        error.code().unwrap_or_default(),
        detail.trim_end_matches('.')
    )
}

pub(crate) fn is_missing_function(error: &RedisError) -> bool {
    error
        .detail()
        .is_some_and(|detail| detail.contains("Function not found"))
}
