//! A purge stays one, whoever repeats what Redis forgot.

use feeway_domain::{
    Accept, Hold, Ledger as _, Reject, Rename, Restamp, Settle, Store, Summary, Window,
};
use feeway_memory_store::{Acknowledged, MemoryStore};
use feeway_store::RedisStore;
use feeway_testing::PrivateRedis;
use redis::aio::MultiplexedConnection;

use crate::world::{InRedis, at, enlist, id, keep, payment, processor, raw, settlement, up};

const NOON: &str = "2025-07-15T12:00:00Z";

/// Two fronts at one Redis that keeps nothing when it is killed.
struct Fronts {
    redis: PrivateRedis,
    one: RedisStore,
    other: RedisStore,
}

impl Fronts {
    async fn start() -> Self {
        let world = InRedis::new(100).await;
        let other = world.another().await;
        let InRedis { redis, store: one } = world;
        Self { redis, one, other }
    }

    /// Kills Redis, and waits until both have repeated what it forgot.
    async fn restart(&mut self) {
        let mut restarts = [&self.one, &self.other].map(|store| store.redis().restarts());
        for restarts in &mut restarts {
            restarts.borrow_and_update();
        }
        self.redis.restart();
        for restarts in &mut restarts {
            restarts.changed().await.unwrap();
        }
        up(&self.one).await;
        up(&self.other).await;
    }

    async fn raw(&self) -> MultiplexedConnection {
        raw(&self.redis).await
    }
}

async fn all(store: &impl Store) -> Summary {
    store.summary(Window::default()).await.unwrap()
}

/// Every kind of write that is repeated and about a payment. In the end nothing is open.
async fn a_busy_second(store: &impl Store, hold: &Hold) {
    for number in 1..=2 {
        keep(store, hold, number, Some("default")).await;
    }
    let known = store.accept(hold, &payment(1), None).await;
    assert_eq!(known, Ok(Accept::Known));
    let fallback = processor("fallback");
    let named = store.rename(hold, id(1), 0, &fallback).await;
    assert_eq!(named, Ok(Rename::Named));
    store
        .note_freed(&payment(1), &processor("default"))
        .await
        .unwrap();
    let restamp = Restamp {
        id: id(1),
        processor: fallback,
        theirs: at(NOON),
        ours: at(NOON),
    };
    store.note_restamp(&restamp).await.unwrap();
    let done = settlement(1, "fallback", at(NOON));
    assert_eq!(store.settle(&done).await, Ok(Settle::Settled));
    let rejected = store.reject(hold, &payment(2), "402").await;
    assert_eq!(rejected, Ok(Reject::Rejected));
}

/// Nothing of payments is left in Redis.
async fn check_empty(fronts: &Fronts) {
    assert_eq!(all(&fronts.one).await, Summary::default());
    for number in 1..=2 {
        assert_eq!(fronts.one.find(id(number)).await, Ok(None), "{number}");
    }
    let mut raw = fronts.raw().await;
    let left: Vec<String> = redis::cmd("KEYS")
        .arg("{0}:*")
        .query_async(&mut raw)
        .await
        .unwrap();
    let of_payments = |key: &&String| {
        [
            "freed",
            "restamped",
            "rejections",
            "open",
            "queue",
            "ledger",
        ]
        .iter()
        .any(|kind| key.starts_with(&format!("{{0}}:{kind}")))
    };
    let left: Vec<&String> = left.iter().filter(of_payments).collect();
    assert_eq!(left, [""; 0]);
}

#[tokio::test]
async fn what_another_front_repeats_does_not_undo_a_purge() {
    let mut fronts = Fronts::start().await;
    let hold = enlist(&fronts.other, "front-2.b").await;
    a_busy_second(&fronts.other, &hold).await;
    fronts.one.purge().await.unwrap();
    fronts.restart().await;
    check_empty(&fronts).await;
    // Whichever of the two was back first.
    fronts.restart().await;
    check_empty(&fronts).await;
}

#[tokio::test]
async fn what_was_acknowledged_after_a_purge_stays() {
    let mut fronts = Fronts::start().await;
    let hold = enlist(&fronts.other, "front-2.b").await;
    a_busy_second(&fronts.other, &hold).await;
    fronts.one.purge().await.unwrap();
    // A step of each kind tells the generation.
    a_busy_second(&fronts.other, &hold).await;
    keep(&fronts.other, &hold, 3, None).await;
    let (books, freed) = (all(&fronts.other).await, std::time::Duration::ZERO);
    for _ in 0..2 {
        fronts.restart().await;
        assert_eq!(all(&fronts.one).await, books);
        for number in 1..=3 {
            assert!(
                fronts.one.find(id(number)).await.unwrap().is_some(),
                "{number}"
            );
        }
        assert_eq!(fronts.one.freed(freed, 10).await.unwrap().len(), 1);
        let open = fronts.one.queued(&hold.owner, None, 10).await.unwrap();
        assert_eq!(open.len(), 1);
    }
}

