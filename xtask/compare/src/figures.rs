use std::collections::BTreeMap;

use super::last_round::LastRound;
use super::measure::Measured;
use super::options::Part;
use super::turn::Side;

/// Everything that was measured, in the order of the pairs.
#[derive(Default)]
pub(super) struct Figures {
    parts: BTreeMap<(Part, Side), Vec<Measured>>,
    last_rounds: BTreeMap<Side, Vec<LastRound>>,
}

impl Figures {
    pub(super) fn add(&mut self, part: Part, side: Side, measured: &Measured) {
        let all = self.parts.entry((part, side)).or_default();
        all.push(measured.clone());
    }

    pub(super) fn add_last_round(&mut self, side: Side, round: LastRound) {
        self.last_rounds.entry(side).or_default().push(round);
    }

    /// What a part came to on a side, pair by pair.
    pub(super) fn of(&self, part: Part, side: Side) -> &[Measured] {
        self.parts.get(&(part, side)).map_or(&[], Vec::as_slice)
    }

    /// Every part of a side.
    pub(super) fn of_side(&self, side: Side) -> impl Iterator<Item = &Measured> {
        self.parts
            .iter()
            .filter(move |((_, of), _)| *of == side)
            .flat_map(|(_, all)| all)
    }

    /// The contest's last round on a side, pair by pair.
    pub(super) fn last_rounds(&self, side: Side) -> &[LastRound] {
        self.last_rounds.get(&side).map_or(&[], Vec::as_slice)
    }
}

/// Least, median and most of some numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) min: f64,
    pub(super) median: f64,
    pub(super) max: f64,
}

impl Spread {
    /// Of nothing there is none.
    pub(super) fn of(numbers: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut numbers: Vec<f64> = numbers.into_iter().collect();
        numbers.sort_by(f64::total_cmp);
        let (min, max) = (*numbers.first()?, *numbers.last()?);
        // Of an even number the mean of the two in the middle.
        let (low, high) = (numbers[(numbers.len() - 1) / 2], numbers[numbers.len() / 2]);
        Some(Self {
            min,
            median: f64::midpoint(low, high),
            max,
        })
    }
}

/// What a figure must not exceed, or fall short of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Bound {
    pub(super) fn is_met_by(self, number: f64) -> bool {
        match self {
            Self::AtMost(most) => number <= most,
            Self::AtLeast(least) => number >= least,
        }
    }
}

/// How the spread of the pairs is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// By the pair in the middle: the machine is not the same in each.
    ByMedian,
    /// By every pair: it is a promise.
    ByWorst,
}

/// Whether a bound is met.
pub(super) fn is_met(spread: Spread, bound: Bound, judged: Judged) -> bool {
    let number = match (judged, bound) {
        (Judged::ByMedian, _) => spread.median,
        (Judged::ByWorst, Bound::AtMost(_)) => spread.max,
        (Judged::ByWorst, Bound::AtLeast(_)) => spread.min,
    };
    bound.is_met_by(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let check = |numbers: &[f64], expected: (f64, f64, f64)| {
            let (min, median, max) = expected;
            let spread = Spread::of(numbers.iter().copied());
            assert_eq!(spread, Some(Spread { min, median, max }), "{numbers:?}");
        };
        check(&[3.0], (3.0, 3.0, 3.0));
        check(&[3.0, 1.0], (1.0, 2.0, 3.0));
        check(&[5.0, 1.0, 2.0], (1.0, 2.0, 5.0));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn a_promise_is_judged_by_the_worst_pair_and_a_speed_by_the_median() {
        let spread = Spread {
            min: 1.0,
            median: 2.0,
            max: 3.0,
        };
        let check = |bound, judged, expected| {
            assert_eq!(
                is_met(spread, bound, judged),
                expected,
                "{bound:?} {judged:?}"
            );
        };
        check(Bound::AtMost(2.0), Judged::ByMedian, true);
        check(Bound::AtMost(2.0), Judged::ByWorst, false);
        check(Bound::AtLeast(2.0), Judged::ByMedian, true);
        check(Bound::AtLeast(2.0), Judged::ByWorst, false);
        check(Bound::AtMost(1.9), Judged::ByMedian, false);
        check(Bound::AtLeast(1.0), Judged::ByWorst, true);
    }
}
