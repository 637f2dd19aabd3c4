//! What a leader counts. The handles are made once.

use feeway_domain::{HealthReport, ProcessorName};
use feeway_processor::HealthAnswer;
use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

/// Of the asks of one processor.
pub(crate) struct AskMeters {
    reports: Counter,
    too_early: Counter,
    no_endpoint: Counter,
    unanswered: Counter,
    failing: Gauge,
    min_response_time: Gauge,
    pub(crate) published: Counter,
    pub(crate) kept: Counter,
}

impl AskMeters {
    pub(crate) fn new(processor: &ProcessorName) -> Self {
        describe_counter!(
            "feeway_leader_asks_total",
            "Health requests to a processor."
        );
        describe_counter!(
            "feeway_leader_reports_total",
            "Reports that were published on NATS or stored in Redis."
        );
        describe_gauge!(
            "feeway_leader_processor_failing",
            "1 when the last report of the processor says that it is failing."
        );
        describe_gauge!(
            "feeway_leader_processor_min_response_seconds",
            "The shortest response time that the processor reports."
        );
        let name = || processor.as_str().to_owned();
        let asks = |answer: &'static str| counter!("feeway_leader_asks_total", "processor" => name(), "answer" => answer);
        let reports = |to: &'static str| counter!("feeway_leader_reports_total", "processor" => name(), "to" => to);
        Self {
            reports: asks("report"),
            too_early: asks("too_early"),
            no_endpoint: asks("no_endpoint"),
            unanswered: asks("unanswered"),
            failing: gauge!("feeway_leader_processor_failing", "processor" => name()),
            min_response_time: gauge!(
                "feeway_leader_processor_min_response_seconds", "processor" => name()
            ),
            published: reports("nats"),
            kept: reports("redis"),
        }
    }

    /// A question was answered, or not.
    pub(crate) fn asked(&self, answer: HealthAnswer) {
        match answer {
            HealthAnswer::Report { .. } => self.reports.increment(1),
            HealthAnswer::TooEarly => self.too_early.increment(1),
            HealthAnswer::NoEndpoint => self.no_endpoint.increment(1),
            HealthAnswer::Unanswered => self.unanswered.increment(1),
        }
    }

    /// What the answer says.
    pub(crate) fn reported(&self, report: &HealthReport) {
        self.failing.set(if report.failing { 1.0 } else { 0.0 });
        self.min_response_time
            .set(report.min_response_time.as_secs_f64());
    }
}

/// Of the lease.
pub(crate) struct LeaseMeters {
    pub(crate) held: Gauge,
    pub(crate) takeovers: Counter,
}

impl LeaseMeters {
    pub(crate) fn new() -> Self {
        describe_gauge!(
            "feeway_leader_lease_held",
            "1 while this process holds the health lease."
        );
        describe_counter!(
            "feeway_leader_takeovers_total",
            "How often this process acquired the health lease."
        );
        Self {
            held: gauge!("feeway_leader_lease_held"),
            takeovers: counter!("feeway_leader_takeovers_total"),
        }
    }
}

/// How the servers are that a leader depends on; set when somebody asks.
pub(crate) fn observe(redis_up: bool, nats_up: bool) {
    let flag = |holds| if holds { 1.0 } else { 0.0 };
    describe_gauge!("feeway_redis_up", "1 while Redis is connected.");
    describe_gauge!(
        "feeway_nats_up",
        "1 while NATS can be used: it is connected and denies nothing."
    );
    gauge!("feeway_redis_up").set(flag(redis_up));
    gauge!("feeway_nats_up").set(flag(nats_up));
}
