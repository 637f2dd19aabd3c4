//! When a processor can have booked a payment at all.

use std::fmt;
use std::time::Duration;

use crate::RequestedAt;

/// How far a processor's clock may be off, unless an operator says otherwise.
pub const CLOCK_SLIP: Duration = Duration::from_secs(2);

/// The instants at which a processor can have booked a payment, both ends inclusive: from its
/// acceptance until now, and a slip of the clocks at either end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Possible {
    earliest: RequestedAt,
    latest: RequestedAt,
}

impl Possible {
    /// Since `accepted`, or since ever where nobody knows that, until `now`.
    pub fn between(accepted: Option<RequestedAt>, now: RequestedAt, slip: Duration) -> Self {
        let slip = i64::try_from(slip.as_micros()).unwrap_or(i64::MAX);
        let earliest = accepted
            .and_then(|at| RequestedAt::from_micros(at.micros().saturating_sub(slip)))
            .unwrap_or(RequestedAt::MIN);
        let latest = RequestedAt::from_micros(now.micros().saturating_add(slip));
        Self {
            earliest,
            // A clock that was set back must not leave nothing possible.
            latest: latest.unwrap_or(RequestedAt::MAX).max(earliest),
        }
    }

    /// Whether this one is possible.
    pub fn includes(&self, at: RequestedAt) -> bool {
        self.earliest <= at && at <= self.latest
    }

    /// The possible one that is nearest to this one.
    pub fn nearest(&self, at: RequestedAt) -> RequestedAt {
        at.clamp(self.earliest, self.latest)
    }
}

/// Such as `between 2025-07-15T12:34:54.000000Z and 2025-07-15T12:34:59.000000Z`.
impl fmt::Display for Possible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "between {} and {}", self.earliest, self.latest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> RequestedAt {
        text.parse().unwrap()
    }

    fn noon() -> Possible {
        let (accepted, now) = (at("2025-07-15T12:00:00Z"), at("2025-07-15T12:00:09Z"));
        Possible::between(Some(accepted), now, CLOCK_SLIP)
    }

    #[test]
    fn both_ends_are_possible_and_nothing_beyond_them() {
        for (text, expected) in [
            ("2025-07-15T11:59:57.999999Z", false),
            ("2025-07-15T11:59:58Z", true),
            ("2025-07-15T12:00:05Z", true),
            ("2025-07-15T12:00:11Z", true),
            ("2025-07-15T12:00:11.000001Z", false),
            ("1970-01-01T00:00:00Z", false),
        ] {
            assert_eq!(noon().includes(at(text)), expected, "{text}");
            assert!(noon().includes(noon().nearest(at(text))), "{text}");
        }
        assert_eq!(noon().nearest(RequestedAt::MIN), at("2025-07-15T11:59:58Z"));
    }

    #[test]
    fn without_an_acceptance_everything_of_the_past_is_possible() {
        let now = at("2025-07-15T12:00:00Z");
        let possible = Possible::between(None, now, Duration::ZERO);
        assert!(possible.includes(RequestedAt::MIN) && possible.includes(now));
        assert!(!possible.includes(RequestedAt::MAX));
    }

    #[test]
    fn the_ends_of_time_and_clocks_that_went_back_are_no_trouble() {
        let whole = Possible::between(Some(RequestedAt::MIN), RequestedAt::MAX, Duration::MAX);
        assert!(whole.includes(RequestedAt::MIN) && whole.includes(RequestedAt::MAX));
        let (later, earlier) = (at("2025-07-15T12:00:00Z"), at("2025-07-15T11:00:00Z"));
        let back = Possible::between(Some(later), earlier, Duration::ZERO);
        assert_eq!(back.nearest(earlier), later);
    }
}
