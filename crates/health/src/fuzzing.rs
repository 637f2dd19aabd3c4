//! The reader and the writer of reports on NATS, for the fuzz targets alone.

use feeway_domain::HealthReport;

use crate::report_channel;

/// Reads a message that came on a subject; nothing when it is no report.
pub fn read(subject: &str, payload: &[u8]) -> Option<HealthReport> {
    report_channel::read(subject, payload)
}

/// Writes the payload of a report.
pub fn write(report: &HealthReport) -> Vec<u8> {
    report_channel::write(report)
}
