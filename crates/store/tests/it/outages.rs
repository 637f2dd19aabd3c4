//! What callers are told while Redis is away, slow, full or not ours.

use std::time::Duration;

use feeway_domain::{Accept, Incarnation, Ledger as _, Settle, Store, StoreFault, Window};
use feeway_store::{RedisConfig, RedisStore, Unusable};
use feeway_testing::PrivateRedis;
use tokio::time::Instant;

use crate::world::{InRedis, at, enlist, id, keep, payment, raw, settlement, until, up};

/// Within this a client has to be answered.
const ANSWER: Duration = Duration::from_secs(1);

#[tokio::test]
async fn away_means_nothing_was_sent_and_is_said_within_a_second() {
    let mut world = InRedis::new(10).await;
    let hold = enlist(&world.store, "front-1.a").await;
    let mut restarts = world.store.redis().restarts();
    let before = *restarts.borrow_and_update();
    world.redis.kill();
    until("it is noticed without any call", || {
        !world.store.redis().is_up()
    })
    .await;
    let began = Instant::now();
    let accepted = world.store.accept(&hold, &payment(1), None).await;
    assert_eq!(accepted, Err(StoreFault::Away));
    assert!(began.elapsed() < ANSWER, "{:?}", began.elapsed());
    let began = Instant::now();
    let summary = world.store.summary(Window::default()).await;
    assert_eq!(summary, Err(StoreFault::Away.into()));
    assert!(began.elapsed() < ANSWER, "{:?}", began.elapsed());
    world.redis.restart();
    up(&world.store).await;
    restarts.changed().await.unwrap();
    assert!(*restarts.borrow() > before);
    assert_eq!(world.store.find(id(1)).await, Ok(None));
    enlist(&world.store, "front-1.b").await;
}

