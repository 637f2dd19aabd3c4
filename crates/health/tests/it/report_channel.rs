use std::time::Duration;

use feeway_domain::HealthReport;
use feeway_health::{PublishFault, ReportPublisher, ReportSubscriber};
use tokio::time::{sleep, timeout};

use crate::nats_server::NatsServer;

const PATIENCE: Duration = Duration::from_secs(10);

fn report(name: &str, failing: bool, ms: u64) -> HealthReport {
    HealthReport {
        processor: name.parse().unwrap(),
        failing,
        min_response_time: Duration::from_millis(ms),
        asked_ago: Duration::from_millis(ms / 2),
    }
}

async fn publish_or_not(publisher: &ReportPublisher, report: &HealthReport) {
    match publisher.publish(report).await {
        Ok(()) | Err(PublishFault::Away) => {}
    }
}

/// Publishes until the subscriber has it: both connect in the background.
async fn deliver(
    publisher: &ReportPublisher,
    subscriber: &mut ReportSubscriber,
    report: &HealthReport,
) {
    let delivered = timeout(PATIENCE, async {
        loop {
            publish_or_not(publisher, report).await;
            if let Ok(received) = timeout(Duration::from_millis(50), subscriber.next()).await {
                assert_eq!(&received, report);
                return;
            }
        }
    });
    delivered.await.expect("the report arrives");
}

#[tokio::test]
async fn reports_arrive_in_order_at_every_subscriber() {
    let mut server = NatsServer::down();
    server.start();
    let publisher = ReportPublisher::connect(&server.url()).await.unwrap();
    let mut subscribers = [
        ReportSubscriber::connect(&server.url()).await.unwrap(),
        ReportSubscriber::connect(&server.url()).await.unwrap(),
    ];
    for (number, subscriber) in subscribers.iter_mut().enumerate() {
        let name = format!("p{number}");
        deliver(&publisher, subscriber, &report(&name, true, 7)).await;
    }
    let sent: Vec<_> = (0..20)
        .map(|n| report(["default", "fallback"][n % 2], n % 3 == 0, n as u64))
        .collect();
    for report in &sent {
        assert_eq!(publisher.publish(report).await, Ok(()));
    }
    for subscriber in &mut subscribers {
        let mut received = Vec::new();
        while received.len() < sent.len() {
            let report = timeout(PATIENCE, subscriber.next()).await.unwrap();
            // Repeats of the first ones may still be on their way.
            if !report.processor.as_str().starts_with('p') {
                received.push(report);
            }
        }
        assert_eq!(received, sent);
        assert_eq!(subscriber.malformed(), 0);
    }
}

#[tokio::test]
async fn a_message_that_is_no_report_is_counted_and_passed_over() {
    let mut server = NatsServer::down();
    server.start();
    let publisher = ReportPublisher::connect(&server.url()).await.unwrap();
    let mut subscriber = ReportSubscriber::connect(&server.url()).await.unwrap();
    deliver(&publisher, &mut subscriber, &report("default", false, 1)).await;

    let stranger = async_nats::connect(server.url().to_string()).await.unwrap();
    for payload in ["", "garbage", r#"{"processor":"default"}"#] {
        stranger
            .publish("feeway.health.default", payload.into())
            .await
            .unwrap();
    }
    stranger.publish("feeway.other", "x".into()).await.unwrap();
    // From the same connection, so that it cannot overtake the others.
    let text = r#"{"processor":"fallback","failing":true,"minResponseTimeMs":2}"#;
    stranger
        .publish("feeway.health.fallback", text.into())
        .await
        .unwrap();
    let last = HealthReport {
        // A leader of an older release does not say it.
        asked_ago: Duration::ZERO,
        ..report("fallback", true, 2)
    };
    while timeout(PATIENCE, subscriber.next()).await.unwrap() != last {}
    assert_eq!(subscriber.malformed(), 3);
}

#[tokio::test]
async fn the_channel_outlives_a_server_that_starts_late_and_restarts() {
    let mut server = NatsServer::down();
    let publisher = ReportPublisher::connect(&server.url()).await.unwrap();
    let mut subscriber = ReportSubscriber::connect(&server.url()).await.unwrap();
    assert_eq!(
        publisher.publish(&report("default", true, 1)).await,
        Err(PublishFault::Away)
    );
    server.start();
    deliver(&publisher, &mut subscriber, &report("default", false, 2)).await;

    server.kill();
    let noticed = timeout(PATIENCE, async {
        while publisher
            .publish(&report("default", false, 2))
            .await
            .is_ok()
        {
            sleep(Duration::from_millis(5)).await;
        }
    });
    noticed.await.expect("the publisher notices");
    let stale = report("stale", true, 3);
    assert_eq!(publisher.publish(&stale).await, Err(PublishFault::Away));

    server.start();
    let fresh = report("default", false, 4);
    let delivered = timeout(PATIENCE, async {
        loop {
            publish_or_not(&publisher, &fresh).await;
            match timeout(Duration::from_millis(50), subscriber.next()).await {
                Ok(received) if received == fresh => return,
                Ok(received) => assert_ne!(received, stale, "what was refused never arrives"),
                Err(_) => {}
            }
        }
    });
    delivered.await.expect("the report arrives");
}
