use super::Part;
use super::figures::{Bound, Figures, Judged, Spread, is_met};
use super::limits;
use super::measure::{End, Measured};
use super::turn::Side;
use super::usage::KINDS;
use crate::up::{Engine, word};

use self::Bound::{AtLeast, AtMost};
use self::Judged::{ByMedian, ByWorst};

/// One line for what has just been measured.
pub(super) fn print_line(part: Part, side: Side, measured: &Measured) {
    let load = &measured.load;
    print!(
        "{:<10} {:<7} {:>7.0}/s  p50 {:>7.3} ms  p99 {:>7.3} ms  {} failed  {:.2} CPU s per 10 000",
        word(part),
        side_name(side),
        load.per_second(),
        load.p50_us / 1e3,
        load.p99_us / 1e3,
        load.failed,
        measured.usage.own(),
    );
    match &measured.end {
        Some(end) => println!(
            "  {} settled {:.1} s later{}",
            end.settled.payments,
            end.settled.after.as_secs_f64(),
            if end.settled.all { "" } else { ", NOT ALL" },
        ),
        None => println!(
            "  beside {:.0}/s at the processors",
            measured.posts_per_second.iter().sum::<f64>()
        ),
    }
}

pub(super) fn side_name(side: Side) -> &'static str {
    match side {
        Side::Feeway => "Feeway",
        Side::Floor => "floor",
    }
}

/// A figure of a load, by name.
type Figure = fn(&Measured) -> f64;

fn p50_ms(measured: &Measured) -> f64 {
    measured.load.p50_us / 1e3
}

fn p99_ms(measured: &Measured) -> f64 {
    measured.load.p99_us / 1e3
}

fn per_second(measured: &Measured) -> f64 {
    measured.load.per_second()
}

fn cpu(measured: &Measured) -> f64 {
    measured.usage.own()
}

/// How Feeway is put beside the floor.
#[derive(Clone, Copy)]
enum Against {
    /// Feeway divided by the floor.
    Ratio,
    /// Feeway less the floor.
    Difference,
}

