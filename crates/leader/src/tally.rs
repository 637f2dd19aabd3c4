use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use feeway_domain::ProcessorName;
use feeway_processor::HealthAnswer;

/// How often a processor was asked, by what came of it. A clone is the same tally.
#[derive(Clone)]
pub(crate) struct Tally {
    processor: ProcessorName,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    reports: AtomicU64,
    too_early: AtomicU64,
    unanswered: AtomicU64,
}

impl Tally {
    pub(crate) fn new(processor: ProcessorName) -> Self {
        Self {
            processor,
            counts: Arc::default(),
        }
    }

    pub(crate) fn count(&self, answer: HealthAnswer) {
        let counter = match answer {
            HealthAnswer::Report { .. } => &self.counts.reports,
            HealthAnswer::TooEarly => &self.counts.too_early,
            HealthAnswer::Unanswered => &self.counts.unanswered,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// The metrics of the process in Prometheus's text format.
pub(crate) fn metrics(is_holder: bool, tallies: &[Tally]) -> String {
    let mut text = format!(
        "# HELP feeway_leader_lease_held Whether this process holds the health lease.\n\
         # TYPE feeway_leader_lease_held gauge\n\
         feeway_leader_lease_held {}\n\
         # HELP feeway_leader_asks_total Questions to a processor for its health.\n\
         # TYPE feeway_leader_asks_total counter\n",
        u8::from(is_holder)
    );
    for Tally { processor, counts } in tallies {
        for (answer, count) in [
            ("report", &counts.reports),
            ("too_early", &counts.too_early),
            ("unanswered", &counts.unanswered),
        ] {
            let count = count.load(Ordering::Relaxed);
            writeln!(
                text,
                "feeway_leader_asks_total{{processor=\"{processor}\",answer=\"{answer}\"}} {count}"
            )
            .expect("a string takes every write");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_is_counted_by_its_kind() {
        let tally = Tally::new("default".parse().unwrap());
        tally.count(HealthAnswer::TooEarly);
        tally.clone().count(HealthAnswer::Unanswered);
        tally.count(HealthAnswer::Unanswered);
        let text = metrics(true, &[tally]);
        for line in [
            "feeway_leader_lease_held 1",
            "feeway_leader_asks_total{processor=\"default\",answer=\"report\"} 0",
            "feeway_leader_asks_total{processor=\"default\",answer=\"too_early\"} 1",
            "feeway_leader_asks_total{processor=\"default\",answer=\"unanswered\"} 2",
        ] {
            assert!(
                text.lines().any(|written| written == line),
                "{line}:\n{text}"
            );
        }
    }
}
