use std::time::Duration;

use feeway_domain::HealthReport;
use feeway_health::{ReportPublisher, ReportSubscriber};
use feeway_store::RedisStore;
use tokio::time::{Instant, sleep, timeout};

use crate::PATIENCE;
use crate::leader_process::LeaderProcess;
use crate::private_servers::{NatsServer, RedisServer};
use crate::processor_stub::{Manner, ProcessorStub};

fn report(name: &str, failing: bool, ms: u64) -> HealthReport {
    HealthReport {
        processor: name.parse().unwrap(),
        failing,
        min_response_time: Duration::from_millis(ms),
        asked_ago: Duration::ZERO,
    }
}

/// Returns the metrics when this line is among them.
async fn metrics_with(leader: &LeaderProcess, line: &str) -> String {
    let counted = timeout(PATIENCE, async {
        loop {
            let (_, metrics) = leader.page("/metrics").await;
            if metrics.lines().any(|written| written == line) {
                return metrics;
            }
            sleep(Duration::from_millis(20)).await;
        }
    });
    counted.await.unwrap_or_else(|_| panic!("never {line}"))
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
async fn answers_are_published_and_kept_and_anything_else_is_no_news() {
    let (redis, nats) = (RedisServer::up(), NatsServer::up());
    let mut subscriber = listening(&nats).await;
    let manners = [
        Manner::Reports {
            failing: true,
            min_ms: 12,
        },
        Manner::TooEarly,
        Manner::Silent,
        Manner::NoEndpoint,
    ];
    let mut stubs = Vec::new();
    for manner in manners {
        stubs.push(ProcessorStub::start(manner).await);
    }
    let nobody = ProcessorStub::refusing().await;
    let processors = [
        ("reports", &stubs[0]),
        ("too-early", &stubs[1]),
        ("silent", &stubs[2]),
        ("no-endpoint", &stubs[3]),
        ("nobody", &nobody),
    ];
    let started = Instant::now();
    let leader = LeaderProcess::start("a", &redis, &nats, &processors);
    let heard = timeout(PATIENCE, async {
        loop {
            let report = subscriber.next().await;
            if report.processor.as_str() != "test" {
                return report;
            }
        }
    });
    let heard = heard.await.unwrap();
    // It says when it asked, rounded up to milliseconds.
    assert!(heard.asked_ago > Duration::ZERO && heard.asked_ago < started.elapsed());
    let expected = HealthReport {
        asked_ago: heard.asked_ago,
        ..report("reports", true, 12)
    };
    assert_eq!(heard, expected);

    // The silent one's time-out of 2 s comes last.
    let answers = [
        ("reports", "report"),
        ("too-early", "too_early"),
        ("no-endpoint", "no_endpoint"),
        ("nobody", "unanswered"),
        ("silent", "unanswered"),
    ];
    let mut metrics = String::new();
    for (name, answer) in answers {
        let line = format!(r#"feeway_leader_asks_total{{processor="{name}",answer="{answer}"}} 1"#);
        metrics = metrics_with(&leader, &line).await;
    }
    let held = metrics
        .lines()
        .any(|line| line == "feeway_leader_lease_held 1");
    assert!(held, "{metrics}");

    let store = redis.store();
    let kept = last_report(&store, "reports").await;
    assert_eq!(kept, report("reports", true, 12));
    for (name, _) in &answers[1..] {
        assert_eq!(store.last_report(&name.parse().unwrap()).await, Ok(None));
    }
    let more = timeout(Duration::from_millis(200), subscriber.next()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test]
async fn a_missing_health_endpoint_is_logged_once() {
    let (redis, nats) = (RedisServer::up(), NatsServer::up());
    let stub = ProcessorStub::start(Manner::NoEndpoint).await;
    let leader = LeaderProcess::start("a", &redis, &nats, &[("default", &stub)]);
    let asked = r#"feeway_leader_asks_total{processor="default",answer="no_endpoint"} 2"#;
    metrics_with(&leader, asked).await;
    let log = leader.log();
    assert_eq!(
        log.matches("has no GET /payments/service-health").count(),
        1,
        "{log}"
    );
}

/// Two of them have 20 MB each in the containers.
#[tokio::test]
async fn a_leader_is_small() {
    const RESIDENT_MAX: u64 = 12_000_000;
    let (redis, nats) = (RedisServer::up(), NatsServer::up());
    let nobody = ProcessorStub::refusing().await;
    let leader = LeaderProcess::start("a", &redis, &nats, &[("default", &nobody)]);
    let asked = r#"feeway_leader_asks_total{processor="default",answer="unanswered"} 1"#;
    let metrics = metrics_with(&leader, asked).await;
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
async fn a_report_is_kept_while_nats_is_away() {
    let (redis, nats) = (RedisServer::up(), NatsServer::down());
    let stub = ProcessorStub::start(Manner::Reports {
        failing: true,
        min_ms: 12,
    })
    .await;
    let _leader = LeaderProcess::start("a", &redis, &nats, &[("default", &stub)]);
    let store = redis.store();
    assert_eq!(
        last_report(&store, "default").await,
        report("default", true, 12)
    );
}
