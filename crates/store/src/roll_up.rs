//! Where an instant falls in the roll-ups: the units that are summed, and their numbers.

use std::ops::Range;

use feeway_domain::RequestedAt;
use jiff::{Timestamp, tz::Offset};

pub(crate) const SECOND_MICROS: i64 = 1_000_000;
pub(crate) const MINUTE_SECONDS: i64 = 60;
pub(crate) const HOUR_MINUTES: i64 = 60;
pub(crate) const DAY_HOURS: i64 = 24;
const DAY_SECONDS: i64 = DAY_HOURS * HOUR_MINUTES * MINUTE_SECONDS;
pub(crate) const DAY_MICROS: i64 = DAY_SECONDS * SECOND_MICROS;

/// What one field of a roll-up counts. All but days are numbered within their period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Unit {
    /// The seconds of one minute.
    Second,
    /// The minutes of one hour.
    Minute,
    /// The hours of one day.
    Hour,
    /// The days of one quarter of a year, numbered from 1970.
    Day,
}

impl Unit {
    /// The letter that stands for it in a key.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Second => 's',
            Self::Minute => 'm',
            Self::Hour => 'h',
            Self::Day => 'd',
        }
    }
}

/// The numbers of all units that an instant falls in, each counted from 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) second: i64,
    pub(crate) minute: i64,
    pub(crate) hour: i64,
    pub(crate) day: i64,
    pub(crate) quarter: i64,
}

impl Place {
    pub(crate) fn of(instant: RequestedAt) -> Self {
        let second = instant.micros() / SECOND_MICROS;
        let minute = second / MINUTE_SECONDS;
        let hour = minute / HOUR_MINUTES;
        let day = hour / DAY_HOURS;
        Self {
            second,
            minute,
            hour,
            day,
            quarter: quarter_of(day),
        }
    }

    /// Period and field of this instant in the roll-up of a unit.
    pub(crate) fn slot(&self, unit: Unit) -> (i64, i64) {
        match unit {
            Unit::Second => (self.minute, self.second % MINUTE_SECONDS),
            Unit::Minute => (self.hour, self.minute % HOUR_MINUTES),
            Unit::Hour => (self.day, self.hour % DAY_HOURS),
            Unit::Day => (self.quarter, self.day),
        }
    }
}

/// The quarter of a year that a day (counted from 1970) lies in: year × 4 + 0 to 3.
pub(crate) fn quarter_of(day: i64) -> i64 {
    let start = Timestamp::from_second(day * DAY_SECONDS).expect("days lie in 1970 to 9999");
    let date = Offset::UTC.to_datetime(start);
    i64::from(date.year()) * 4 + i64::from(date.month() - 1) / 3
}

/// The hour (counted from 1970) whose ledger lists an instant.
pub(crate) fn hour_of(micros: i64) -> i64 {
    micros / (SECOND_MICROS * MINUTE_SECONDS * HOUR_MINUTES)
}

/// Cuts a range of whole units where a period ends; within each piece the numbers count
/// from the start of its period.
pub(crate) fn by_period(range: Range<i64>, units_in_period: i64) -> Vec<(i64, Range<i64>)> {
    let mut pieces = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let period = start / units_in_period;
        let first = period * units_in_period;
        let end = range.end.min(first + units_in_period);
        pieces.push((period, start - first..end - first));
        start = end;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        Place::of(text.parse().unwrap())
    }

    #[test]
    fn quarters_follow_the_calendar() {
        for (text, quarter) in [
            ("1970-01-01T00:00:00Z", 1970 * 4),
            ("2024-02-29T23:59:59.999999Z", 2024 * 4),
            ("2024-03-31T23:59:59.999999Z", 2024 * 4),
            ("2024-04-01T00:00:00Z", 2024 * 4 + 1),
            ("2025-06-30T23:59:59Z", 2025 * 4 + 1),
            ("2025-07-01T00:00:00Z", 2025 * 4 + 2),
            ("2025-12-31T23:59:59.999999Z", 2025 * 4 + 3),
            ("2026-01-01T00:00:00Z", 2026 * 4),
            ("9999-12-30T21:59:59.999999Z", 9999 * 4 + 3),
        ] {
            assert_eq!(place(text).quarter, quarter, "{text}");
        }
    }

    #[test]
    fn fields_count_within_their_period() {
        let place = place("2025-07-15T12:34:56.789Z");
        assert_eq!(place.slot(Unit::Second).1, 56);
        assert_eq!(place.slot(Unit::Minute).1, 34);
        assert_eq!(place.slot(Unit::Hour).1, 12);
        assert_eq!(place.slot(Unit::Day).1, place.day);
    }

    #[test]
    fn ranges_are_cut_at_the_ends_of_periods() {
        assert_eq!(by_period(58..62, 60), [(0, 58..60), (1, 0..2)]);
        assert_eq!(by_period(60..120, 60), [(1, 0..60)]);
        assert_eq!(by_period(60..60, 60), []);
    }
}
