use feeway_stack::up::{Engine, word};

use super::compared::{COMPARED, IN_CONTAINERS, Row, SETTLED};
use super::figures::Bound::{self, AtLeast, AtMost};
use super::figures::Judged::{self, ByMedian, ByWorst};
use super::figures::{Figures, Spread, is_met};
use super::limits;
use super::measure::Measured;
use super::options::Part;
use super::report::{number, print_cpu, soundness};
use super::turn::Side;

fn least_second(measured: &Measured) -> f64 {
    let seconds = measured.end.iter().flat_map(|end| &end.by_second);
    seconds.copied().reduce(f64::min).unwrap_or(0.0)
}

fn front_mb(measured: &Measured) -> f64 {
    measured.peaks_mb[0].unwrap_or(0.0)
}

fn leader_mb(measured: &Measured) -> f64 {
    measured.peaks_mb[1].unwrap_or(0.0)
}

type OwnRow = (
    Part,
    &'static str,
    fn(&Measured) -> f64,
    Option<Bound>,
    Judged,
);

/// What only Feeway has, in processes of this machine.
const OWN: &[OwnRow] = &[
    (
        Part::Healthy,
        "settled in the worst second",
        least_second,
        Some(AtLeast(1000.0)),
        ByWorst,
    ),
    (Part::Healthy, SETTLED.name, SETTLED.of, None, ByMedian),
    (
        Part::Throughput,
        SETTLED.name,
        SETTLED.of,
        Some(AtLeast(3000.0)),
        ByMedian,
    ),
    (
        Part::Preview,
        "largest front, MB",
        front_mb,
        Some(AtMost(20.0)),
        ByWorst,
    ),
    (
        Part::Preview,
        "largest leader, MB",
        leader_mb,
        Some(AtMost(10.0)),
        ByWorst,
    ),
    (Part::Healthy, "largest front, MB", front_mb, None, ByMedian),
];

/// Prints every table. Returns whether each bound is met.
pub(super) fn print(figures: &Figures, pairs: u32, engine: Engine) -> bool {
    let mut met = limits::print(figures);
    print_cpu(figures, &[Side::Floor, Side::Feeway]);
    println!(
        "\nFeeway against the floor, {pairs} pairs (× is Feeway / floor, + is Feeway - floor)"
    );
    println!(
        "{:<11}{:<29}{:>10}{:>10}   {:>9}{:>9}{:>9}   bound",
        "", "", "floor", "Feeway", "min", "median", "max"
    );
    let (compared, own) = match engine {
        Engine::Native => (COMPARED, OWN),
        Engine::Docker => (IN_CONTAINERS, [].as_slice()),
    };
    for row in compared {
        met &= print_compared(figures, row);
    }
    for (part, name, figure, bound, judged) in own {
        let spread = Spread::of(figures.of(*part, Side::Feeway).iter().map(figure));
        met &= print_row(&word(*part), name, ["", ""], "", spread, *bound, *judged);
    }
    let (told, sound) = soundness(figures, Side::Feeway);
    println!("\n{told}");
    met && sound
}

fn print_compared(figures: &Figures, (part, figure, against, bound): &Row) -> bool {
    let [floor, feeway] = [Side::Floor, Side::Feeway].map(|side| figures.of(*part, side));
    let pairs = feeway.iter().zip(floor);
    let spread = Spread::of(
        pairs.map(|(feeway, floor)| against.put((figure.of)(feeway), (figure.of)(floor))),
    );
    let median = |all: &[Measured]| {
        let spread = Spread::of(all.iter().map(figure.of));
        spread.map_or_else(String::new, |spread| number(spread.median))
    };
    let medians = [median(floor), median(feeway)];
    let medians = [&*medians[0], &*medians[1]];
    print_row(
        &word(*part),
        figure.name,
        medians,
        against.sign(),
        spread,
        *bound,
        ByMedian,
    )
}

fn print_row(
    part: &str,
    name: &str,
    [floor, feeway]: [&str; 2],
    sign: &str,
    spread: Option<Spread>,
    bound: Option<Bound>,
    judged: Judged,
) -> bool {
    // A part that did not run promises nothing.
    let Some(spread) = spread else {
        return true;
    };
    let met = bound.is_none_or(|bound| is_met(spread, bound, judged));
    let told = bound.map_or_else(String::new, |bound| {
        let (word, limit) = match bound {
            AtMost(limit) => ("≤", limit),
            AtLeast(limit) => ("≥", limit),
        };
        let limit = number(limit);
        let verdict = if met { "met" } else { "MISSED" };
        format!("{word} {limit} {verdict}")
    });
    let [min, median, max] = [spread.min, spread.median, spread.max].map(number);
    let line = format!(
        "{part:<11}{name:<29}{floor:>10}{feeway:>10} {sign:>1} {min:>9}{median:>9}{max:>9}   {told}"
    );
    println!("{}", line.trim_end());
    met
}
