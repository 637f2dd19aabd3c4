use crate::leader_process::LeaderProcess;
use crate::private_servers::{NatsServer, RedisServer};
use crate::processor_stub::{Manner, ProcessorStub};

#[tokio::test]
async fn without_redis_nobody_is_asked() {
    let (mut redis, nats) = (RedisServer::down(), NatsServer::down());
    let stub = ProcessorStub::start(Manner::Reports {
        failing: false,
        min_ms: 0,
    })
    .await;
    let leader = LeaderProcess::start("a", &redis, &nats, &[("default", &stub)]);
    leader
        .until_ready_says((503, "Redis does not answer\n"))
        .await;
    assert_eq!(leader.page("/healthz").await.0, 200);
    assert_eq!(leader.page("/other").await.0, 404);
    assert_eq!(stub.asks().len(), 0);

    redis.start();
    leader
        .until_ready_says((200, "ready, holding the lease\n"))
        .await;
    stub.until_asked(1).await;

    redis.kill();
    leader
        .until_ready_says((503, "Redis does not answer\n"))
        .await;
    assert_eq!(stub.asks().len(), 1);
}
