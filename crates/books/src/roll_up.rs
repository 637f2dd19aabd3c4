//! Where an instant falls in the roll-ups: the units that are summed, and their places.
//!
//! A roll-up is one string of fixed places, each the count and the cents of one unit. An
//! hour's string has its seconds, a quarter's first its days and then its hours.

use std::ops::Range;

use feeway_domain::{RequestedAt, Total};
use jiff::{Timestamp, civil::Date, tz::Offset};

pub(crate) const SECOND_MICROS: i64 = 1_000_000;
pub(crate) const HOUR_SECONDS: i64 = 3_600;
/// Microseconds of an hour.
pub const HOUR_MICROS: i64 = HOUR_SECONDS * SECOND_MICROS;
pub(crate) const DAY_HOURS: i64 = 24;
const DAY_SECONDS: i64 = DAY_HOURS * HOUR_SECONDS;
pub(crate) const DAY_MICROS: i64 = DAY_SECONDS * SECOND_MICROS;
const QUARTER_DAYS_MAX: i64 = 92;

const CENTS_BYTES: i64 = 8;

/// What is counted in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// The seconds of an hour.
    Second,
    /// The hours of a quarter of a year.
    Hour,
    /// The days of a quarter of a year.
    Day,
}

impl Unit {
    /// The letter that stands in the key of its string.
    pub fn letter(self) -> char {
        match self {
            Self::Second => 's',
            Self::Hour | Self::Day => 'd',
        }
    }

    /// The bytes of one count. A second has room for four billion payments.
    fn count_bytes(self) -> i64 {
        match self {
            Self::Second => 4,
            Self::Hour | Self::Day => 8,
        }
    }

    fn place_bytes(self) -> i64 {
        self.count_bytes() + CENTS_BYTES
    }

    /// The byte where the place of a unit begins.
    fn byte(self, number: i64) -> i64 {
        let before = match self {
            Self::Second | Self::Day => 0,
            Self::Hour => QUARTER_DAYS_MAX * Self::Day.place_bytes(),
        };
        before + number * self.place_bytes()
    }

    /// The bytes of some places in a row.
    pub fn bytes(self, numbers: &Range<i64>) -> Range<i64> {
        self.byte(numbers.start)..self.byte(numbers.end)
    }

    /// Where cents and count of a place begin, in bits.
    pub fn bits(self, number: i64) -> [i64; 2] {
        let count = self.byte(number);
        [(count + self.count_bytes()) * 8, count * 8]
    }

    /// Adds up places in a row. What was never written is not there, or zero.
    pub fn add_up(self, bytes: &[u8], total: &mut Total) -> Option<()> {
        let count_bytes = usize::try_from(self.count_bytes()).ok()?;
        let places = bytes.chunks(usize::try_from(self.place_bytes()).ok()?);
        for place in places {
            let (count, cents) = place.split_at_checked(count_bytes)?;
            let count = count
                .iter()
                .fold(0, |sum, &byte| sum << 8 | u64::from(byte));
            let cents = i64::from_be_bytes(cents.try_into().ok()?);
            total.add(count, i128::from(cents));
        }
        Some(())
    }
}

/// The numbers of all units that an instant falls in, each counted from 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub(crate) second: i64,
    /// The hour since 1970 that the instant lies in.
    pub hour: i64,
    pub(crate) day: i64,
    pub(crate) quarter: i64,
}

impl Place {
    /// Where an instant is summed.
    pub fn of(instant: RequestedAt) -> Self {
        let second = instant.micros() / SECOND_MICROS;
        let hour = second / HOUR_SECONDS;
        let day = hour / DAY_HOURS;
        Self {
            second,
            hour,
            day,
            quarter: quarter_of(day),
        }
    }

    /// The string that counts this instant's unit, and its number there.
    pub fn slot(&self, unit: Unit) -> (i64, i64) {
        let first_day = first_day_of(self.quarter);
        match unit {
            Unit::Second => (self.hour, self.second - self.hour * HOUR_SECONDS),
            Unit::Hour => (self.quarter, self.hour - first_day * DAY_HOURS),
            Unit::Day => (self.quarter, self.day - first_day),
        }
    }
}

