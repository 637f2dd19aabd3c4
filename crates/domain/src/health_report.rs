use std::time::Duration;

use crate::ProcessorName;

/// What a processor said of its own health when the leader asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthReport {
    /// Whose health.
    pub processor: ProcessorName,
    /// Whether it refuses payments. True also when it did not answer at all.
    pub failing: bool,
    /// The least time a payment takes there now.
    pub min_response_time: Duration,
}
