use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::PATIENCE;
use crate::leader_process::LeaderProcess;
use crate::private_servers::{NatsServer, RedisServer};
use crate::processor_stub::{Manner, ProcessorStub};

const FINE: Manner = Manner::Reports {
    failing: false,
    min_ms: 3,
};

/// What is promised between two questions, and to the first one of a successor.
const GAP_MIN: Duration = Duration::from_millis(5050);
const TAKE_OVER_MAX: Duration = Duration::from_millis(5500);

#[tokio::test]
async fn a_killed_holder_is_followed_in_time_and_never_too_early() {
    let (redis, nats) = (RedisServer::up(), NatsServer::down());
    let stubs = [
        ProcessorStub::start(FINE).await,
        ProcessorStub::start(FINE).await,
    ];
    let processors = [("default", &stubs[0]), ("fallback", &stubs[1])];
    let mut leaders = ["a", "b"].map(|name| LeaderProcess::start(name, &redis, &nats, &processors));

    for stub in &stubs {
        stub.until_asked(1).await;
    }
    let first = redis.holder().unwrap();
    leaders[usize::from(first.starts_with("b."))].kill();
    for stub in &stubs {
        stub.until_asked(2).await;
        assert!(stub.gaps()[0] <= TAKE_OVER_MAX, "{:?}", stub.gaps());
    }
    let second = redis.holder().unwrap();
    assert_ne!(first[..2], second[..2]);
    for stub in &stubs {
        stub.until_asked(3).await;
        assert!(
            stub.gaps().iter().all(|&gap| gap >= GAP_MIN),
            "{:?}",
            stub.gaps()
        );
        assert_eq!(stub.asks().len(), 3, "only one of them asks");
    }
}

#[tokio::test]
async fn a_holder_that_is_told_to_stop_gives_the_lease_back() {
    let (redis, nats) = (RedisServer::up(), NatsServer::down());
    let stub = ProcessorStub::start(FINE).await;
    let processors = [("default", &stub)];
    let mut leaders = ["a", "b"].map(|name| LeaderProcess::start(name, &redis, &nats, &processors));

    stub.until_asked(1).await;
    let first = redis.holder().unwrap();
    let told = Instant::now();
    let status = leaders[usize::from(first.starts_with("b."))]
        .terminate()
        .await;
    assert!(status.success(), "{status}");
    let followed = timeout(PATIENCE, async {
        while redis.holder().is_none_or(|holder| holder == first) {
            sleep(Duration::from_millis(10)).await;
        }
    });
    followed.await.expect("the other takes the lease");
    // Left alone, the lease would have lived for 2 s at least.
    assert!(
        told.elapsed() < Duration::from_millis(1900),
        "{:?}",
        told.elapsed()
    );
}

#[tokio::test]
async fn a_redis_that_forgot_everything_makes_nobody_ask_too_early() {
    let (mut redis, nats) = (RedisServer::up(), NatsServer::down());
    let stub = ProcessorStub::start(FINE).await;
    let processors = [("default", &stub)];
    let leaders = ["a", "b"].map(|name| LeaderProcess::start(name, &redis, &nats, &processors));

    stub.until_asked(1).await;
    // One that has never seen Redis cannot know that it restarted.
    for leader in &leaders {
        leader.until_ready().await;
    }
    redis.kill();
    redis.start();
    stub.until_asked(2).await;
    assert!(stub.gaps()[0] >= GAP_MIN, "{:?}", stub.gaps());
}