#[tokio::test]
async fn a_payment_waits_for_a_redis_that_is_back_within_half_a_second() {
    let mut world = InRedis::new(10).await;
    let hold = enlist(&world.store, "front-1.a").await;
    world.redis.kill();
    until("it is noticed", || !world.store.redis().is_up()).await;
    let store = world.store.clone();
    let intake = tokio::spawn(async move { store.accept(&hold, &payment(1), None).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.redis.restart();
    let accepted = intake.await.unwrap();
    assert!(matches!(accepted, Ok(Accept::Kept { .. })), "{accepted:?}");
}

#[tokio::test]
async fn a_frozen_redis_leaves_a_write_unknown_within_a_second() {
    let world = InRedis::new(10).await;
    let hold = enlist(&world.store, "front-1.a").await;
    world.redis.pause();
    let began = Instant::now();
    let accepted = world.store.accept(&hold, &payment(1), None).await;
    assert_eq!(accepted, Err(StoreFault::Unknown));
    assert!(began.elapsed() < ANSWER, "{:?}", began.elapsed());
    let began = Instant::now();
    let next = world.store.accept(&hold, &payment(2), None).await;
    assert_eq!(next, Err(StoreFault::Away), "no new connection answers");
    assert!(began.elapsed() < ANSWER, "{:?}", began.elapsed());
    world.redis.resume();
    up(&world.store).await;
    // The write was in the socket: it was carried out late, and repeating it tells.
    let again = world.store.accept(&hold, &payment(1), None).await;
    assert_eq!(again, Ok(Accept::Known));
    keep(&world.store, &hold, 2, None).await;
}

#[tokio::test]
async fn a_lost_connection_is_replaced_and_counted() {
    let world = InRedis::new(10).await;
    let hold = enlist(&world.store, "front-1.a").await;
    let mut restarts = world.store.redis().restarts();
    restarts.borrow_and_update();
    redis::cmd("CLIENT")
        .arg("KILL")
        .arg("SKIPME")
        .arg("yes")
        .arg("TYPE")
        .arg("normal")
        .exec_async(&mut world.raw().await)
        .await
        .unwrap();
    restarts.changed().await.unwrap();
    up(&world.store).await;
    keep(&world.store, &hold, 1, None).await;
}

#[tokio::test]
async fn at_maxmemory_intake_is_refused_and_payments_still_settle() {
    let world = InRedis::new(10).await;
    let hold = enlist(&world.store, "front-1.a").await;
    keep(&world.store, &hold, 1, Some("default")).await;
    let mut raw = world.raw().await;
    let limit = async |memory: &str| {
        redis::cmd("CONFIG")
            .arg("SET")
            .arg("maxmemory")
            .arg(memory)
            .exec_async(&mut raw.clone())
            .await
            .unwrap();
    };
    limit("1").await;
    let refused = world.store.accept(&hold, &payment(2), None).await;
    assert_eq!(refused, Err(StoreFault::Full));
    let done = settlement(1, "default", at("2025-07-15T12:00:00Z"));
    assert_eq!(world.store.settle(&done).await, Ok(Settle::Settled));
    let beat = world.store.beat(std::slice::from_ref(&hold)).await.unwrap();
    assert_eq!(beat.queued, [Some(0)]);
    limit("0").await;
    keep(&world.store, &hold, 2, None).await;
    redis::cmd("PING").exec_async(&mut raw).await.unwrap();
}

#[tokio::test]
async fn functions_that_were_flushed_are_loaded_again() {
    let world = InRedis::new(10).await;
    let hold = enlist(&world.store, "front-1.a").await;
    let mut restarts = world.store.redis().restarts();
    restarts.borrow_and_update();
    redis::cmd("FUNCTION")
        .arg("FLUSH")
        .exec_async(&mut world.raw().await)
        .await
        .unwrap();
    let missing = world.store.find(id(1)).await;
    assert_eq!(missing, Err(StoreFault::Away));
    restarts.changed().await.unwrap();
    up(&world.store).await;
    keep(&world.store, &hold, 1, None).await;
}

#[tokio::test]
async fn other_code_under_the_same_name_is_replaced() {
    let redis = PrivateRedis::start();
    let other = "#!lua name=feeway_v1\nredis.register_function('accept', function() end)";
    redis::cmd("FUNCTION")
        .arg("LOAD")
        .arg(other)
        .exec_async(&mut raw(&redis).await)
        .await
        .unwrap();
    let world = InRedis::on(redis, 10).await;
    let hold = enlist(&world.store, "front-1.a").await;
    keep(&world.store, &hold, 1, None).await;
}

#[tokio::test]
async fn data_of_another_schema_is_refused_for_good() {
    let redis = PrivateRedis::start();
    redis::cmd("SET")
        .arg("{0}:schema")
        .arg("3")
        .exec_async(&mut raw(&redis).await)
        .await
        .unwrap();
    let store = RedisStore::new(RedisConfig::new(redis.url().parse().unwrap()));
    let Err(Unusable::Schema(refused)) = store.redis().ready().await else {
        panic!("it is refused");
    };
    assert_eq!((refused.found.as_str(), refused.known), ("3", "2"));
    let enlisted = store.enlist(&Incarnation::new("front-1.a")).await;
    assert_eq!(enlisted, Err(StoreFault::Away));
}

#[tokio::test]
async fn an_empty_redis_is_given_the_schema() {
    let world = InRedis::new(10).await;
    let schema: String = redis::cmd("GET")
        .arg("{0}:schema")
        .query_async(&mut world.raw().await)
        .await
        .unwrap();
    assert_eq!(schema, "2");
}

#[tokio::test]
async fn a_store_waits_for_a_redis_that_is_started_later() {
    let mut redis = PrivateRedis::start();
    redis.kill();
    let store = RedisStore::new(RedisConfig::new(redis.url().parse().unwrap()));
    let enlisted = store.enlist(&Incarnation::new("front-1.a")).await;
    assert_eq!(enlisted, Err(StoreFault::Away));
    assert!(!store.redis().is_up());
    redis.restart();
    store.redis().ready().await.unwrap();
    up(&store).await;
    assert_eq!(
        *store.redis().restarts().borrow(),
        0,
        "it has not come back, it came"
    );
    enlist(&store, "front-1.a").await;
}

#[tokio::test]
async fn entries_of_one_microsecond_are_paged_by_their_ids() {
    let world = InRedis::new(10).await;
    let hold = enlist(&world.store, "front-1.a").await;
    let mut raw = world.raw().await;
    for number in 0..9 {
        let one = id(number);
        redis::cmd("FCALL")
            .arg("restore_entry")
            .arg(4)
            .arg(&[
                "{0}:open",
                "{0}:settled:none",
                "{0}:rejected:none",
                "{0}:owners",
            ])
            .arg(one.as_bytes())
            .arg("front-1.a||0|1990|1752582896123456")
            .arg(&["front-1.a", "front-1.a", "1"])
            .exec_async(&mut raw)
            .await
            .unwrap();
    }
    let all = world.store.queued(&hold.owner, None, 100).await.unwrap();
    assert_eq!(all.len(), 9);
    for (at, entry) in all.iter().enumerate() {
        let next = world.store.queued(&hold.owner, Some(entry), 2).await;
        assert_eq!(next.unwrap(), all[at + 1..(at + 3).min(9)]);
    }
}
