//! Prints what a run found.

use super::faults::BlowKind;
use super::register::{Setback, Sightings, per_mille};
use super::takeovers::Takeover;
use super::trial::{Acted, Judgement};

/// Findings of one kind are printed up to here.
const MAX_SHOWN: usize = 20;

/// Prints the tables and the findings. Returns whether all is well.
pub(super) fn print(acted: &Acted, judgement: &Judgement) -> bool {
    let (sightings, audit) = (&acted.sightings, &judgement.audit);
    print_clients(sightings);
    println!("\nFAULTS");
    for (fault, count) in &acted.done.counts {
        row(fault, count);
    }
    print_takeovers(&judgement.takeovers);
    if !acted.measured.is_empty() {
        println!("\nMEASURED");
        for line in &acted.measured {
            println!("  {line}");
        }
    }
    println!("\nBOOKS");
    row("accepted", sightings.accepted());
    row("settled", audit.settled);
    row("lost", audit.lost.len());
    row("twice", audit.twice.len());
    row("mismatched", audit.mismatched.len());
    row("open", audit.open.len());
    let waited = format!("{:.1} s", judgement.settled_after.as_secs_f64());
    row("nothing open after", waited);

    print_findings("lost", &audit.lost);
    print_findings("twice", &audit.twice);
    print_findings("mismatched", &audit.mismatched);
    print_findings("open", &audit.open);
    print_findings("answers against the contract", &sightings.quoted);
    print_findings("failures", &acted.failures);
    audit.is_clean()
        && sightings.findings == 0
        && sightings.failed_for_good() == 0
        && acted.failures.is_empty()
}

fn print_clients(sightings: &Sightings) {
    println!("\nCLIENTS");
    row("payments", sightings.posted());
    row("posts", sightings.posts);
    row("answered 202", sightings.latencies_us.len());
    for (setback, count) in &sightings.setbacks {
        let name = match setback {
            Setback::Status(status) => format!("answered {status}"),
            Setback::Refused => "refused".to_owned(),
            Setback::Broken => "broken".to_owned(),
            Setback::TimedOut => "timed out".to_owned(),
        };
        row(&name, count);
    }
    row("failed for good", sightings.failed_for_good());
    row("against the contract", sightings.findings);
    for (name, share) in [
        ("p50", 500),
        ("p99", 990),
        ("p99.9", 999),
        ("slowest", 1000),
    ] {
        if let Some(micros) = per_mille(&sightings.latencies_us, share) {
            row(name, format!("{:.2} ms", micros as f64 / 1000.0));
        }
    }
}

/// Times count from the kill or the pause; `all done` is when the last one was settled.
fn print_takeovers(takeovers: &[Takeover]) {
    println!("\nTAKEOVERS");
    if takeovers.is_empty() {
        return println!("  none");
    }
    println!(
        "  {:26} {:10} {:8} {:>10} {:>10}",
        "OWNER", "BY", "CAUSE", "ADOPTED", "ALL DONE"
    );
    for takeover in takeovers {
        let cause = match takeover.cause {
            BlowKind::Killed => "kill",
            BlowKind::Paused => "pause",
            BlowKind::Resumed => "resume",
        };
        let done = takeover.done_after_us.map_or("-".to_owned(), seconds);
        let disturbed = if takeover.disturbed {
            "  among other faults"
        } else {
            ""
        };
        println!(
            "  {:26} {:10} {cause:8} {:>10} {done:>10}{disturbed}",
            takeover.owner,
            takeover.by,
            seconds(takeover.adopted_after_us)
        );
    }
    let worst = |alone: bool| {
        let counted = takeovers.iter().filter(|t| !(alone && t.disturbed));
        let worst = counted.map(|takeover| takeover.adopted_after_us).max();
        worst.map_or("-".to_owned(), seconds)
    };
    row("worst adoption", worst(false));
    row("worst of one fault alone", worst(true));
}

fn seconds(micros: i64) -> String {
    format!("{:.1} s", micros as f64 / 1e6)
}

fn row(name: &str, value: impl std::fmt::Display) {
    println!("  {name:26} {:>12}", value.to_string());
}

fn print_findings(name: &str, findings: &[String]) {
    if findings.is_empty() {
        return;
    }
    println!("\n{}", name.to_uppercase());
    for finding in findings.iter().take(MAX_SHOWN) {
        println!("  {finding}");
    }
    if findings.len() > MAX_SHOWN {
        println!("  … and {} more", findings.len() - MAX_SHOWN);
    }
}