/// A figure of a part, by name, and its bound.
type Row = (Part, &'static str, Figure, Against, Option<Bound>);

/// What is compared in each part within the quotas of containers.
const IN_CONTAINERS: &[Row] = &[
    (Part::Paced, "p50 ms", p50_ms, Against::Ratio, None),
    (Part::Paced, "p99 ms", p99_ms, Against::Ratio, None),
    (Part::Paced, "CPU s", cpu, Against::Ratio, None),
    (Part::Preview, "p50 ms", p50_ms, Against::Ratio, None),
    (
        Part::Preview,
        "p99 ms",
        p99_ms,
        Against::Ratio,
        Some(AtMost(1.5)),
    ),
    (Part::Preview, "CPU s", cpu, Against::Ratio, None),
];

/// What is compared in each part on the whole machine.
const COMPARED: &[Row] = &[
    (
        Part::Paced,
        "p50 ms",
        p50_ms,
        Against::Difference,
        Some(AtMost(0.10)),
    ),
    (
        Part::Paced,
        "p99 ms",
        p99_ms,
        Against::Difference,
        Some(AtMost(0.20)),
    ),
    (Part::Paced, "CPU s", cpu, Against::Ratio, None),
    (Part::Preview, "p50 ms", p50_ms, Against::Ratio, None),
    (
        Part::Preview,
        "p99 ms",
        p99_ms,
        Against::Ratio,
        Some(AtMost(1.25)),
    ),
    (Part::Preview, "CPU s", cpu, Against::Ratio, None),
    (
        Part::Failing,
        "requests/s",
        per_second,
        Against::Ratio,
        Some(AtLeast(0.6)),
    ),
    (Part::Failing, "p50 ms", p50_ms, Against::Ratio, None),
    (Part::Failing, "p99 ms", p99_ms, Against::Ratio, None),
    (Part::Failing, "CPU s", cpu, Against::Ratio, None),
    (
        Part::Healthy,
        "requests/s",
        per_second,
        Against::Ratio,
        Some(AtLeast(0.3)),
    ),
    (Part::Healthy, "p50 ms", p50_ms, Against::Ratio, None),
    (Part::Healthy, "p99 ms", p99_ms, Against::Ratio, None),
    (Part::Healthy, "CPU s", cpu, Against::Ratio, None),
    (
        Part::Memory,
        "requests/s",
        per_second,
        Against::Ratio,
        Some(AtLeast(0.8)),
    ),
    (Part::Memory, "p50 ms", p50_ms, Against::Ratio, None),
    (Part::Memory, "p99 ms", p99_ms, Against::Ratio, None),
    (Part::Memory, "CPU s", cpu, Against::Ratio, None),
];

fn least_second(measured: &Measured) -> f64 {
    let seconds = measured.end.iter().flat_map(|end| &end.by_second);
    seconds.copied().reduce(f64::min).unwrap_or(0.0)
}

fn settled_per_second(measured: &Measured) -> f64 {
    measured
        .end
        .as_ref()
        .map_or(0.0, |end| end.settled_per_second)
}

fn front_mb(measured: &Measured) -> f64 {
    measured.peaks_mb[0].unwrap_or(0.0)
}

fn leader_mb(measured: &Measured) -> f64 {
    measured.peaks_mb[1].unwrap_or(0.0)
}

/// What only Feeway has, in processes of this machine.
const OWN: &[(Part, &str, Figure, Option<Bound>, Judged)] = &[
    (
        Part::Healthy,
        "settled in the worst second",
        least_second,
        Some(AtLeast(1000.0)),
        ByWorst,
    ),
    (
        Part::Healthy,
        "settled/s until the last",
        settled_per_second,
        None,
        ByMedian,
    ),
    (
        Part::Throughput,
        "settled/s until the last",
        settled_per_second,
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
    print_cpu(figures);
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
    for (part, name, figure, against, bound) in compared {
        met &= print_compared(figures, *part, name, *figure, *against, *bound);
    }
    for (part, name, figure, bound, judged) in own {
        let spread = Spread::of(figures.of(*part, Side::Feeway).iter().map(figure));
        met &= print_row(&word(*part), name, ["", ""], "", spread, *bound, *judged);
    }
    let sound = print_soundness(figures);
    met && sound
}

fn print_compared(
    figures: &Figures,
    part: Part,
    name: &str,
    figure: Figure,
    against: Against,
    bound: Option<Bound>,
) -> bool {
    let [floor, feeway] = [Side::Floor, Side::Feeway].map(|side| figures.of(part, side));
    let pairs = floor.iter().map(figure).zip(feeway.iter().map(figure));
    let spread = Spread::of(pairs.map(|(floor, feeway)| match against {
        Against::Ratio => feeway / floor,
        Against::Difference => feeway - floor,
    }));
    let median = |all: &[Measured]| {
        let spread = Spread::of(all.iter().map(figure));
        spread.map_or_else(String::new, |spread| number(spread.median))
    };
    let medians = [median(floor), median(feeway)];
    let sign = match against {
        Against::Ratio => "×",
        Against::Difference => "+",
    };
    let medians = [&*medians[0], &*medians[1]];
    print_row(&word(part), name, medians, sign, spread, bound, ByMedian)
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

/// Three digits say enough.
fn number(number: f64) -> String {
    match number.abs() {
        100.0.. => format!("{number:.0}"),
        10.0.. => format!("{number:.1}"),
        _ => format!("{number:.3}"),
    }
}

/// Medians, by kind of process.
fn print_cpu(figures: &Figures) {
    println!("\nCPU seconds for 10 000 payments under load (medians)");
    print!("{:<11}{:<8}", "", "");
    println!("{}", KINDS.map(|kind| format!("{kind:>11}")).concat());
    for part in Part::ALL {
        for side in [Side::Floor, Side::Feeway] {
            let all = figures.of(part, side);
            if all.is_empty() {
                continue;
            }
            let cell = |kind| {
                let spread = Spread::of(all.iter().filter_map(|m: &Measured| m.usage.get(kind)));
                spread.map_or_else(|| format!("{:>11}", "-"), |s| format!("{:>11.3}", s.median))
            };
            let cells = KINDS.map(cell).concat();
            println!("{:<11}{:<8}{cells}", word(part), side_name(side));
        }
    }
}

/// Speed counts only when nothing was refused, lost or counted wrong.
fn print_soundness(figures: &Figures) -> bool {
    let failed: u64 = figures
        .of_feeway()
        .map(|measured| measured.load.failed)
        .sum();
    let ends: Vec<&End> = figures.of_feeway().filter_map(|m| m.end.as_ref()).collect();
    let unsettled = ends.iter().filter(|end| !end.settled.all).count();
    let differ: u64 = ends.iter().map(|end| end.differ).sum();
    let sound = failed == 0 && unsettled == 0 && differ == 0;
    println!(
        "\n{failed} requests failed; {unsettled} of {} backlogs were not settled; books differ by {differ} payments: {}",
        ends.len(),
        if sound { "sound" } else { "NOT SOUND" }
    );
    sound
}
