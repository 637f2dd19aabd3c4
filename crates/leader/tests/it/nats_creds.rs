//! The program with a `.creds` file and a NATS whose operator signs who is let in.

use std::path::Path;
use std::time::Duration;

use feeway_domain::{HealthReport, Secret};
use feeway_health::{NatsConfig, NatsCredentials, ReportSubscriber};
use feeway_testing::{NatsOperator, NatsUser};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::PATIENCE;
use crate::leader_process::{LeaderProcess, leader};
use crate::private_servers::{NatsServer, RedisServer};
use crate::processor_stub::{Manner, ProcessorStub};

const REFUSED: &str = "NATS rejected the credentials";

/// What async-nats says before each attempt.
const ATTEMPT: &str = "attempting connection";

/// A leader that logs all, with what it needs but NATS.
struct World {
    folder: TempDir,
    redis: RedisServer,
    stub: ProcessorStub,
}

impl World {
    async fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            redis: RedisServer::up(),
            stub: ProcessorStub::start(Manner::Reports {
                failing: true,
                min_ms: 12,
            })
            .await,
        }
    }

    fn leader(&self, name: &str, nats: &NatsServer, user: &NatsUser) -> LeaderProcess {
        let creds = self.folder.path().join(format!("{name}.creds"));
        user.write_creds(&creds);
        let mut command = leader();
        command
            .env("RUST_LOG", "trace")
            .args(["--name", name, "--redis", &self.redis.url()])
            .args(["--nats", &nats.url(), "--nats-creds-file", text(&creds)])
            .arg(format!("--processor=default={},fee=0.05", self.stub.url));
        LeaderProcess::run(command)
    }

    /// A board's end of NATS, which has to hear what a leader of this world reports.
    async fn assert_hears(&self, nats: &NatsServer, user: &NatsUser, leader: &LeaderProcess) {
        let creds = self.folder.path().join("board.creds");
        user.write_creds(&creds);
        let content = Secret::new(&std::fs::read_to_string(&creds).unwrap());
        let config = NatsConfig {
            credentials: NatsCredentials::from_creds(content).unwrap(),
            ..NatsConfig::from(&nats.url().parse().unwrap())
        };
        let mut subscriber = ReportSubscriber::connect(config).await.unwrap();
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
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

async fn until_logged(leader: &LeaderProcess, line: &str, times: usize) {
    let logged = timeout(PATIENCE, async {
        while leader.log().matches(line).count() < times {
            sleep(Duration::from_millis(5)).await;
        }
    });
    let logged = logged.await;
    logged.unwrap_or_else(|_| panic!("not {times} × {line:?} in {}", leader.log()));
}

/// Neither the key, nor the signed name or a part of it.
async fn assert_told_nobody(leader: &LeaderProcess, user: &NatsUser) {
    let log = leader.log();
    assert!(log.contains("TRACE"), "it does not log all: {log}");
    let mut told = log;
    for page in ["/metrics", "/readyz", "/healthz"] {
        told.push_str(&leader.page(page).await.1);
    }
    told.push_str(&leader.command_line());
    assert!(!told.contains(&user.seed), "{told}");
    // The header of the signed name is the same for everybody.
    for part in user.jwt.split('.').skip(1) {
        assert!(!told.contains(part), "{told}");
    }
}

#[tokio::test]
async fn a_creds_file_opens_nats_and_neither_its_name_nor_its_key_is_told() {
    let operator = NatsOperator::new();
    let nats = NatsServer::up_with(&["-c", text(&operator.open_server())]);
    let world = World::new().await;
    let user = operator.user();
    let leader = world.leader("a", &nats, &user);
    world.assert_hears(&nats, &operator.user(), &leader).await;
    assert_eq!(leader.log().matches(REFUSED).count(), 0);
    assert_told_nobody(&leader, &user).await;
}

#[tokio::test]
async fn wrong_creds_are_told_of_once_and_tried_again_and_not_quoted() {
    let operator = NatsOperator::new();
    let nats = NatsServer::up_with(&["-c", text(&operator.open_server())]);
    let world = World::new().await;
    let forged = NatsUser {
        seed: operator.user().seed,
        ..operator.user()
    };
    for (name, user) in [
        ("of-another-operator", NatsOperator::new().user()),
        ("with-another-key", forged),
        ("expired", operator.expired_user()),
    ] {
        let leader = world.leader(name, &nats, &user);
        until_logged(&leader, REFUSED, 1).await;
        let attempts = leader.log().matches(ATTEMPT).count();
        until_logged(&leader, ATTEMPT, attempts + 3).await;
        let log = leader.log();
        let told: Vec<&str> = log.lines().filter(|line| line.contains(REFUSED)).collect();
        assert_eq!(told.len(), 1, "{name}: {told:?}");
        assert!(told[0].contains(r#""level":"ERROR""#), "{name}: {told:?}");
        assert!(told[0].contains("authorization violation"), "{told:?}");
        assert_told_nobody(&leader, &user).await;
    }
}

#[tokio::test]
async fn a_leader_that_was_refused_is_let_in_as_soon_as_nats_knows_its_account() {
    let operator = NatsOperator::new();
    let mut nats = NatsServer::up_with(&["-c", text(&operator.closed_server())]);
    let world = World::new().await;
    let leader = world.leader("a", &nats, &operator.user());
    until_logged(&leader, REFUSED, 1).await;
    nats.restart_with(&["-c", text(&operator.open_server())]);
    world.assert_hears(&nats, &operator.user(), &leader).await;
}
