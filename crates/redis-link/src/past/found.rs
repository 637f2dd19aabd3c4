//! What data says of itself, and what it may lack.

use std::fmt;
use std::sync::Arc;

use feeway_domain::{JournalTime, RequestedAt};
use feeway_redis_layout::keys;
use feeway_redis_layout::reply::{bytes, parsed};
use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value};
use uuid::Uuid;

/// The identity of data, in 32 hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Identity(pub(super) Arc<str>);

impl Identity {
    pub(crate) fn random() -> Self {
        Self(Uuid::new_v4().simple().to_string().into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    fn read(value: &Value) -> Option<Self> {
        let text = std::str::from_utf8(bytes(value)?).ok()?;
        (!text.is_empty()).then(|| Self(text.into()))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an identity stands in place of because an operator let the fronts go on with data, the
/// latest last; empty when a front made it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Adoptions(pub(super) Vec<String>);

/// What the data has for data without an identity.
const NOTHING: &str = "none";

impl Adoptions {
    fn read(value: &Value) -> Self {
        let text = bytes(value).and_then(|text| std::str::from_utf8(text).ok());
        let words = text.unwrap_or_default().split(' ');
        let words = words.filter(|word| !word.is_empty()).map(str::to_owned);
        Self(words.collect())
    }

    /// As the data has it.
    pub(crate) fn text(&self) -> String {
        self.0.join(" ")
    }

    /// The identity that was there before.
    pub(crate) fn before(&self) -> &str {
        let last = self.0.last().filter(|last| *last != NOTHING);
        last.map_or("", String::as_str)
    }

    /// Whether this data once looked like that.
    pub(super) fn has(&self, seen: Option<&Identity>) -> bool {
        let seen = seen.map_or(NOTHING, Identity::as_str);
        self.0.iter().any(|one| one == seen)
    }
}

/// What data says of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// Nothing for empty data, or data of earlier versions.
    pub(crate) identity: Option<Identity>,
    pub(super) adoptions: Adoptions,
    pub(super) pulse: i64,
    /// The runs of servers that it remembers and the pulses they began with, the newest last.
    pub(super) starts: Vec<(String, i64)>,
}

/// Asks the data.
pub(crate) async fn look(connection: &mut MultiplexedConnection) -> Result<Found, RedisError> {
    let (meta, starts): (Vec<Value>, Vec<Value>) = redis::pipe()
        .cmd("HMGET")
        .arg(&[keys::META, "identity", "instead-of", "pulse"])
        .lrange(keys::STARTS, 0, -1)
        .query_async(connection)
        .await?;
    let [identity, adoptions, pulse] = meta.as_slice() else {
        return Ok(Found::default());
    };
    Ok(Found {
        identity: Identity::read(identity),
        adoptions: Adoptions::read(adoptions),
        pulse: parsed(pulse).unwrap_or(0),
        starts: starts.iter().filter_map(read_start).collect(),
    })
}

fn read_start(start: &Value) -> Option<(String, i64)> {
    let text = std::str::from_utf8(bytes(start)?).ok()?;
    let (run, pulse) = text.split_once('|')?;
    Some((run.to_owned(), pulse.parse().ok()?))
}

/// What the data lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// It has no identity, so it is empty or older than all identities.
    All { ours: Identity },
    /// It is other data.
    Other { found: Identity, ours: Identity },
    /// It is an older copy, which lacks everything from the one instant to the other at least.
    Since {
        from: JournalTime,
        until: JournalTime,
    },
}

impl std::error::Error for Lost {}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All { ours } => write!(
                f,
                "Redis has lost all its data, or it is another Redis: it has nothing of the store \
                 {ours}, which this front belongs to"
            ),
            Self::Other { found, ours } => write!(
                f,
                "Redis has the data of another store, {found}; this front belongs to {ours}"
            ),
            Self::Since { from, until } => {
                f.write_str("Redis has an older copy of its data, which lacks what was written ")?;
                match RequestedAt::from_micros(from.micros()).filter(|_| from.micros() > 0) {
                    Some(from) => write!(f, "from {from} ")?,
                    None => f.write_str("from its beginning ")?,
                }
                match RequestedAt::from_micros(until.micros()) {
                    Some(until) => write!(f, "to {until} at least"),
                    None => f.write_str("since"),
                }
            }
        }?;
        f.write_str(" (see feeway-ctl adopt-store)")
    }
}
