//! The way of health reports to the board: the last ones from Redis, the news from NATS.

use std::sync::Arc;

use feeway_health::{Board, ReportSubscriber};
use feeway_store::RedisStore;
use metrics::{Counter, counter, describe_counter};
use tokio::time::Instant;

/// Writes every report that arrives on the board, for ever. A report is milliseconds old
/// when it is here, so the question was sent as long before its arrival as the leader says.
pub async fn follow(mut reports: ReportSubscriber, board: Arc<Board>) {
    describe_counter!(
        "feeway_health_reports_total",
        "Health reports of the leader that arrived."
    );
    let names = board.ranks().map(|rank| board.name(rank).to_string());
    let received: Vec<Counter> = names
        .map(|name| counter!("feeway_health_reports_total", "processor" => name))
        .collect();
    loop {
        let report = reports.next().await;
        // A leader may be configured with a processor that this front is not.
        if let Some(rank) = board.rank(&report.processor) {
            received[rank.index()].increment(1);
            // What nobody can have asked for is not believed.
            let Some(asked) = Instant::now().checked_sub(report.asked_ago) else {
                continue;
            };
            board.report(rank, report.failing, report.min_response_time, asked);
        }
    }
}

/// Writes the last report of each processor on the board, for a front that starts between
/// two of them. Those that cannot be read are left to the next news.
pub async fn catch_up(store: &RedisStore, board: &Board) {
    for rank in board.ranks() {
        if let Ok(Some((report, age))) = store.last_report(board.name(rank)).await
            && let Some(asked) = Instant::now().checked_sub(age)
        {
            board.report(rank, report.failing, report.min_response_time, asked);
        }
    }
}
