//! The program with passwords and certificates: it uses them and tells nobody.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use feeway_domain::{HealthReport, Secret};
use feeway_health::{NatsConfig, NatsCredentials, ReportSubscriber};
use feeway_testing::TestAuthority;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::PATIENCE;
use crate::leader_process::{LeaderProcess, leader};
use crate::private_servers::{NatsServer, RedisServer, free_port};
use crate::processor_stub::{Manner, ProcessorStub};

/// In every secret of these tests.
const MARK: &str = "hush";
const REDIS_PASSWORD: &str = "hush-redis @?";
const NATS_PASSWORD: &str = "hush-nats";
const AUTHORIZATION: &str = "Bearer hush-processor";

/// Redis and NATS that speak TLS and want a password.
struct Guarded {
    authority: TestAuthority,
    folder: TempDir,
    redis_port: u16,
    _redis: RedisServer,
    nats: NatsServer,
}

impl Guarded {
    fn up() -> Self {
        let authority = TestAuthority::new();
        let server = authority.certify("127.0.0.1");
        let (certificate, key) = (text(&server.certificate), text(&server.key));
        let ca_file = authority.ca_file();
        let redis_port = free_port();
        let redis = RedisServer::up_with(&[
            "--tls-port",
            &redis_port.to_string(),
            "--tls-auth-clients",
            "no",
            "--tls-cert-file",
            certificate,
            "--tls-key-file",
            key,
            "--tls-ca-cert-file",
            text(&ca_file),
            "--requirepass",
            REDIS_PASSWORD,
        ]);
        let nats = NatsServer::up_with(&[
            "--tls",
            "--tlscert",
            certificate,
            "--tlskey",
            key,
            "--user",
            "feeway",
            "--pass",
            NATS_PASSWORD,
        ]);
        Self {
            authority,
            folder: tempfile::tempdir().unwrap(),
            redis_port,
            _redis: redis,
            nats,
        }
    }

    fn nats_url(&self) -> String {
        self.nats.url().replace("nats://", "tls://")
    }

    /// A board's end of NATS.
    async fn subscriber(&self) -> ReportSubscriber {
        let config = NatsConfig {
            credentials: NatsCredentials::User {
                user: "feeway".to_owned(),
                password: Secret::new(NATS_PASSWORD),
            },
            ca_file: Some(self.authority.ca_file()),
            ..NatsConfig::from(&self.nats_url().parse().unwrap())
        };
        let subscriber = ReportSubscriber::connect(config).await.unwrap();
        let link = subscriber.link();
        let connected = timeout(PATIENCE, async {
            while !link.is_up() {
                sleep(Duration::from_millis(5)).await;
            }
        });
        connected.await.expect("NATS lets it in");
        subscriber
    }

    /// A leader that logs all, with one password from a file and one from the environment.
    fn leader(&self, redis: &str, nats: &str, stub: &ProcessorStub) -> LeaderProcess {
        let ca_file = self.authority.ca_file();
        let mut command: Command = leader();
        command
            .env("RUST_LOG", "trace")
            .env("FEEWAY_NATS_PASSWORD", nats)
            .arg(format!("--redis=rediss://127.0.0.1:{}", self.redis_port))
            .args(["--redis-password-file", &self.write("redis", redis)])
            .args(["--redis-ca-file", text(&ca_file)])
            .args(["--nats", &self.nats_url(), "--nats-user", "feeway"])
            .args(["--nats-ca-file", text(&ca_file)])
            .arg(format!(
                "--processor=default={},fee=0.05,authorization-file={}",
                stub.url,
                self.write("authorization", AUTHORIZATION)
            ));
        LeaderProcess::run(command)
    }

    fn write(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, format!("{content}\n")).unwrap();
        text(&path).to_owned()
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

async fn until_logged(leader: &LeaderProcess, line: &str) {
    let logged = timeout(PATIENCE, async {
        while !leader.log().contains(line) {
            sleep(Duration::from_millis(5)).await;
        }
    });
    let logged = logged.await;
    logged.unwrap_or_else(|_| panic!("no {line:?} in {}", leader.log()));
}

async fn assert_told_nobody(leader: &LeaderProcess) {
    let log = leader.log();
    assert!(log.contains("TRACE"), "it does not log all: {log}");
    assert!(!log.contains(MARK), "{log}");
    for page in ["/metrics", "/readyz", "/healthz"] {
        let (_, body) = leader.page(page).await;
        assert!(!body.contains(MARK), "{body}");
    }
    assert!(!leader.command_line().contains(MARK));
}

#[tokio::test]
async fn a_leader_logs_in_to_redis_and_nats_and_logs_no_secret() {
    let guarded = Guarded::up();
    let mut subscriber = guarded.subscriber().await;
    let stub = ProcessorStub::start(Manner::Reports {
        failing: true,
        min_ms: 12,
    })
    .await;
    let leader = guarded.leader(REDIS_PASSWORD, NATS_PASSWORD, &stub);
    leader
        .until_ready_says((200, "ready, holding the lease\n"))
        .await;
    // Should NATS let it in only after its first question, the next report comes 5 s later.
    let heard = timeout(PATIENCE, subscriber.next()).await;
    let expected = HealthReport {
        processor: "default".parse().unwrap(),
        failing: true,
        min_response_time: Duration::from_millis(12),
        asked_ago: heard
            .as_ref()
            .map_or(Duration::ZERO, |heard| heard.asked_ago),
    };
    assert_eq!(heard.as_ref(), Ok(&expected), "{}", leader.log());
    let (_, metrics) = leader.page("/metrics").await;
    assert!(
        metrics.contains("feeway_leader_lease_held 1\n"),
        "{metrics}"
    );
    assert_told_nobody(&leader).await;
}

#[tokio::test]
async fn wrong_passwords_are_told_of_and_not_quoted() {
    let guarded = Guarded::up();
    let stub = ProcessorStub::refusing().await;
    let leader = guarded.leader("hush-wrong", "hush-wrong", &stub);
    until_logged(&leader, "Redis rejected the credentials").await;
    until_logged(&leader, "NATS rejected the credentials").await;
    assert_eq!(leader.page("/readyz").await.0, 503);
    assert_told_nobody(&leader).await;
}
