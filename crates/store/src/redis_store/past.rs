//! Whether the data behind a connection is the data that this front belongs to.
//!
//! Data has an identity. It is random and made once, and `feeway-ctl adopt-store` replaces it.
//! A copy of the data has it as well, so each run of a server also notes the *pulse* it began
//! with: the time of the last heartbeat that the data has. A copy that lacks a heartbeat which
//! was acknowledged to us more than [`FORGOTTEN`] before we lost the link is older than a killed
//! Redis may be.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use feeway_domain::{InHand, JournalTime, RequestedAt};
use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{RedisError, Value};
use tokio::time::Instant;
use uuid::Uuid;

use crate::keys;
use crate::redis_store::command;
use crate::redis_store::connect_error::ConnectError;
use crate::redis_store::link::is_missing_function;
use crate::redis_store::reply::{Reply, bytes, parsed};

/// How much a Redis that is killed may forget of what it acknowledged: with `appendfsync
/// everysec` up to two seconds, and one to spare.
const FORGOTTEN: Duration = Duration::from_secs(3);

/// Between two looks at data that is not ours.
const LOOK_AGAIN: Duration = Duration::from_millis(900);

/// The identity of data, in 32 hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Identity(Arc<str>);

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
pub(crate) struct Adoptions(Vec<String>);

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
    fn has(&self, seen: Option<&Identity>) -> bool {
        let seen = seen.map_or(NOTHING, Identity::as_str);
        self.0.iter().any(|one| one == seen)
    }
}

/// What data says of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// Nothing for empty data, or data of earlier versions.
    pub(crate) identity: Option<Identity>,
    adoptions: Adoptions,
    pulse: i64,
    /// The runs of servers that it remembers and the pulses they began with, the newest last.
    starts: Vec<(String, i64)>,
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
                "Redis has lost all its data, or it is another Redis: there is none of {ours}, \
                 which this front belongs to"
            ),
            Self::Other { found, ours } => write!(
                f,
                "Redis has other data: {found}, and this front belongs to {ours}"
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

/// An identity, and how data came to have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Belonging {
    pub(crate) identity: Identity,
    pub(crate) adoptions: Adoptions,
}

/// Whether a front may go on with the data that it found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is ours, or becomes ours.
    Ours(Belonging),
    /// An operator has let us go on with it.
    Adopted(Belonging),
    Lost(Lost),
}

/// Things that were acknowledged, of which we need the newest that cannot be forgotten any more.
#[derive(Debug)]
struct Acknowledged<T>(VecDeque<(Instant, T)>);

impl<T> Acknowledged<T> {
    fn add(&mut self, at: Instant, one: T) {
        self.0.push_back((at, one));
        while self.0.get(1).is_some_and(|(next, _)| is_sure(*next, at)) {
            self.0.pop_front();
        }
    }

    fn newest(&self) -> Option<&T> {
        self.0.back().map(|(_, one)| one)
    }

    fn forget_unsure(&mut self, last: Instant) {
        self.0.retain(|(at, _)| is_sure(*at, last));
    }

    /// The newest that no kill after `last` makes a Redis forget.
    fn sure(&self, last: Instant) -> Option<&T> {
        let mut newest_first = self.0.iter().rev();
        let sure = newest_first.find(|(at, _)| is_sure(*at, last));
        sure.map(|(_, one)| one)
    }
}

fn is_sure(at: Instant, last: Instant) -> bool {
    last.duration_since(at) > FORGOTTEN
}

impl<T> Default for Acknowledged<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

/// What one front knows of its data.
#[derive(Debug, Default)]
struct Known {
    ours: Option<Ours>,
    /// What was last found and is not ours; the identity, if it had one.
    lost: Option<Option<Identity>>,
    /// What it lacks, and when that was seen.
    said: Option<(Lost, Instant)>,
}

#[derive(Debug)]
struct Ours {
    belonging: Belonging,
    /// Until then a killed Redis may forget this identity.
    creating_until: Instant,
    runs: Acknowledged<String>,
    pulses: Acknowledged<i64>,
    /// When something was acknowledged last.
    last: Instant,
}

