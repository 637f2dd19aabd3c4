//! How far back the books are exact.

use std::time::Duration;

use feeway_domain::{LedgerFault, RequestedAt, Window};

use crate::roll_up::{HOUR_MICROS, hour_of};

/// How much longer than the retention the id of a settled payment is known.
pub const GRACE: Duration = Duration::from_secs(24 * 3_600);

/// When the horizon would move further than this at once, it is not time that has passed:
/// Redis's clock has leapt, or the whole stack has rested for long.
pub const LEAP: Duration = Duration::from_secs(24 * 3_600);

/// Then it moves by an hour at a time, so far apart. A clock that is a year ahead for ten
/// minutes closes ten hours too many, instead of everything for good; a stack that rested
/// for a month has caught up after half a day.
pub const LEAP_PACE: Duration = Duration::from_secs(60);

/// The oldest exact instant, in microseconds: a whole hour. What is older counts in whole
/// hours and days, to which nothing is added any longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Horizon(i64);

impl Horizon {
    /// The horizon when single payments since this instant are to be kept.
    pub fn since(micros: i64) -> Self {
        Self((micros - micros.rem_euclid(HOUR_MICROS)).max(0))
    }

    /// Where it goes from here at `now`, when it last followed a leap at `moved`: as far as
    /// time has passed, or a step of a leap. Tells whether it was a step. A retention that is
    /// `shorter` by so much than when it last moved is no leap.
    pub fn next(self, target: Self, now: i64, moved: Option<i64>, shorter: i64) -> (Self, bool) {
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        if target <= self {
            return (self, false);
        }
        if self.0 == 0 || target.0 - self.0 - shorter.max(0) <= micros(LEAP) {
            return (target, false);
        }
        let too_soon = moved.is_some_and(|moved| (0..micros(LEAP_PACE)).contains(&(now - moved)));
        if too_soon {
            (self, false)
        } else {
            (Self(self.0 + HOUR_MICROS), true)
        }
    }

    /// Reads what Redis has; where nothing was ever retired, everything is exact.
    pub fn read(text: Option<&[u8]>) -> Self {
        let micros = text.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        Self(micros.unwrap_or(0))
    }

    /// In microseconds since 1970.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// The same as an instant.
    pub fn instant(self) -> RequestedAt {
        RequestedAt::from_micros(self.0).unwrap_or(RequestedAt::MAX)
    }

    /// The fault of asking for single payments from before.
    pub fn too_old(self) -> LedgerFault {
        let oldest = self.instant();
        LedgerFault::TooOld { oldest }
    }

    /// The closed hours that a window holds in part, at most two. Nobody knows any longer what
    /// was settled in a part of them, unless nothing was settled in the whole.
    pub fn cut_hours(self, window: Window) -> Vec<i64> {
        let from = window.from().map(RequestedAt::micros);
        let to = window.to().map(|to| to.micros() + 1);
        let cuts = [from, to].into_iter().flatten();
        let closed = cuts.filter(|cut| *cut < self.0 && cut % HOUR_MICROS != 0);
        let mut hours: Vec<i64> = closed.map(hour_of).collect();
        hours.dedup();
        hours
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_the_horizon_an_edge_cuts_the_hour_it_lies_in() {
        let at = |text: &str| text.parse::<RequestedAt>().unwrap();
        let horizon = Horizon::since(at("2025-07-15T12:34:56Z").micros());
        assert_eq!(horizon.micros(), at("2025-07-15T12:00:00Z").micros());
        for (from, to, cut) in [
            (None, None, &[][..]),
            (Some("2025-07-15T12:00:00.000001Z"), None, &[]),
            (
                Some("2025-07-15T11:59:59.999999Z"),
                None,
                &["2025-07-15T11:00:00Z"],
            ),
            (Some("2025-07-15T11:00:00Z"), None, &[]),
            (None, Some("2025-07-15T11:59:59.999999Z"), &[]),
            (None, Some("2025-07-15T12:00:00Z"), &[]),
            (
                None,
                Some("2025-07-15T11:59:59Z"),
                &["2025-07-15T11:00:00Z"],
            ),
            (
                Some("2025-07-01T00:00:00Z"),
                Some("2025-07-01T23:59:59.999999Z"),
                &[],
            ),
            (
                Some("2025-07-01T00:00:00Z"),
                Some("2025-07-02T00:00:00Z"),
                &["2025-07-02T00:00:00Z"],
            ),
            (
                Some("2025-07-01T00:00:01Z"),
                Some("2025-07-02T00:00:00Z"),
                &["2025-07-01T00:00:00Z", "2025-07-02T00:00:00Z"],
            ),
            (
                Some("2025-07-01T00:00:01Z"),
                Some("2025-07-01T00:00:02Z"),
                &["2025-07-01T00:00:00Z"],
            ),
        ] {
            let window = Window::new(from.map(at), to.map(at)).unwrap();
            let cut: Vec<i64> = cut.iter().map(|hour| hour_of(at(hour).micros())).collect();
            assert_eq!(horizon.cut_hours(window), cut, "{window:?}");
            assert!(
                Horizon::default().cut_hours(window).is_empty(),
                "{window:?}"
            );
        }
    }
}
