//! A Redis that can be reached and refuses work: a replica, one whose disk or memory is full,
//! one that lacks replicas, one that has taken rights away.

use std::time::Duration;

use feeway_domain::{
    Accept, Cause, Hold, Ledger as _, Listed, Listing, Resolutions as _, Settle, Status, Store,
    StoreFault, Window,
};
use feeway_store::RedisStore;
use feeway_testing::CaughtLog;
use feeway_testing::{Persistence, PrivateRedis};
use tokio::time::sleep;

use crate::world::{InRedis, at, enlist, id, keep, payment, raw, settlement, until, up};

async fn config(redis: &PrivateRedis, name: &str, value: &str) {
    redis::cmd("CONFIG")
        .arg(&["SET", name, value])
        .exec_async(&mut raw(redis).await)
        .await
        .unwrap();
}

async fn replica_of(redis: &PrivateRedis, of: &[&str; 2]) {
    redis::cmd("REPLICAOF")
        .arg(of)
        .exec_async(&mut raw(redis).await)
        .await
        .unwrap();
}

fn why(store: &RedisStore) -> String {
    store.redis().standstill().why().unwrap_or_default()
}

/// Writes, as a front does all the time, until it is known that this is refused or taken.
async fn until_it_stands_still(store: &RedisStore, hold: &Hold, is_on: bool) {
    for _ in 0..2_000 {
        let beat = store.beat(std::slice::from_ref(hold)).await;
        if store.redis().standstill().is_on() == is_on && beat.is_ok() != is_on {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("it {is_on}: {}", why(store));
}

#[tokio::test]
async fn a_demoted_redis_is_given_up_and_one_that_was_promoted_is_found() {
    let log = CaughtLog::start();
    let world = InRedis::new(10).await;
    let hold = enlist(&world.store, "front-1.a").await;
    keep(&world.store, &hold, 1, None).await;
    replica_of(&world.redis, &["127.0.0.1", "1"]).await;
    let refused = world.store.accept(&hold, &payment(2), None).await;
    assert_eq!(refused, Err(StoreFault::Away));
    assert!(
        why(&world.store).contains("READONLY"),
        "{}",
        why(&world.store)
    );
    until("no link for writes is kept", || {
        !world.store.redis().is_up()
    })
    .await;
    // It goes on asking, and what is known can be read meanwhile.
    sleep(Duration::from_millis(500)).await;
    assert!(
        why(&world.store).contains("replica"),
        "{}",
        why(&world.store)
    );
    let found = world.store.find(id(1)).await.unwrap();
    assert!(found.is_some());
    replica_of(&world.redis, &["NO", "ONE"]).await;
    up(&world.store).await;
    assert!(!world.store.redis().standstill().is_on());
    keep(&world.store, &hold, 2, None).await;
    let refused = log.lines("WARN", "Redis refuses writes").len();
    assert!((1..=2).contains(&refused), "{}", log.text());
    assert_eq!(log.lines("INFO", "Redis accepts writes again").len(), 1);
}

/// Nothing tells the client that another server is behind the address by now. Its link for
/// reading follows as well: what it read of the old one would be stale.
#[tokio::test]
async fn both_links_go_to_the_server_that_took_over() {
    let (old, new) = (PrivateRedis::start(), PrivateRedis::start());
    let door = old.socket().with_file_name("door.sock");
    let lead_to = |redis: &PrivateRedis| {
        drop(std::fs::remove_file(&door));
        std::os::unix::fs::symlink(redis.socket(), &door).unwrap();
    };
    lead_to(&old);
    let url = format!("unix://{}", door.display()).parse().unwrap();
    let store = RedisStore::new(feeway_store::RedisConfig::new(url));
    up(&store).await;
    let hold = enlist(&store, "front-1.a").await;
    keep(&store, &hold, 1, None).await;
    lead_to(&new);
    replica_of(&old, &["127.0.0.1", "1"]).await;
    until_it_stands_still(&store, &hold, true).await;
    until_it_stands_still(&store, &hold, false).await;
    // The other one missed what was kept a moment ago, so that it was repeated there.
    let again = store.accept(&hold, &payment(1), None).await;
    assert_eq!(again, Ok(Accept::Known));
    keep(&store, &hold, 2, None).await;
    assert!(store.find(id(2)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_redis_that_lacks_replicas_is_asked_again_on_the_same_link() {
    let log = CaughtLog::start();
    let world = InRedis::new(10).await;
    let hold = enlist(&world.store, "front-1.a").await;
    keep(&world.store, &hold, 1, None).await;
    config(&world.redis, "min-replicas-to-write", "1").await;
    until_it_stands_still(&world.store, &hold, true).await;
    for _ in 0..5 {
        let refused = world.store.accept(&hold, &payment(2), None).await;
        assert_eq!(refused, Err(StoreFault::Away));
    }
    assert!(
        world.store.redis().is_up(),
        "another link would be no better"
    );
    assert!(
        why(&world.store).contains("NOREPLICAS"),
        "{}",
        why(&world.store)
    );
    assert!(world.store.find(id(1)).await.unwrap().is_some());
    config(&world.redis, "min-replicas-to-write", "0").await;
    until_it_stands_still(&world.store, &hold, false).await;
    keep(&world.store, &hold, 2, None).await;
    for line in ["Redis refuses writes", "Redis accepts writes again"] {
        assert_eq!(log.text().matches(line).count(), 1, "{}", log.text());
    }
}

/// A full disk is played by a folder into which no snapshot can be written.
#[tokio::test]
async fn a_redis_that_cannot_write_to_its_disk_is_named() {
    let options = ["--save", "3600 1", "--dbfilename", "dump.rdb"];
    let redis = PrivateRedis::start_with(Persistence::None, &options);
    let world = InRedis::on(redis, 10).await;
    let hold = enlist(&world.store, "front-1.a").await;
    keep(&world.store, &hold, 1, None).await;
    let in_the_way = world.redis.socket().with_file_name("dump.rdb");
    std::fs::create_dir_all(in_the_way.join("full")).unwrap();
    redis::cmd("BGSAVE")
        .exec_async(&mut world.raw().await)
        .await
        .unwrap();
    until_it_stands_still(&world.store, &hold, true).await;
    assert!(
        why(&world.store).contains("MISCONF"),
        "{}",
        why(&world.store)
    );
    assert!(world.store.find(id(1)).await.unwrap().is_some());
    std::fs::remove_dir_all(&in_the_way).unwrap();
    redis::cmd("BGSAVE")
        .exec_async(&mut world.raw().await)
        .await
        .unwrap();
    until_it_stands_still(&world.store, &hold, false).await;
    keep(&world.store, &hold, 2, None).await;
}

#[tokio::test]
async fn at_maxmemory_everything_but_a_new_payment_goes_on() {
    let log = CaughtLog::start();
    let world = InRedis::new(10).await;
    let store = &world.store;
    let hold = enlist(store, "front-1.a").await;
    for number in 1..=3 {
        keep(store, &hold, number, Some("default")).await;
    }
    let noon = at("2025-07-15T12:00:00Z");
    store.settle(&settlement(1, "default", noon)).await.unwrap();
    config(&world.redis, "maxmemory", "1").await;
    for _ in 0..3 {
        let refused = store.accept(&hold, &payment(4), None).await;
        assert_eq!(refused, Err(StoreFault::Full));
    }
    assert_eq!(
        store.accept(&hold, &payment(1), None).await,
        Ok(Accept::Ended)
    );
    assert_eq!(
        store.accept(&hold, &payment(2), None).await,
        Ok(Accept::Known)
    );
    let mut other = payment(2);
    other.amount = crate::world::cents(1);
    let differs = store.accept(&hold, &other, None).await;
    assert_eq!(differs, Ok(Accept::AmountDiffers));
    let found = store.find(id(1)).await.unwrap().unwrap();
    assert!(matches!(found.status, Status::Settled { .. }), "{found:?}");
    let summary = store.summary(Window::default()).await.unwrap();
    assert_eq!(summary.0.len(), 1);
    for listed in [Listed::Settled, Listed::Open, Listed::Conflict] {
        let listing = Listing {
            listed,
            window: Window::default(),
            after: None,
            limit: 10,
        };
        store.list(&listing).await.unwrap();
    }
    let case = store.case(id(2)).await.unwrap().unwrap();
    assert!(case.custody.is_some());
    let settled = store.settle(&settlement(2, "default", noon)).await;
    assert_eq!(settled, Ok(Settle::Settled));
    assert!(store.redis().standstill().has(Cause::Memory) && !store.redis().standstill().is_on());
    config(&world.redis, "maxmemory", "0").await;
    keep(store, &hold, 4, None).await;
    until_has_memory(store).await;
    for line in ["Redis is out of memory", "Redis has memory again"] {
        assert_eq!(log.text().matches(line).count(), 1, "{}", log.text());
    }
}

/// It is said only when no payment was refused for ten seconds.
async fn until_has_memory(store: &RedisStore) {
    for _ in 0..200 {
        if !store.redis().standstill().has(Cause::Memory) {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("it is still full: {}", why(store));
}

#[tokio::test]
async fn rights_that_were_taken_away_are_named() {
    let world = InRedis::new(10).await;
    let hold = enlist(&world.store, "front-1.a").await;
    let mut raw = world.raw().await;
    let mut set_user = async |rule: &str| {
        redis::cmd("ACL")
            .arg(&["SETUSER", "default", rule])
            .exec_async(&mut raw)
            .await
            .unwrap();
    };
    set_user("-fcall").await;
    until_it_stands_still(&world.store, &hold, true).await;
    assert!(
        why(&world.store).contains("NOPERM"),
        "{}",
        why(&world.store)
    );
    set_user("+fcall").await;
    until_it_stands_still(&world.store, &hold, false).await;
    keep(&world.store, &hold, 1, None).await;
}
