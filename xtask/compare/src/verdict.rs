//! Whether a change stands out from the noise of its own measurement.

use super::compared::Against;
use super::figures::Spread;

/// With fewer the least and the most of old against old say too little of the noise: two builds
/// of the same source would be told apart too often.
pub(super) const LEAST_PAIRS: u32 = 7;

/// Which way a figure gets better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Good {
    Less,
    More,
}

/// What became of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    NoDifference,
    Better,
    Worse,
}

impl Verdict {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NoDifference => "no difference",
            Self::Better => "better",
            Self::Worse => "WORSE",
        }
    }
}

/// A figure of both builds in every pair.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    pub(super) new: Vec<f64>,
    pub(super) old: Vec<f64>,
    /// The old build once more.
    pub(super) again: Vec<f64>,
}

/// A figure of the new build beside that of the old one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Judgement {
    /// New against old, over the pairs.
    pub(super) change: Spread,
    /// Old against old in the same pairs.
    pub(super) noise: Spread,
    pub(super) verdict: Verdict,
}

impl Judgement {
    /// Of a part that did not run there is none.
    pub(super) fn of(values: &Values, against: Against, good: Good) -> Option<Self> {
        let spread = |all: &[f64]| {
            let pairs = all.iter().zip(&values.old);
            Spread::of(pairs.map(|(one, old)| against.put(*one, *old)))
        };
        let (change, noise) = (spread(&values.new)?, spread(&values.again)?);
        Some(Self {
            change,
            noise,
            verdict: verdict(change.median, noise, good),
        })
    }
}

/// A median within what the old build does to itself is no difference.
fn verdict(median: f64, noise: Spread, good: Good) -> Verdict {
    let better = match good {
        Good::Less => median < noise.min,
        Good::More => median > noise.max,
    };
    if (noise.min..=noise.max).contains(&median) {
        Verdict::NoDifference
    } else if better {
        Verdict::Better
    } else {
        // Also what is not a number: it must not pass.
        Verdict::Worse
    }
}

#[cfg(test)]
mod tests {
    use super::Against::{Difference, Ratio};
    use super::Verdict::{Better, NoDifference, Worse};
    use super::*;

    #[test]
    fn only_a_median_outside_of_the_noise_is_a_difference() {
        let noise = Spread {
            min: -1.0,
            median: 0.0,
            max: 2.0,
        };
        let check = |median, good, expected| {
            assert_eq!(verdict(median, noise, good), expected, "{median} {good:?}");
        };
        check(0.0, Good::Less, NoDifference);
        check(-1.0, Good::Less, NoDifference);
        check(2.0, Good::Less, NoDifference);
        check(2.1, Good::Less, Worse);
        check(-1.1, Good::Less, Better);
        check(2.0, Good::More, NoDifference);
        check(2.1, Good::More, Better);
        check(-1.1, Good::More, Worse);
        check(f64::NAN, Good::Less, Worse);
        check(f64::NAN, Good::More, Worse);
    }

    #[test]
    fn each_pair_is_put_beside_its_own_old_run() {
        let check = |[new, old, again]: [&[f64]; 3], against, good, expected| {
            let values = Values {
                new: new.to_vec(),
                old: old.to_vec(),
                again: again.to_vec(),
            };
            let judgement = Judgement::of(&values, against, good);
            let found = judgement.map(|j| (j.change.median, j.noise.min, j.noise.max, j.verdict));
            assert_eq!(found, expected, "{values:?}");
        };
        // The machine got slower from pair to pair: between the pairs, but not within one.
        let (new, old, again): (&[f64], &[f64], &[f64]) = (
            &[3.0, 13.0, 103.0],
            &[1.0, 11.0, 101.0],
            &[2.0, 11.0, 100.0],
        );
        let noise = (2.0, -1.0, 1.0);
        let expected = |verdict| Some((noise.0, noise.1, noise.2, verdict));
        check([new, old, again], Difference, Good::Less, expected(Worse));
        check([new, old, again], Difference, Good::More, expected(Better));

        let (new, old, again): (&[f64], &[f64], &[f64]) = (
            &[50.0, 99.0, 150.0],
            &[100.0, 100.0, 100.0],
            &[98.0, 104.0, 101.0],
        );
        let expected = Some((0.99, 0.98, 1.04, NoDifference));
        check([new, old, again], Ratio, Good::More, expected);

        // Nothing lost on any side.
        let zeros: &[f64] = &[0.0, 0.0];
        let expected = Some((0.0, 0.0, 0.0, NoDifference));
        check([zeros; 3], Difference, Good::Less, expected);
        check([&[], &[], &[]], Ratio, Good::Less, None);
    }
}
