use std::time::Duration;

use feeway_domain::HealthReport;
use feeway_health::{ReportPublisher, ReportSubscriber};
use feeway_store::RedisStore;
use tokio::time::{sleep, timeout};

use crate::PATIENCE;
use crate::leader_process::LeaderProcess;
use crate::private_servers::{NatsServer, RedisServer};
use crate::processor_stub::{Manner, ProcessorStub};

fn report(name: &str, failing: bool, ms: u64) -> HealthReport {
    HealthReport {
        processor: name.parse().unwrap(),
        failing,
        min_response_time: Duration::from_millis(ms),
    }
}

/// A subscriber that has begun to hear.
async fn listening(nats: &NatsServer) -> ReportSubscriber {
    let url = nats.url().parse().unwrap();
    let publisher = ReportPublisher::connect(&url).await.unwrap();
    let mut subscriber = ReportSubscriber::connect(&url).await.unwrap();
    let heard = timeout(PATIENCE, async {
        loop {
            publisher.publish(&report("test", false, 0)).await.unwrap();
            if timeout(Duration::from_millis(50), subscriber.next())
                .await
                .is_ok()
            {
                return;
            }
        }
    });
    heard.await.expect("the subscriber hears");
    subscriber
}

async fn last_report(store: &RedisStore, name: &str) -> HealthReport {
    let name = name.parse().unwrap();
    let kept = timeout(PATIENCE, async {
        loop {
            if let Ok(Some((report, _age))) = store.last_report(&name).await {
                return report;
            }
            sleep(Duration::from_millis(20)).await;
        }
    });
    kept.await.expect("the report is kept")
}

#[tokio::test]
async fn answers_are_published_and_kept_but_429_is_not() {
    let (redis, nats) = (RedisServer::up(), NatsServer::up());
    let mut subscriber = listening(&nats).await;
    let manners = [
        Manner::Reports {
            failing: true,
            min_ms: 12,
        },
        Manner::TooEarly,
        Manner::Silent,
    ];
    let mut stubs = Vec::new();
    for manner in manners {
        stubs.push(ProcessorStub::start(manner).await);
    }
    let processors = [
        ("reports", &stubs[0]),
        ("too-early", &stubs[1]),
        ("silent", &stubs[2]),
    ];
    let leader = LeaderProcess::start("a", &redis, &nats, &processors);

    // The silent one's time-out of 2 s comes last.
    let mut heard = Vec::new();
    while heard.last() != Some(&report("silent", true, 0)) {
        let report = timeout(PATIENCE, subscriber.next()).await.unwrap();
        if report.processor.as_str() != "test" {
            heard.push(report);
        }
    }
    assert_eq!(
        heard,
        [report("reports", true, 12), report("silent", true, 0)]
    );

    let store = redis.store();
    assert_eq!(
        last_report(&store, "reports").await,
        report("reports", true, 12)
    );
    assert_eq!(
        last_report(&store, "silent").await,
        report("silent", true, 0)
    );
    assert_eq!(stubs[1].asks().len(), 1);
    assert_eq!(
        store.last_report(&"too-early".parse().unwrap()).await,
        Ok(None)
    );

    let (status, metrics) = leader.page("/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "feeway_leader_lease_held 1",
        r#"feeway_leader_asks_total{processor="reports",answer="report"} 1"#,
        r#"feeway_leader_asks_total{processor="too-early",answer="too_early"} 1"#,
        r#"feeway_leader_asks_total{processor="silent",answer="unanswered"} 1"#,
    ] {
        assert!(
            metrics.lines().any(|written| written == line),
            "{line}\n{metrics}"
        );
    }
}

/// Two of them have 20 MB each in the containers.
#[tokio::test]
async fn a_leader_is_small() {
    const RESIDENT_MAX: u64 = 12_000_000;
    let (redis, nats) = (RedisServer::up(), NatsServer::up());
    let nobody = ProcessorStub::refusing().await;
    let leader = LeaderProcess::start("a", &redis, &nats, &[("default", &nobody)]);
    let store = redis.store();
    assert_eq!(
        last_report(&store, "default").await,
        report("default", true, 0)
    );
    let (_, metrics) = leader.page("/metrics").await;
    let resident = metrics
        .lines()
        .find_map(|line| line.strip_prefix("process_resident_memory_bytes "))
        .and_then(|bytes| bytes.parse().ok());
    assert!(
        resident.is_some_and(|bytes: u64| bytes < RESIDENT_MAX),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_processor_that_refuses_connections_is_failing() {
    let (redis, nats) = (RedisServer::up(), NatsServer::down());
    let nobody = ProcessorStub::refusing().await;
    // NATS is away too: what is kept in Redis does not wait for it.
    let _leader = LeaderProcess::start("a", &redis, &nats, &[("default", &nobody)]);
    let store = redis.store();
    assert_eq!(
        last_report(&store, "default").await,
        report("default", true, 0)
    );
}
