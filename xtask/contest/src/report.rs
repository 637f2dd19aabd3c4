//! Prints what came of runs.

use std::time::Duration;

use feeway_stack::simulators::PROCESSORS;

use super::k6_run::Times;
use super::outcome::{Figures, Outcome};
use super::scenario::Scenario;
use super::score::Share;

fn row(label: &str, text: impl std::fmt::Display) {
    println!("{label:22} {text}");
}

/// Prints one run in full.
pub(super) fn print(scenario: &Scenario, outcome: &Outcome, figures: &Figures) {
    let counted = &outcome.counted;
    println!();
    if figures.too_many > 0 {
        let more = figures.too_many;
        row(
            "DISQUALIFIED",
            format!("{more} more payments are settled than were requested"),
        );
    }
    row(
        "score",
        format!("{} (bonus {} %)", figures.score, figures.bonus_percent),
    );
    row("profit before bonus", figures.profit.to_string());
    row("  of all on default", figures.share_of_best.to_string());
    row(
        "  of the oracle",
        format!(
            "{} ({} default, {} fallback)",
            figures.share_of_oracle, figures.oracle.counts[0], figures.oracle.counts[1]
        ),
    );
    row(
        "  of an onlooker",
        format!(
            "{} ({} default, {} fallback)",
            figures.share_of_onlooker, figures.onlooker.counts[0], figures.onlooker.counts[1]
        ),
    );
    for (name, held) in PROCESSORS.into_iter().zip(outcome.held) {
        row(name, held.to_string());
    }
    row("on default", figures.on_default.to_string());
    row("  of the oracle's", figures.default_of_oracle.to_string());
    row("p99", times(counted.successful));
    row("  payments alone", times(counted.payments));
    row("accepted", counted.accepted.to_string());
    row("failed requests", counted.failed.to_string());
    row("lost", figures.lost);
    row("twice", outcome.twice);
    row("wrong amounts", counted.wrong_amounts.to_string());
    let kind = match scenario.audit {
        Some(audit) if audit.lasting_only => "for longer than a moment",
        Some(_) | None => "at all",
    };
    row(
        "inconsistencies",
        format!(
            "{} of {} audits differ {kind} ({} differed, {} still did 200 ms later, {} were slow)",
            figures.inconsistencies,
            counted.audits,
            counted.audits_differing,
            counted.audits_still_differing,
            counted.audits_slow
        ),
    );
    if let Some(settled_after) = outcome.settled_after {
        print_settled_after(settled_after);
    } else {
        row("summary at the end", format!("{:?}", counted.summed));
    }
    print_complete(scenario, outcome, figures);
}

/// Prints what matters of a run whose only purpose is to compare the books.
pub(super) fn print_audits(scenario: &Scenario, outcome: &Outcome, figures: &Figures) {
    let counted = &outcome.counted;
    println!();
    row(
        "audits made",
        format!("{} of {}", counted.audits, scenario.audits()),
    );
    row(
        "audits differing",
        format!(
            "{} ({} still did 200 ms later, {} were slow)",
            counted.audits_differing, counted.audits_still_differing, counted.audits_slow
        ),
    );
    row("lost", figures.lost);
    row("not requested", figures.too_many);
    row("failed requests", counted.failed);
    row("twice", outcome.twice);
    row("wrong amounts", counted.wrong_amounts);
    row("accepted", counted.accepted);
    for (place, name) in PROCESSORS.into_iter().enumerate() {
        let (held, audited) = (outcome.held[place], counted.audited[place]);
        row(
            name,
            format!("{held} ({audited} in the windows of all audits)"),
        );
    }
    row("p99 of payments", times(counted.payments));
    if let Some(settled_after) = outcome.settled_after {
        print_settled_after(settled_after);
    }
    print_complete(scenario, outcome, figures);
    let sound = outcome.is_sound(figures);
    row("verdict", if sound { "passed" } else { "FAILED" });
}

/// Prints what there is of a run that kept no payment.
pub(super) fn print_floor(outcome: &Outcome) {
    let counted = &outcome.counted;
    println!();
    row("p99", times(counted.successful));
    row("  payments alone", times(counted.payments));
    row("accepted, none kept", counted.accepted);
    row("failed requests", counted.failed);
}

fn print_settled_after(settled_after: Duration) {
    let seconds = settled_after.as_secs_f64();
    row("settled after the load", format!("{seconds:.1} s"));
}

fn print_complete(scenario: &Scenario, outcome: &Outcome, figures: &Figures) {
    if figures.complete {
        return;
    }
    let payments = match scenario.payments() {
        Some(planned) => format!(", {} of {planned} payments", outcome.asked()),
        None => String::new(),
    };
    row(
        "INCOMPLETE",
        format!(
            "only {} of {} audits were made{payments}",
            outcome.counted.audits,
            scenario.audits()
        ),
    );
}

fn times(times: Times) -> String {
    let ms = |us: u64| format!("{}.{:03} ms", us / 1000, us % 1000);
    format!(
        "{} (p50 {}, p99.9 {}, max {})",
        ms(times.p99_us),
        ms(times.p50_us),
        ms(times.p999_us),
        ms(times.max_us)
    )
}

/// Prints median, least and most of several runs.
pub(super) fn print_spread(runs: &[(Outcome, Figures)]) {
    println!("\n{} runs: median (least … most)", runs.len());
    spread(runs, "score", |_, figures| figures.score);
    spread(runs, "profit before bonus", |_, figures| figures.profit);
    spread(runs, "  of all on default", |_, figures| {
        figures.share_of_best
    });
    spread(runs, "  of the oracle", |_, figures| {
        figures.share_of_oracle
    });
    spread(runs, "on default", |_, figures| figures.on_default);
    spread(runs, "  of the oracle's", |_, figures| {
        figures.default_of_oracle
    });
    spread(runs, "p99 µs", |_, figures| figures.p99_us);
    spread(runs, "failed requests", |outcome, _| outcome.counted.failed);
    spread(runs, "lost", |_, figures| figures.lost);
    spread(runs, "twice", |outcome, _| outcome.twice);
    spread(runs, "inconsistencies", |_, figures| {
        figures.inconsistencies
    });
}

fn spread<T: Ord + Copy + std::fmt::Display>(
    runs: &[(Outcome, Figures)],
    label: &str,
    figure: impl Fn(&Outcome, &Figures) -> T,
) {
    let mut values: Vec<T> = runs
        .iter()
        .map(|(outcome, figures)| figure(outcome, figures))
        .collect();
    values.sort_unstable();
    if let [least, .., most] = &*values {
        println!("{label:22} {} ({least} … {most})", values[values.len() / 2]);
    }
}

/// Whether the figures of a scenario are what the project set out for.
pub(super) fn print_goals(scenario: &Scenario, figures: &Figures) {
    let goal = |name: &str, found: Share, goal: Share| {
        let verdict = if found >= goal { "met" } else { "MISSED" };
        println!("{verdict:22} {name}: {found} of at least {goal}");
    };
    println!();
    match scenario.name {
        "final" => goal(
            "profit of all on default",
            figures.share_of_best,
            Share::of_counts(991, 1000),
        ),
        "preview" => goal(
            "on default",
            figures.on_default,
            Share::of_counts(995, 1000),
        ),
        _ => goal(
            "default of the oracle's",
            figures.default_of_oracle,
            Share::of_counts(95, 100),
        ),
    }
}
