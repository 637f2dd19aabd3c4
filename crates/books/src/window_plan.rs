//! Which whole units and which single payments add up to a window.

use std::ops::Range;

use feeway_domain::{RequestedAt, Window};

use crate::roll_up::{
    DAY_HOURS, DAY_MICROS, HOUR_SECONDS, Place, SECOND_MICROS, Unit, by_period, days_in,
    first_day_of, hour_of, quarter_of,
};

/// Some places in a row of one roll-up: seconds of an hour, hours or days of a quarter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// What is counted in each place.
    pub unit: Unit,
    /// The hour or the quarter whose string it is.
    pub period: i64,
    /// Which places of the string.
    pub numbers: Range<i64>,
}

impl Slice {
    /// One whole hour, counted from 1970.
    pub fn of_hour(hour: i64) -> Self {
        let quarter = quarter_of(hour / DAY_HOURS);
        let number = hour - first_day_of(quarter) * DAY_HOURS;
        Self {
            unit: Unit::Hour,
            period: quarter,
            numbers: number..number + 1,
        }
    }
}

/// Single payments of one second, by `requestedAt` in microseconds, both ends inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Its first microsecond.
    pub first: i64,
    /// Its last microsecond.
    pub last: i64,
    /// What is to be done with what it counts.
    pub counts: Counts,
}

/// What single payments are to the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// They lie in it, and no slice has them.
    In,
    /// They lie outside, in a second that a slice counts whole.
    Out,
}

impl Edge {
    /// The hour whose ledger lists these payments: a second lies in one hour.
    pub fn hour(self) -> i64 {
        hour_of(self.first)
    }
}

/// A window taken apart: every instant of it lies in exactly one part.
///
/// The ends are moved to the nearest whole second, and an edge puts right what that changed,
/// so that single payments are read for half a second at most at either end. However long
/// the window, there are at most two edges and four slices; whole days are one range,
/// because only the ledger knows in which quarters it has any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Read line by line from the ledger.
    pub edges: Vec<Edge>,
    /// Seconds and hours.
    pub slices: Vec<Slice>,
    pub(crate) days: Range<i64>,
}

impl Plan {
    /// What to read for a window.
    pub fn of(window: Window) -> Self {
        // No payment lies beyond the first and the last instant, so an open end is the end
        // of a whole day.
        let first = window.from().unwrap_or(RequestedAt::MIN).micros();
        let last_day = Place::of(RequestedAt::MAX).day;
        let end = window
            .to()
            .map_or((last_day + 1) * DAY_MICROS, |to| to.micros() + 1);
        let (seconds, edges) = nearest_seconds(first..end);
        let (hours, rest) = inner(seconds, HOUR_SECONDS);
        let mut slices = Vec::new();
        for (hour, numbers) in pieces(rest, HOUR_SECONDS) {
            slices.push(Slice {
                unit: Unit::Second,
                period: hour,
                numbers,
            });
        }
        let (days, rest) = inner(hours, DAY_HOURS);
        for (day, hours) in pieces(rest, DAY_HOURS) {
            let quarter = quarter_of(day);
            let before = (day - first_day_of(quarter)) * DAY_HOURS;
            slices.push(Slice {
                unit: Unit::Hour,
                period: quarter,
                numbers: before + hours.start..before + hours.end,
            });
        }
        Self {
            edges,
            slices,
            days,
        }
    }

    /// The days of a quarter that belong to the plan, if any do.
    pub fn days_of(&self, quarter: i64) -> Option<Slice> {
        let touched = !self.days.is_empty()
            && quarter_of(self.days.start) <= quarter
            && quarter <= quarter_of(self.days.end - 1);
        touched.then(|| {
            let first = first_day_of(quarter);
            let start = self.days.start.max(first);
            let end = self.days.end.min(first + days_in(quarter));
            Slice {
                unit: Unit::Day,
                period: quarter,
                numbers: start - first..end - first,
            }
        })
    }
}

fn pieces(ranges: Vec<Range<i64>>, size: i64) -> impl Iterator<Item = (i64, Range<i64>)> {
    ranges
        .into_iter()
        .flat_map(move |range| by_period(range, size))
}

/// The whole seconds that are nearest to a range of microseconds, and what has to be put right
/// at its ends. A range without any is all edges.
fn nearest_seconds(range: Range<i64>) -> (Range<i64>, Vec<Edge>) {
    let nearest = |micros: i64| (micros + SECOND_MICROS / 2) / SECOND_MICROS;
    let seconds = nearest(range.start)..nearest(range.end);
    if seconds.is_empty() {
        let parts = by_period(range, SECOND_MICROS)
            .into_iter()
            .map(|(second, micros)| {
                let start = second * SECOND_MICROS;
                edge(start + micros.start..start + micros.end, Counts::In)
            });
        return (seconds, parts.flatten().collect());
    }
    let (start, end) = (seconds.start * SECOND_MICROS, seconds.end * SECOND_MICROS);
    let edges = [
        edge(range.start..start, Counts::In),
        edge(start..range.start, Counts::Out),
        edge(end..range.end, Counts::In),
        edge(range.end..end, Counts::Out),
    ];
    (seconds, edges.into_iter().flatten().collect())
}

fn edge(micros: Range<i64>, counts: Counts) -> Option<Edge> {
    (!micros.is_empty()).then(|| Edge {
        first: micros.start,
        last: micros.end - 1,
        counts,
    })
}

/// The whole larger units inside a range of smaller ones, and what is left at both ends.
fn inner(range: Range<i64>, size: i64) -> (Range<i64>, Vec<Range<i64>>) {
    let start = (range.start + size - 1) / size;
    let end = range.end / size;
    if start > end {
        return (start..start, vec![range]);
    }
    let rest = [range.start..start * size, end * size..range.end];
    let rest = rest.into_iter().filter(|part| !part.is_empty()).collect();
    (start..end, rest)
}

#[cfg(test)]
mod tests;