/// A purge that its own front cannot repeat any longer, since it died as well.
#[tokio::test]
async fn a_store_that_has_seen_a_purge_repeats_it() {
    let mut fronts = Fronts::start().await;
    let hold = enlist(&fronts.other, "front-2.b").await;
    a_busy_second(&fronts.other, &hold).await;
    fronts.one.purge().await.unwrap();
    fronts
        .other
        .beat(std::slice::from_ref(&hold))
        .await
        .unwrap();
    fronts.one = fronts.other.clone();
    fronts.restart().await;
    check_empty(&fronts).await;
}

#[tokio::test]
async fn what_a_restarted_redis_has_taken_new_is_not_purged() {
    let world = InRedis::new(100).await;
    let hold = enlist(&world.store, "front-1.a").await;
    let mut raw = world.raw().await;
    let mut repeat = async |generation: u64| {
        let mut call = redis::cmd("FCALL");
        call.arg("restore_purge")
            .arg(1)
            .arg("{0}:open")
            .arg(generation);
        call.query_async::<Vec<String>>(&mut raw).await
    };
    let done = settlement(1, "default", at(NOON));
    world.store.settle(&done).await.unwrap();
    assert_eq!(repeat(1).await.unwrap(), ["purged"]);
    assert_eq!(all(&world.store).await, Summary::default());
    world.store.settle(&done).await.unwrap();
    assert_eq!(repeat(1).await.unwrap(), ["known"]);
    keep(&world.store, &hold, 2, None).await;
    let error = repeat(2).await.unwrap_err();
    assert!(error.to_string().contains("purge again"), "{error}");
    assert_eq!(all(&world.store).await.of(&processor("default")).count, 1);
    assert!(world.store.find(id(2)).await.unwrap().is_some());
}

/// What fronts of earlier versions send has no generation.
#[tokio::test]
async fn an_earlier_front_is_understood_as_before() {
    let world = InRedis::new(100).await;
    let hold = enlist(&world.store, "front-1.a").await;
    world.store.purge().await.unwrap();
    let mut raw = world.raw().await;
    let (record, queue) = ("{0}:owner:front-1.a", "{0}:queue:front-1.a");
    let mut accept = redis::cmd("FCALL");
    accept
        .arg("accept_all")
        .arg(3)
        .arg(&["{0}:open", record, queue]);
    accept
        .arg(&["front-1.a", "front-1.a"])
        .arg(hold.epoch)
        .arg(100);
    accept.arg(id(1).as_bytes()).arg(1_990).arg("default");
    let reply: Vec<String> = accept.query_async(&mut raw).await.unwrap();
    assert_eq!(
        (reply.len(), &reply[0][..], &reply[2][..]),
        (3, "accepted", "kept")
    );
    let mut restore = redis::cmd("FCALL");
    let (settled, rejected) = ("{0}:settled:0000", "{0}:rejected:none");
    restore.arg("restore_entry").arg(4);
    restore.arg(&["{0}:open", settled, rejected, "{0}:owners"]);
    restore
        .arg(id(2).as_bytes())
        .arg("front-1.a|default|3|1990|17");
    restore.arg(&["front-1.a", "front-1.a"]).arg(hold.epoch);
    let reply: Vec<String> = restore.query_async(&mut raw).await.unwrap();
    assert_eq!(reply, ["kept"]);
    assert!(world.store.find(id(2)).await.unwrap().is_some());
}

/// The store in memory does the same.
#[tokio::test(start_paused = true)]
async fn a_repeated_write_is_of_its_generation_in_memory_too() {
    let store = MemoryStore::default();
    let forgotten = store.snapshot();
    let done = settlement(1, "default", at(NOON));
    let settled = Acknowledged::Settle(done.clone());
    store.settle(&done).await.unwrap();
    store.purge().await.unwrap();
    assert_eq!(store.generation(), 1);
    store.replay(&settled, 0);
    assert_eq!(all(&store).await, Summary::default());
    store.replay(&settled, 1);
    assert_eq!(all(&store).await.of(&processor("default")).count, 1);
    // The purge is repeated after what was purged by it.
    store.restore(&forgotten);
    store.replay(&settled, 0);
    let purge = Acknowledged::Purge { generation: 1 };
    store.replay(&purge, 1);
    assert_eq!(all(&store).await, Summary::default());
    store.replay(&settled, 1);
    store.replay(&purge, 1);
    assert_eq!(all(&store).await.of(&processor("default")).count, 1);
    // Something new was taken before it.
    store.restore(&forgotten);
    let hold = enlist(&store, "front-1.a").await;
    keep(&store, &hold, 2, None).await;
    store.replay(&purge, 1);
    assert!(store.find(id(2)).await.unwrap().is_some());
}
