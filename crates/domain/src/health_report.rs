use std::time::Duration;

use crate::ProcessorName;

/// What a processor said of its own health when the leader asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthReport {
    /// Whose health.
    pub processor: ProcessorName,
    /// Whether it refuses payments. No answer is no report.
    pub failing: bool,
    /// The least time a payment takes there now.
    pub min_response_time: Duration,
    /// How long before this report the question was sent.
    pub asked_ago: Duration,
}
