//! The way of health reports from NATS to the board.

use std::sync::Arc;

use feeway_health::{Board, ReportSubscriber};
use tokio::time::Instant;

/// Writes every report that arrives on the board, for ever. A report is milliseconds old
/// when it is here, so the instant of its arrival stands for that of the question.
pub async fn follow(mut reports: ReportSubscriber, board: Arc<Board>) {
    loop {
        let report = reports.next().await;
        // A leader may be configured with a processor that this front is not.
        if let Some(rank) = board.rank(&report.processor) {
            let asked = Instant::now();
            board.report(rank, report.failing, report.min_response_time, asked);
        }
    }
}
