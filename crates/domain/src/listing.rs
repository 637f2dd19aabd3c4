//! The listing's words: single payments in the order of time, a page at a time.

use crate::{
    CorrelationId, Fee, JournalTime, Money, PaymentState, ProcessorName, RequestedAt, Window,
};

const HOUR_MICROS: i64 = 3_600_000_000;

/// The most lines of one page.
pub const MAX_PAGE: usize = 1_000;

/// Which payments are listed, and by which time they are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// The ledger, line by line, by `requestedAt`: a payment that two processors hold has
    /// two lines, as it is in the books of both.
    Settled,
    /// What is accepted and not settled, by the time of acceptance.
    Open,
    /// The open ones that name a processor.
    Pinned,
    /// What every processor refused, by the time of that.
    Rejected,
    /// The lines of payments that more than one processor holds, by `requestedAt`.
    Conflict,
}

/// What a page is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Which payments.
    pub listed: Listed,
    /// Whose time lies in here.
    pub window: Window,
    /// Behind this place; from the oldest when there is none.
    pub after: Option<Cursor>,
    /// At most so many lines, up to [`MAX_PAGE`].
    pub limit: usize,
}

impl Listing {
    /// The whole hours before `oldest`, itself a whole hour, of which lines are asked for.
    /// None of those lines is kept, so a page is complete only if nothing was settled there.
    pub fn before(&self, oldest: RequestedAt) -> Option<Window> {
        let hour = |micros: i64| micros.saturating_sub(micros.rem_euclid(HOUR_MICROS));
        let after = self.after.as_ref().map(|cursor| cursor.at.micros());
        let from = self.window.from().map(RequestedAt::micros).max(after);
        let last = oldest.micros().saturating_sub(1);
        let to = self.window.to().map_or(last, RequestedAt::micros).min(last);
        let end = hour(to).saturating_add(HOUR_MICROS).saturating_sub(1);
        let from = RequestedAt::from_micros(hour(from.unwrap_or(0)))?;
        Window::new(Some(from), Some(RequestedAt::from_micros(end)?)).ok()
    }

    /// The part of it that begins at `oldest`, if there is any.
    pub fn since(&self, oldest: RequestedAt) -> Option<Self> {
        let from = self.window.from().max(Some(oldest));
        let after = self.after.clone();
        Some(Self {
            window: Window::new(from, self.window.to()).ok()?,
            after: after.filter(|cursor| cursor.at.micros() >= oldest.micros()),
            ..self.clone()
        })
    }
}

/// A place in a listing. It stays where it is, whatever comes or goes around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The time of the line that stands or stood there.
    pub at: JournalTime,
    /// Its payment.
    pub id: CorrelationId,
    /// Its amount.
    pub amount: Money,
    /// Its processor, if it names one.
    pub processor: Option<ProcessorName>,
}

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The payment; of a conflict, as this processor holds it.
    pub state: PaymentState,
    /// The time it is listed by.
    pub at: JournalTime,
    /// The processor's fee in force, once it is settled.
    pub fee: Option<Fee>,
}

impl Line {
    /// Where it stands.
    pub fn cursor(&self) -> Cursor {
        Cursor {
            at: self.at,
            id: self.state.id,
            amount: self.state.amount,
            processor: self.state.status.processor().cloned(),
        }
    }
}

/// Some lines in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// They may be fewer than asked for, even none, when there is a next page.
    pub lines: Vec<Line>,
    /// Where the next page begins; none when this was the last.
    pub next: Option<Cursor>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLDEST: &str = "2025-07-15T12:00:00Z";

    fn at(text: &str) -> RequestedAt {
        text.parse().unwrap()
    }

    fn window(from: Option<&str>, to: Option<&str>) -> Window {
        Window::new(from.map(at), to.map(at)).unwrap()
    }

    fn listing(from: Option<&str>, to: Option<&str>, after: Option<&str>) -> Listing {
        let cursor = |text| Cursor {
            at: JournalTime::from_micros(at(text).micros()),
            id: CorrelationId::from_bytes([7; 16]),
            amount: Money::MAX,
            processor: None,
        };
        Listing {
            listed: Listed::Settled,
            window: window(from, to),
            after: after.map(cursor),
            limit: 100,
        }
    }

    #[test]
    fn what_is_asked_for_before_the_oldest_instant_is_whole_hours() {
        let last = "2025-07-15T11:59:59.999999Z";
        let old = Some("2025-07-14T10:20:30Z");
        let hour = Some("2025-07-14T10:00:00Z");
        for (listing, expected) in [
            (listing(old, None, None), Some((hour, Some(last)))),
            (
                listing(old, Some("2025-07-16T00:00:00Z"), None),
                Some((hour, Some(last))),
            ),
            (
                listing(old, old, None),
                Some((hour, Some("2025-07-14T10:59:59.999999Z"))),
            ),
            (listing(None, None, old), Some((hour, Some(last)))),
            (
                listing(Some("1970-01-01T00:00:00Z"), None, old),
                Some((hour, Some(last))),
            ),
            (
                listing(None, Some(last), None),
                Some((Some("1970-01-01T00:00:00Z"), Some(last))),
            ),
            (listing(Some(OLDEST), None, None), None),
        ] {
            let expected = expected.map(|(from, to)| window(from, to));
            assert_eq!(listing.before(at(OLDEST)), expected, "{listing:?}");
        }
    }

    #[test]
    fn the_rest_begins_with_the_oldest_instant() {
        let old = Some("2025-07-14T10:20:30Z");
        let (oldest, later) = (Some(OLDEST), Some("2025-07-15T12:00:01Z"));
        for (asked, expected) in [
            (listing(old, None, None), Some(listing(oldest, None, None))),
            (listing(old, later, old), Some(listing(oldest, later, None))),
            (listing(None, None, old), Some(listing(oldest, None, None))),
            (
                listing(later, None, later),
                Some(listing(later, None, later)),
            ),
            (listing(None, old, None), None),
        ] {
            assert_eq!(asked.since(at(OLDEST)), expected);
        }
    }
}