/// The quarter of a year that a day (counted from 1970) lies in: year × 4 + 0 to 3.
pub(crate) fn quarter_of(day: i64) -> i64 {
    let start = Timestamp::from_second(day * DAY_SECONDS).expect("days lie in 1970 to 9999");
    let date = Offset::UTC.to_datetime(start);
    i64::from(date.year()) * 4 + i64::from(date.month() - 1) / 3
}

/// The first day (counted from 1970) of a quarter.
pub(crate) fn first_day_of(quarter: i64) -> i64 {
    let start = Offset::UTC.to_timestamp(first_date_of(quarter).into());
    start.expect("days lie in 1970 to 9999").as_second() / DAY_SECONDS
}

/// How many days a quarter has: 90 to 92.
pub(crate) fn days_in(quarter: i64) -> i64 {
    let first = first_date_of(quarter);
    let months = (0..3).map(|month| {
        let of_quarter = Date::new(first.year(), first.month() + month, 1);
        i64::from(of_quarter.expect("every month has a first").days_in_month())
    });
    months.sum()
}

fn first_date_of(quarter: i64) -> Date {
    let year = i16::try_from(quarter / 4).expect("years lie in 1970 to 9999");
    let month = i8::try_from(quarter % 4 * 3 + 1).expect("1, 4, 7 or 10");
    Date::new(year, month, 1).expect("every month has a first")
}

/// The hour (counted from 1970) whose ledger lists an instant.
pub fn hour_of(micros: i64) -> i64 {
    micros / HOUR_MICROS
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
    fn every_day_has_a_place_of_its_own_in_its_quarter() {
        let last = Place::of(RequestedAt::MAX).day;
        let mut expected = 0;
        for day in 0..=last {
            let quarter = quarter_of(day);
            if day > 0 && quarter != quarter_of(day - 1) {
                assert_eq!(expected, days_in(quarter - 1));
                expected = 0;
            }
            assert_eq!(day - first_day_of(quarter), expected, "{day}");
            assert!(expected < QUARTER_DAYS_MAX);
            expected += 1;
        }
    }

    #[test]
    fn units_count_within_their_string() {
        let place = place("2025-07-15T12:34:56.789Z");
        assert_eq!(place.slot(Unit::Second).1, 34 * 60 + 56);
        assert_eq!(place.slot(Unit::Hour).1, 14 * 24 + 12);
        assert_eq!(place.slot(Unit::Day).1, 14);
        assert_eq!(Unit::Second.bits(1), [16 * 8, 12 * 8]);
        assert_eq!(Unit::Day.bits(91), [(91 * 16 + 8) * 8, 91 * 16 * 8]);
        assert_eq!(Unit::Hour.bytes(&(0..1)), 92 * 16..93 * 16);
    }

    #[test]
    fn places_are_added_as_far_as_they_are_there() {
        let mut bytes = Vec::new();
        for (count, cents) in [(1_u32, 5_i64), (0, 0), (u32::MAX, i64::MAX)] {
            bytes.extend(count.to_be_bytes());
            bytes.extend(cents.to_be_bytes());
        }
        let mut total = Total::default();
        assert_eq!(Unit::Second.add_up(&bytes, &mut total), Some(()));
        assert_eq!(total.count, u64::from(u32::MAX) + 1);
        assert_eq!(total.cents, i128::from(i64::MAX) + 5);
        assert_eq!(Unit::Second.add_up(&[], &mut total), Some(()));
        assert_eq!(Unit::Second.add_up(&bytes[..7], &mut total), None);
    }

    #[test]
    fn ranges_are_cut_at_the_ends_of_periods() {
        assert_eq!(by_period(58..62, 60), [(0, 58..60), (1, 0..2)]);
        assert_eq!(by_period(60..120, 60), [(1, 0..60)]);
        assert_eq!(by_period(60..60, 60), []);
    }
}
