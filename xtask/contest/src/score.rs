//! The contest's money, all of it in integers.

use std::fmt;

/// A share of each amount, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fee(u32);

const WHOLE: u32 = 1_000_000;

impl Fee {
    pub(super) const fn percent(percent: u32) -> Self {
        Self(percent * (WHOLE / 100))
    }

    /// As an option's value.
    pub(super) fn option(self) -> String {
        format!("0.{:06}", self.0)
    }
}

/// Money in hundred-millionths: a cent times a millionth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Profit(i128);

const UNITS_PER_CENT: i128 = 1_000_000;

impl fmt::Display for Profit {
    /// Rounded to a cent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let half = UNITS_PER_CENT / 2 * self.0.signum();
        let cents = (self.0 + half) / UNITS_PER_CENT;
        let sign = if cents < 0 { "-" } else { "" };
        let cents = cents.unsigned_abs();
        write!(f, "{sign}{}.{:02}", cents / 100, cents % 100)
    }
}

impl Profit {
    /// What is left of so many payments at each processor once the fees are paid.
    pub(super) fn of(counts: [u64; 2], amount_cents: i64, fees: [Fee; 2]) -> Self {
        let left = counts.iter().zip(fees).map(|(count, fee)| {
            i128::from(*count) * i128::from(amount_cents) * i128::from(WHOLE - fee.0)
        });
        Self(left.sum())
    }

    /// In whole units of money: for statistics of several runs, where a share of 10 000 parts
    /// would be too coarse.
    pub(super) fn about(self) -> f64 {
        self.0 as f64 / UNITS_PER_CENT as f64 / 100.0
    }

    /// How many parts of 10 000 of the other this is.
    pub(super) fn share(self, of: Self) -> Share {
        Share::of_parts(self.0, of.0)
    }

    /// The score: with the bonus in percent, and without 35 % if any audit differed.
    pub(super) fn score(self, bonus_percent: u32, any_differed: bool) -> Self {
        let kept = if any_differed { 65 } else { 100 };
        Self(self.0 * i128::from(100 + bonus_percent) * kept / 10_000)
    }
}

/// A ratio in parts of 10 000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Share(u32);

impl Share {
    pub(super) fn about(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }

    pub(super) fn of_counts(part: u64, whole: u64) -> Self {
        Self::of_parts(part.into(), whole.into())
    }

    /// Rounded down, so that a goal is not met by rounding.
    fn of_parts(part: i128, whole: i128) -> Self {
        if whole <= 0 {
            return Self(0);
        }
        Self(u32::try_from(part.max(0) * 10_000 / whole).unwrap_or(u32::MAX))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:04}", self.0 / 10_000, self.0 % 10_000)
    }
}

/// Two percent for each millisecond that the p99, in hundredths of a millisecond, lies below
/// 11, rounded to whole percents.
pub(super) fn bonus_percent(p99_us: u64) -> u32 {
    let p99_us = (p99_us + 5) / 10 * 10;
    let below_us = 11_000_u64.saturating_sub(p99_us);
    u32::try_from((2 * below_us + 500) / 1000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_winner_of_the_official_final_gets_what_it_got() {
        let fees = [Fee::percent(7), Fee::percent(10)];
        let profit = Profit::of([52_945, 37_646], 2005, fees);
        assert_eq!(profit.to_string(), "1666561.01");
        let score = profit.score(bonus_percent(2_550), false);
        assert_eq!(score.to_string(), "1949876.38");
    }

    #[test]
    fn bonus_follows_the_99th_percentile() {
        for (p99_us, percent) in [
            (0, 22),
            (1_250, 20),
            (1_254, 20),
            (1_255, 19),
            (1_750, 19),
            (2_250, 18),
            (10_999, 0),
            (11_000, 0),
            (60_000, 0),
        ] {
            assert_eq!(bonus_percent(p99_us), percent, "{p99_us} µs");
        }
    }

    #[test]
    fn one_difference_costs_35_percent() {
        let profit = Profit::of([1000, 0], 2000, [Fee::percent(5), Fee::percent(15)]);
        assert_eq!(profit.to_string(), "19000.00");
        assert_eq!(profit.score(20, true).to_string(), "14820.00");
    }

    #[test]
    fn shares_are_rounded_down_and_fees_are_written_out() {
        assert_eq!(Share::of_counts(99_999, 100_000).to_string(), "0.9999");
        assert_eq!(Share::of_counts(1, 0).to_string(), "0.0000");
        assert_eq!(Fee::percent(7).option(), "0.070000");
    }
}
