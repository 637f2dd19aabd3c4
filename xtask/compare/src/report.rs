//! What every comparison prints.

use feeway_stack::up::word;

use super::figures::{Figures, Spread};
use super::measure::{End, Measured};
use super::options::Part;
use super::turn::Side;
use super::usage::KINDS;

/// One line for what has just been measured.
pub(super) fn print_line(part: Part, side: Side, measured: &Measured) {
    let load = &measured.load;
    print!(
        "{:<10} {:<7} {:>7.0}/s  p50 {:>7.3} ms  p99 {:>7.3} ms  {} failed  {:.2} CPU s per 10 000",
        word(part),
        side.name(),
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

/// Three digits say enough.
pub(super) fn number(number: f64) -> String {
    match number.abs() {
        100.0.. => format!("{number:.0}"),
        10.0.. => format!("{number:.1}"),
        _ => format!("{number:.3}"),
    }
}

/// Medians, by kind of process.
pub(super) fn print_cpu(figures: &Figures, sides: &[Side]) {
    println!("\nCPU seconds for 10 000 payments under load (medians)");
    print!("{:<11}{:<8}", "", "");
    println!("{}", KINDS.map(|kind| format!("{kind:>11}")).concat());
    for part in Part::ALL {
        for side in sides {
            let all = figures.of(part, *side);
            if all.is_empty() {
                continue;
            }
            let cell = |kind| {
                let spread = Spread::of(all.iter().filter_map(|m: &Measured| m.usage.get(kind)));
                spread.map_or_else(|| format!("{:>11}", "-"), |s| format!("{:>11.3}", s.median))
            };
            let cells = KINDS.map(cell).concat();
            println!("{:<11}{:<8}{cells}", word(part), side.name());
        }
    }
}

/// Speed counts only when nothing was refused, lost or counted wrong. Says what of that there
/// was on a side, and whether there was none.
pub(super) fn soundness(figures: &Figures, side: Side) -> (String, bool) {
    let all = || figures.of_side(side);
    let failed: u64 = all().map(|measured| measured.load.failed).sum();
    let ends: Vec<&End> = all().filter_map(|m| m.end.as_ref()).collect();
    let unsettled = ends.iter().filter(|end| !end.settled.all).count();
    let differ: u64 = ends.iter().map(|end| end.differ).sum();
    let sound = failed == 0 && unsettled == 0 && differ == 0;
    let told = format!(
        "{failed} requests failed; {unsettled} of {} backlogs were not settled; books differ by {differ} payments: {}",
        ends.len(),
        if sound { "sound" } else { "NOT SOUND" }
    );
    (told, sound)
}
