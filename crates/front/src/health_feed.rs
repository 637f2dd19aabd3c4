//! The way of health reports to the board: the last ones from Redis, the news from NATS.

use std::sync::Arc;
use std::time::Duration;

use feeway_health::{Board, NatsLink, ReportSubscriber};
use feeway_store::RedisStore;
use metrics::{Counter, counter, describe_counter};
use tokio::time::{Instant, sleep};

use crate::unheard::Unheard;

/// How often it is looked what the leader has kept in Redis. It asks each processor every
/// 5.15 s, so that no report of the three that make NATS silent is missed.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Starts to bring reports to the board, and to notice when none come. Tells what NATS is
/// good for.
pub fn start(reports: ReportSubscriber, store: &RedisStore, board: &Arc<Board>) -> NatsLink {
    let nats = reports.link();
    let unheard = Arc::new(Unheard::new(board.ranks().count()));
    let listening = Arc::clone(&unheard);
    tokio::spawn(follow(reports, Arc::clone(board), listening));
    tokio::spawn(listen_for_silence(
        store.clone(),
        Arc::clone(board),
        unheard,
        nats.clone(),
    ));
    nats
}

/// Compares the reports that the leader keeps in Redis with those that come through NATS, for
/// ever. Whoever keeps reports there lives, and means them to be heard.
async fn listen_for_silence(
    store: RedisStore,
    board: Arc<Board>,
    unheard: Arc<Unheard>,
    nats: NatsLink,
) {
    loop {
        for rank in board.ranks() {
            let last = store.last_report(board.name(rank)).await;
            if let Ok(Some((_, age))) = last
                && let Some(made) = Instant::now().checked_sub(age)
            {
                unheard.made(rank.index(), made);
            }
        }
        // While there is no connection, nothing can come.
        if !nats.is_connected() {
            unheard.forgive();
        }
        nats.set_silent(unheard.is_silence());
        sleep(LOOK_EVERY).await;
    }
}

/// Writes every report that arrives on the board, for ever. A report is milliseconds old
/// when it is here, so the question was sent as long before its arrival as the leader says.
async fn follow(mut reports: ReportSubscriber, board: Arc<Board>, unheard: Arc<Unheard>) {
    let nats = reports.link();
    describe_counter!(
        "feeway_health_reports_total",
        "Health reports received from the leader."
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
            unheard.heard(rank.index());
            nats.set_silent(unheard.is_silence());
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