impl Known {
    fn judge(&self, found: &Found) -> Verdict {
        let Some(ours) = &self.ours else {
            let identity = found.identity.clone();
            return Verdict::Ours(Belonging {
                adoptions: found.adoptions.clone(),
                identity: identity.unwrap_or_else(Identity::random),
            });
        };
        let own = &ours.belonging;
        if found.identity.as_ref() == Some(&own.identity) {
            return match ours.lacks(found) {
                Some(lost) => Verdict::Lost(lost),
                None => Verdict::Ours(own.clone()),
            };
        }
        let is_forgotten = ours.last < ours.creating_until;
        let found_identity = found.identity.as_ref().map_or("", Identity::as_str);
        if is_forgotten && found_identity == own.adoptions.before() {
            return Verdict::Ours(own.clone());
        }
        let Some(identity) = found.identity.clone() else {
            let ours = own.identity.clone();
            return Verdict::Lost(Lost::All { ours });
        };
        let has = |seen| found.adoptions.has(seen);
        let has_lost = self.lost.as_ref().is_some_and(|lost| has(lost.as_ref()));
        if has(Some(&own.identity)) || has_lost {
            return Verdict::Adopted(Belonging {
                identity,
                adoptions: found.adoptions.clone(),
            });
        }
        Verdict::Lost(Lost::Other {
            found: identity,
            ours: own.identity.clone(),
        })
    }
}

impl Ours {
    fn new(belonging: Belonging, now: Instant) -> Self {
        Self {
            belonging,
            creating_until: now,
            runs: Acknowledged::default(),
            pulses: Acknowledged::default(),
            last: now,
        }
    }

    /// A new run may have forgotten whatever is not sure, and forgets it for good.
    fn met(&mut self, run: &str, now: Instant) {
        if self.runs.newest().is_none_or(|newest| newest != run) {
            self.runs.forget_unsure(self.last);
            self.pulses.forget_unsure(self.last);
            self.runs.add(now, run.to_owned());
        }
        self.last = now;
    }

    /// What a copy of our data lacks that no kill makes a Redis forget.
    fn lacks(&self, found: &Found) -> Option<Lost> {
        let pulse = *self.pulses.sure(self.last)?;
        let since = |from| Lost::Since {
            from: JournalTime::from_micros(from),
            until: JournalTime::from_micros(pulse),
        };
        let run = self.runs.sure(self.last)?;
        let Some(place) = found.starts.iter().position(|(start, _)| start == run) else {
            return Some(since(found.pulse));
        };
        let after = found.starts[place..].iter().skip(1);
        let begun_with = after.map(|(_, pulse)| *pulse);
        let least = begun_with.chain([found.pulse]).min()?;
        (least < pulse).then(|| since(least))
    }
}

/// That the data takes us for its own.
#[derive(Debug)]
pub(crate) struct Met {
    belonging: Belonging,
    is_adopted: bool,
    /// How long ago it got its identity.
    age: Duration,
}

impl Met {
    /// As steps say which data they are for. Every intake says it, so it is written once.
    pub(crate) fn argument(&self) -> Arc<str> {
        format!("identity:{}", self.belonging.identity).into()
    }

    /// An operator has let us go on with data that was not ours.
    pub(crate) fn is_adopted(&self) -> bool {
        self.is_adopted
    }
}

/// What one front knows of its data, and where it finds what to write back.
pub(crate) struct Past {
    known: Mutex<Known>,
    in_hand: Mutex<Option<Arc<dyn InHand>>>,
    begun: Instant,
    /// When a step was acknowledged last, in microseconds from `begun`. Every step says it.
    answered: AtomicU64,
}

impl Default for Past {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            in_hand: Mutex::default(),
            begun: Instant::now(),
            answered: AtomicU64::new(0),
        }
    }
}

impl Past {
    /// A step was acknowledged.
    pub(crate) fn answered(&self) {
        let micros = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.answered.store(micros, Ordering::Relaxed);
    }

