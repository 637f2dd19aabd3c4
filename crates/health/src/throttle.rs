//! What a processor that answers 429 still gets.

use std::time::Duration;

use tokio::time::Instant;

/// The shortest pause between two attempts while nothing but 429 comes back: 5 a second.
const PAUSE_MIN: Duration = Duration::from_millis(200);

/// The longest, unless the processor itself asks for more.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Pauses between attempts: those that the processor asks for with `Retry-After`, and growing
/// ones of our own while it answers nothing but 429.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    /// What it asked for: since when, and until when.
    asked: Option<(Instant, Instant)>,
    /// Nothing but 429 has come back.
    refusing: Option<Refusing>,
}

#[derive(Clone, Copy, Debug)]
struct Refusing {
    since: Instant,
    pause: Duration,
    /// When the next attempt may start.
    next: Instant,
    /// When the last one did, if any did since.
    tried: Option<Instant>,
}

impl Throttle {
    /// An attempt was answered with 429.
    pub(crate) fn refused(&mut self, retry_after: Option<Duration>, now: Instant) {
        if let Some(wait) = retry_after {
            let (since, until) = self
                .asked
                .filter(|(_, until)| *until > now)
                .unwrap_or((now, now));
            self.asked = Some((since, until.max(now + wait)));
        }
        let first = Refusing {
            since: now,
            pause: PAUSE_MIN,
            next: now + PAUSE_MIN,
            tried: None,
        };
        match &mut self.refusing {
            None => self.refusing = Some(first),
            // What was under way when the first 429 came says nothing new.
            Some(refusing) if refusing.tried.is_some() => {
                refusing.pause = (refusing.pause * 2).min(PAUSE_MAX);
                refusing.next = now + refusing.pause;
                refusing.tried = None;
            }
            Some(_) => {}
        }
    }

    /// Something else than 429 came back. What the processor asked for still holds.
    pub(crate) fn end(&mut self) {
        self.refusing = None;
    }

    /// From when on an attempt may start.
    pub(crate) fn opens(&self, now: Instant) -> Instant {
        let asked = self.asked.map_or(now, |(_, until)| until);
        self.refusing
            .map_or(asked, |refusing| asked.max(refusing.next))
    }

    /// An attempt starts.
    pub(crate) fn started(&mut self, now: Instant) {
        if let Some(refusing) = &mut self.refusing {
            refusing.tried = Some(now);
            refusing.next = now + refusing.pause;
        }
    }

    /// Whether attempts have to keep a distance now.
    pub(crate) fn is_active(&self, now: Instant) -> bool {
        self.refusing.is_some() || self.asked.is_some_and(|(_, until)| now < until)
    }

    /// Whether it has lasted too long to wait for as for a working processor.
    pub(crate) fn is_failing(&self, max_latency: Duration, now: Instant) -> bool {
        let refusing = self.refusing.map(|refusing| refusing.since);
        let asked = self.asked.filter(|(_, until)| now < *until);
        let since = refusing.into_iter().chain(asked.map(|(since, _)| since));
        since.min().is_some_and(|since| now >= since + max_latency)
    }

    /// The instants at which it changes with time alone.
    pub(crate) fn changes_at(&self, max_latency: Duration) -> impl Iterator<Item = Instant> {
        let refusing = self.refusing.into_iter();
        let asked = self.asked.into_iter();
        let refusing =
            refusing.flat_map(move |refusing| [refusing.next, refusing.since + max_latency]);
        refusing.chain(asked.flat_map(move |(since, until)| [since + max_latency, until]))
    }
}
