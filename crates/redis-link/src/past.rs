//! Whether the data behind a connection is the data that this front belongs to.
//!
//! Data has an identity. It is random and made once, and `feeway-ctl adopt-store` replaces it.
//! A copy of the data has it as well, so each run of a server also notes the *pulse* it began
//! with: the time of the last heartbeat that the data has. A copy that lacks a heartbeat which
//! was acknowledged to us more than [`FORGETFUL_FOR`] before we lost the link is older than a killed
//! Redis may be.

mod found;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use feeway_domain::{InHand, JournalTime};
use redis::Value;
use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use tokio::time::Instant;

pub(crate) use self::found::{Adoptions, Lost};
use feeway_books::recent::FORGETFUL_FOR;
use feeway_redis_layout::command;
use feeway_redis_layout::reply::Reply;
use feeway_redis_layout::written::{KnownSites, Written};

use self::found::{Found, Identity, look};
use crate::connect_error::ConnectError;
use crate::link::is_missing_function;

/// Between two looks at data that is not ours.
const LOOK_AGAIN: Duration = Duration::from_millis(900);

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
    last.duration_since(at) > FORGETFUL_FOR
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
    /// A step was acknowledged at this instant.
    fn answered(&mut self, at: Instant) {
        if let Some(ours) = &mut self.ours {
            ours.last = ours.last.max(at);
        }
    }

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
#[derive(Default)]
pub(crate) struct Past {
    known: Mutex<Known>,
    in_hand: Mutex<Option<Arc<dyn InHand>>>,
}

impl Past {
    /// That the data was not ours, when that was seen a moment ago.
    pub(crate) fn still_lost(&self) -> Option<Lost> {
        let known = lock(&self.known);
        let (lost, at) = known.said.as_ref()?;
        (at.elapsed() < LOOK_AGAIN).then(|| lost.clone())
    }

    /// Whether a front may go on with the data that it finds, when Redis acknowledged a step
    /// of ours last at this instant.
    pub(crate) async fn look(
        &self,
        connection: &mut MultiplexedConnection,
        answered_at: Instant,
    ) -> Result<Verdict, ConnectError> {
        let found = look(connection).await?;
        let mut known = lock(&self.known);
        known.answered(answered_at);
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
        let meet = command::meet(
            run,
            identity.as_str(),
            adoptions.before(),
            &adoptions.text(),
        );
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
        let mut known = lock(&self.known);
        known.lost = None;
        let ours = known
            .ours
            .take_if(|ours| ours.belonging.identity == belonging.identity);
        let mut ours = ours.unwrap_or_else(|| Ours::new(belonging, now));
        ours.met(run, now);
        ours.creating_until = now + FORGETFUL_FOR.saturating_sub(age);
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

    /// What this front has in its hands, as if it had just been acknowledged.
    pub(crate) fn in_hand(&self) -> Vec<Written> {
        let Some(in_hand) = lock(&self.in_hand).clone() else {
            return Vec::new();
        };
        let sites = in_hand.sites().into_iter().map(|site| {
            let url = site.url.clone().into_boxed_str();
            (site, url)
        });
        let sites: KnownSites = sites.collect();
        let holds = in_hand.holds().into_iter().map(|hold| {
            if hold.owner == hold.holder {
                let sites = sites.clone();
                Written::Sites { hold, sites }
            } else {
                Written::Hold(hold)
            }
        });
        let entries = in_hand.entries().into_iter();
        let entries = entries.map(|(entry, hold)| Written::Entry {
            hold,
            payment: entry.payment,
            processor: entry.processor,
            moves: entry.moves,
            accepted_at: entry.accepted_at,
        });
        holds.chain(entries).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while holding it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