    /// What one knows, as of the last step that was acknowledged.
    fn up_to_date(&self) -> MutexGuard<'_, Known> {
        let micros = self.answered.load(Ordering::Relaxed);
        let mut known = lock(&self.known);
        if let Some(ours) = &mut known.ours {
            ours.last = ours.last.max(self.begun + Duration::from_micros(micros));
        }
        known
    }

    /// That the data was not ours, when that was seen a moment ago.
    pub(crate) fn still_lost(&self) -> Option<Lost> {
        let known = lock(&self.known);
        let (lost, at) = known.said.as_ref()?;
        (at.elapsed() < LOOK_AGAIN).then(|| lost.clone())
    }

    /// Whether a front may go on with the data that it finds.
    pub(crate) async fn look(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<Verdict, ConnectError> {
        let found = look(connection).await?;
        let mut known = self.up_to_date();
        match known.judge(&found) {
            Verdict::Lost(lost) => {
                known.lost = Some(found.identity);
                known.said = Some((lost.clone(), Instant::now()));
                Err(lost.into())
            }
            fine @ (Verdict::Ours(_) | Verdict::Adopted(_)) => {
                known.said = None;
                Ok(fine)
            }
        }
    }

    /// Tells the data which it is, and that there is a new run. Nothing with functions of an
    /// earlier version, which know nothing of that.
    pub(crate) async fn meet(
        &self,
        connection: &mut MultiplexedConnection,
        verdict: Verdict,
        run: &str,
    ) -> Result<Option<Met>, ConnectError> {
        let (belonging, is_adopted) = match verdict {
            Verdict::Ours(belonging) => (belonging, false),
            Verdict::Adopted(belonging) => (belonging, true),
            Verdict::Lost(lost) => return Err(lost.into()),
        };
        let Belonging {
            identity,
            adoptions,
        } = &belonging;
        let meet = command::meet(run, identity.as_str(), adoptions);
        let reply = match connection.req_packed_command(&meet).await {
            Err(error) if is_missing_function(&error) => return Ok(None),
            reply => Reply::new(reply.and_then(Value::extract_error)?),
        };
        let Ok(reply) = reply else {
            return Err(ConnectError::Replaced);
        };
        if reply.word() != "met" {
            return Err(ConnectError::Replaced);
        }
        let (Ok(made), Ok(now)) = (reply.time(1), reply.time(2)) else {
            return Err(ConnectError::Replaced);
        };
        Ok(Some(Met {
            belonging,
            is_adopted,
            age: made.age(now),
        }))
    }

    /// We belong to this data now, which a server has in this run.
    pub(crate) fn belongs(&self, met: Met, run: &str) {
        let now = Instant::now();
        let Met { belonging, age, .. } = met;
        let mut known = self.up_to_date();
        known.lost = None;
        let ours = known
            .ours
            .take_if(|ours| ours.belonging.identity == belonging.identity);
        let mut ours = ours.unwrap_or_else(|| Ours::new(belonging, now));
        ours.met(run, now);
        ours.creating_until = now + FORGOTTEN.saturating_sub(age);
        known.ours = Some(ours);
    }

    /// A heartbeat was acknowledged, which raised the pulse to this at least.
    pub(crate) fn felt(&self, pulse: JournalTime) {
        let now = Instant::now();
        if let Some(ours) = &mut lock(&self.known).ours {
            ours.last = now;
            ours.pulses.add(now, pulse.micros());
        }
    }

    pub(crate) fn write_back_from(&self, in_hand: Arc<dyn InHand>) {
        *lock(&self.in_hand) = Some(in_hand);
    }

    /// What puts that into the data again.
    pub(crate) fn write_back(&self) -> Vec<redis::Cmd> {
        let Some(in_hand) = lock(&self.in_hand).clone() else {
            return Vec::new();
        };
        let sites: Vec<_> = (in_hand.sites().into_iter())
            .map(|site| {
                let url = site.url.clone().into_boxed_str();
                (site, url)
            })
            .collect();
        let mut commands = Vec::new();
        for hold in in_hand.holds() {
            commands.push(if hold.owner == hold.holder {
                command::restore_sites(&hold, &sites)
            } else {
                command::restore_hold(&hold)
            });
        }
        for (entry, hold) in in_hand.entries() {
            let text = crate::record::write_entry(&entry);
            commands.push(command::restore_entry(
                entry.payment.id,
                text.as_bytes(),
                &hold,
            ));
        }
        commands
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while holding it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
