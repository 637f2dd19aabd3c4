use feeway_stack::up::word;

use super::compared::{Against, COMPARED, OF_BUILDS};
use super::figures::{Figures, Spread};
use super::last_round::LastRound;
use super::report::{number, print_cpu, soundness};
use super::turn::Side;
use super::verdict::{Good, Judgement, LEAST_PAIRS, Values, Verdict};

const SIDES: [Side; 3] = [Side::New, Side::Old, Side::Again];

/// A figure of the contest's last round.
struct OfLastRound {
    name: &'static str,
    of: fn(&LastRound) -> f64,
    against: Against,
    good: Good,
}

const OF_LAST_ROUND: [OfLastRound; 5] = [
    OfLastRound {
        name: "profit before bonus",
        of: |round| round.profit,
        against: Against::Ratio,
        good: Good::More,
    },
    OfLastRound {
        name: "share on default",
        of: |round| round.on_default,
        against: Against::Difference,
        good: Good::More,
    },
    OfLastRound {
        name: "lost",
        of: |round| round.lost as f64,
        against: Against::Difference,
        good: Good::Less,
    },
    OfLastRound {
        name: "failed requests",
        of: |round| round.failed as f64,
        against: Against::Difference,
        good: Good::Less,
    },
    OfLastRound {
        name: "audits that differ",
        of: |round| round.audits_differing as f64,
        against: Against::Difference,
        good: Good::Less,
    },
];

/// One line for a last round that has just been played.
pub(super) fn print_last_round(side: Side, round: &LastRound) {
    println!(
        "{:<10} {:<7} profit before bonus {:.2}  on default {:.4}  {} lost  {} failed  {} audits differ{}",
        "final",
        side.name(),
        round.profit,
        round.on_default,
        round.lost,
        round.failed,
        round.audits_differing,
        if round.sound { "" } else { "  NOT SOUND" },
    );
}

/// A figure of a part in every pair, and how it is judged.
struct Row {
    part: String,
    name: &'static str,
    against: Against,
    good: Good,
    values: Values,
}

impl Row {
    /// Every figure; without values where its part did not run.
    fn all(figures: &Figures) -> Vec<Self> {
        let of_parts = COMPARED
            .iter()
            .chain(OF_BUILDS)
            .map(|(part, figure, against, _)| {
                let of = |side| figures.of(*part, side).iter().map(figure.of).collect();
                Self {
                    part: word(*part),
                    name: figure.name,
                    against: *against,
                    good: figure.good,
                    values: values(of),
                }
            });
        let of_rounds = OF_LAST_ROUND.iter().map(|figure| {
            let of = |side| figures.last_rounds(side).iter().map(figure.of).collect();
            Self {
                part: "final".to_owned(),
                name: figure.name,
                against: figure.against,
                good: figure.good,
                values: values(of),
            }
        });
        of_parts.chain(of_rounds).collect()
    }

    /// Prints and judges it, if its part ran.
    fn print(&self) -> Option<Verdict> {
        let judgement = Judgement::of(&self.values, self.against, self.good)?;
        let median = |all: &[f64]| {
            let spread = Spread::of(all.iter().copied());
            spread.map_or_else(String::new, |spread| number(spread.median))
        };
        let [old, new] = [&self.values.old, &self.values.new].map(|all| median(all));
        let Spread { min, median, max } = judgement.change;
        let [least, middle, most] = [min, median, max].map(number);
        let noise = [judgement.noise.min, judgement.noise.max].map(number);
        println!(
            "{:<11}{:<25}{old:>10}{new:>10} {} {least:>9}{middle:>9}{most:>9}  {:>9}{:>9}   {}",
            self.part,
            self.name,
            self.against.sign(),
            noise[0],
            noise[1],
            judgement.verdict.name(),
        );
        Some(judgement.verdict)
    }
}

fn values(of: impl Fn(Side) -> Vec<f64>) -> Values {
    let [new, old, again] = SIDES.map(of);
    Values { new, old, again }
}

/// Prints every table. Returns whether there are enough pairs, no figure is worse, and the new
/// build did all that it was asked to.
pub(super) fn print(figures: &Figures, pairs: u32) -> bool {
    // The last round is measured by what it earns alone.
    if figures.of_side(Side::New).next().is_some() {
        print_cpu(figures, &SIDES);
    }
    println!("\nNew against old, {pairs} pairs (× is new / old, + is new - old)");
    println!(
        "{:<36}{:>20}   {:>27}  {:>18}",
        "", "median", "new against old", "old against old"
    );
    println!(
        "{:<36}{:>10}{:>10}   {:>9}{:>9}{:>9}  {:>9}{:>9}   verdict",
        "", "old", "new", "min", "median", "max", "min", "max"
    );
    let verdicts: Vec<Verdict> = Row::all(figures).iter().filter_map(Row::print).collect();
    let count = |wanted| {
        verdicts
            .iter()
            .filter(|verdict| **verdict == wanted)
            .count()
    };
    let worse = count(Verdict::Worse);
    println!(
        "\nof {} figures {} are better, {worse} worse",
        verdicts.len(),
        count(Verdict::Better),
    );
    let sound = print_soundness(figures);
    let enough = pairs >= LEAST_PAIRS;
    if !enough {
        println!(
            "fewer than {LEAST_PAIRS} pairs decide nothing: this run does not count as passed"
        );
    }
    enough && worse == 0 && sound
}

/// Only the new build is blamed: the old one is as it is.
fn print_soundness(figures: &Figures) -> bool {
    let mut new_is_sound = true;
    for side in SIDES {
        let (told, sound) = soundness(figures, side);
        println!("{:<6} {told}", side.name());
        let unsound = figures
            .last_rounds(side)
            .iter()
            .filter(|round| !round.sound);
        let unsound = unsound.count();
        if unsound > 0 {
            println!("{:<6} {unsound} last rounds: NOT SOUND", side.name());
        }
        new_is_sound &= side != Side::New || (sound && unsound == 0);
    }
    new_is_sound
}
