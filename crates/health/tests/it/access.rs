use std::time::Duration;

use feeway_domain::{HealthReport, Secret};
use feeway_health::{NatsConfig, NatsCredentials, ReportPublisher, ReportSubscriber};
use feeway_testing::{CaughtLog, TestAuthority};
use tokio::time::{sleep, timeout};

use crate::nats_server::NatsServer;

const PATIENCE: Duration = Duration::from_secs(10);
const PASSWORD: &str = "hush-4711";

fn config(url: &str, credentials: NatsCredentials) -> NatsConfig {
    NatsConfig {
        credentials,
        ..NatsConfig::from(&url.parse().unwrap())
    }
}

fn user(password: &str) -> NatsCredentials {
    NatsCredentials::User {
        user: "feeway".to_owned(),
        password: Secret::new(password),
    }
}

/// A report passes from one end to the other.
async fn check_works(config: &NatsConfig) {
    let publisher = ReportPublisher::connect(config.clone()).await.unwrap();
    let mut subscriber = ReportSubscriber::connect(config.clone()).await.unwrap();
    let report = HealthReport {
        processor: "default".parse().unwrap(),
        failing: true,
        min_response_time: Duration::from_millis(7),
        asked_ago: Duration::from_millis(3),
    };
    let passes = timeout(PATIENCE, async {
        loop {
            let sent = publisher.publish(&report).await.is_ok();
            let heard = timeout(Duration::from_millis(50), subscriber.next()).await;
            if sent && heard.as_ref() == Ok(&report) {
                return;
            }
        }
    });
    passes.await.expect("the report arrives");
}

async fn until_logged(log: &CaughtLog, level: &str, line: &str) {
    let logged = timeout(PATIENCE, async {
        while log.lines(level, line).is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
    });
    logged.await.unwrap_or_else(|_| panic!("{}", log.text()));
}

#[tokio::test]
async fn user_and_password_open_nats_and_are_not_logged() {
    let server = NatsServer::up_with(&["--user", "feeway", "--pass", PASSWORD]);
    let log = CaughtLog::start();
    let given = config(&server.url().to_string(), user(PASSWORD));
    check_works(&given).await;
    let url = format!("nats://feeway:{PASSWORD}@127.0.0.1:{}", server.port());
    let named = config(&url, NatsCredentials::None);
    check_works(&named).await;
    let told = format!("{given:?} {named:?} {}", log.text());
    assert!(!told.contains("hush"), "{told}");
}

#[tokio::test]
async fn a_token_opens_nats_and_is_not_logged() {
    let server = NatsServer::up_with(&["--auth", PASSWORD]);
    let log = CaughtLog::start();
    let token = NatsCredentials::Token(Secret::new(PASSWORD));
    check_works(&config(&server.url().to_string(), token)).await;
    assert!(!log.text().contains("hush"), "{}", log.text());
}

#[tokio::test]
async fn a_wrong_password_is_told_of_once_and_tried_again() {
    let mut server = NatsServer::up_with(&["--user", "feeway", "--pass", PASSWORD]);
    let log = CaughtLog::start();
    let wrong = config(&server.url().to_string(), user("hush-wrong"));
    let mut subscriber = ReportSubscriber::connect(wrong).await.unwrap();
    let refused = "NATS rejected the credentials";
    let listening = tokio::spawn(async move { subscriber.next().await });
    until_logged(&log, "ERROR", refused).await;
    // The client's own lines show that it goes on.
    let told_before = log.lines("DEBUG", "attempting connection").len();
    while log.lines("DEBUG", "attempting connection").len() < told_before + 3 {
        sleep(Duration::from_millis(5)).await;
    }
    let told = log.lines("ERROR", refused);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("authorization violation"), "{told:?}");
    server.kill();
    listening.abort();
    assert!(!log.text().contains("hush"), "{}", log.text());
}

#[tokio::test]
async fn nats_is_spoken_to_over_tls_if_it_is_trusted() {
    let (theirs, others) = (TestAuthority::new(), TestAuthority::new());
    let files = theirs.certify("127.0.0.1");
    let server = NatsServer::up_with(&[
        "--tls",
        "--tlscert",
        files.certificate.to_str().unwrap(),
        "--tlskey",
        files.key.to_str().unwrap(),
        "--user",
        "feeway",
        "--pass",
        PASSWORD,
    ]);
    let log = CaughtLog::start();
    for scheme in ["nats", "tls"] {
        let url = format!("{scheme}://127.0.0.1:{}", server.port());
        let trusting = NatsConfig {
            ca_file: Some(theirs.ca_file()),
            ..config(&url, user(PASSWORD))
        };
        check_works(&trusting).await;
    }
    let distrusting = NatsConfig {
        ca_file: Some(others.ca_file()),
        ..config(&server.url().to_string(), user(PASSWORD))
    };
    let _publisher = ReportPublisher::connect(distrusting).await.unwrap();
    until_logged(&log, "DEBUG", "invalid peer certificate").await;
    until_logged(&log, "WARN", "no connection to NATS").await;
    assert!(!log.text().contains("hush"), "{}", log.text());
}

/// Whoever sits in between cannot talk us out of TLS.
#[tokio::test]
async fn a_nats_without_tls_hears_no_password_where_tls_is_wanted() {
    let authority = TestAuthority::new();
    let server = NatsServer::up_with(&[]);
    let log = CaughtLog::start();
    let wanting = NatsConfig {
        ca_file: Some(authority.ca_file()),
        ..config(&server.url().to_string(), user(PASSWORD))
    };
    let publisher = ReportPublisher::connect(wanting).await.unwrap();
    until_logged(&log, "WARN", "no connection to NATS").await;
    let report = HealthReport {
        processor: "default".parse().unwrap(),
        failing: false,
        min_response_time: Duration::ZERO,
        asked_ago: Duration::ZERO,
    };
    assert!(publisher.publish(&report).await.is_err());
}
