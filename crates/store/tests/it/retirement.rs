//! How retiring treats Redis: little at a time, and nothing is left behind.

use std::time::Duration;

use feeway_domain::{Ledger as _, LedgerFault, Retire, Store, Window};
use feeway_memory_store::MemoryStore;
use feeway_store::{RedisConfig, RedisStore};
use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;

use crate::world::{InRedis, micros, processor, settlement, up};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

async fn keys(raw: &mut MultiplexedConnection) -> Vec<String> {
    let found = redis::cmd("KEYS").arg("{0}:*").query_async(raw).await;
    let mut keys: Vec<String> = found.unwrap();
    keys.sort();
    keys
}

async fn settle_old(world: &InRedis, payments: u64) {
    let beat = world.store.beat(&[]).await.unwrap();
    let start = (beat.now.micros() - 9 * DAY) / HOUR * HOUR;
    let old = (0..payments).map(|number| {
        let instant = micros(start + i64::try_from(number).unwrap() * 5_000_000);
        let name = ["default", "fallback"][usize::from(number % 3 == 0)];
        settlement(number, name, instant)
    });
    let old: Vec<_> = old.collect();
    for chunk in old.chunks(100) {
        let settled = join_all(chunk.iter().map(|done| world.store.settle(done))).await;
        assert!(settled.iter().all(Result::is_ok));
    }
}

#[tokio::test]
async fn each_step_forgets_few_payments_and_all_of_them_nothing_but_totals() {
    const PAYMENTS: u64 = 1_500;
    let world = InRedis::new(10).await;
    let mut raw = world.raw().await;
    settle_old(&world, PAYMENTS).await;
    // One of them is in conflict.
    let mut other = settlement(1, "third", micros(0));
    other.requested_at = micros(world.store.beat(&[]).await.unwrap().now.micros() - 9 * DAY);
    world.store.settle(&other).await.unwrap();
    let before = world.store.summary(Window::default()).await.unwrap();
    let mut steps = 0;
    let mut known = PAYMENTS;
    while world.store.retire().await.unwrap() == Retire::More {
        steps += 1;
        let meanwhile = world.store.summary(Window::default()).await.unwrap();
        assert_eq!(meanwhile, before, "totals never go back");
        let mut left = 0;
        for key in keys(&mut raw).await {
            if key.starts_with("{0}:settled:") {
                let fields = redis::cmd("HLEN").arg(key).query_async(&mut raw).await;
                left += fields.unwrap_or(0_u64);
            }
        }
        assert!(known - left <= 200, "{known} to {left}");
        known = left;
    }
    assert!(steps >= 7, "{steps}");
    let left = keys(&mut raw).await;
    let expected = [
        "horizon",
        "horizon-retention",
        "processors",
        "run",
        "schema",
        "sum",
    ];
    for key in &left {
        let kind = key.split(':').nth(1).unwrap();
        assert!(expected.contains(&kind) && !key.contains(":s:"), "{left:?}");
    }
    let after = world.store.summary(Window::default()).await.unwrap();
    assert_eq!(after, before);
    assert_eq!(after.of(&processor("third")).count, 1);
}

#[tokio::test]
async fn several_fronts_retire_as_one() {
    let world = InRedis::new(10).await;
    settle_old(&world, 1_000).await;
    let before = world.store.summary(Window::default()).await.unwrap();
    let stores = [world.store.clone(), world.another().await];
    for _ in 0..10 {
        let turns = join_all(stores.iter().map(Store::retire)).await;
        assert!(turns.iter().all(Result::is_ok));
    }
    for store in &stores {
        assert_eq!(store.retire().await, Ok(Retire::Done));
        assert_eq!(store.summary(Window::default()).await, Ok(before.clone()));
    }
}

/// As Redis sees it when its clock is suddenly a year ahead: all that is kept seems old.
#[tokio::test]
async fn a_leap_of_the_clock_closes_an_hour_a_minute_and_not_everything() {
    let world = InRedis::new(10).await;
    let mut raw = world.raw().await;
    settle_old(&world, 10).await;
    let before = world.store.summary(Window::default()).await.unwrap();
    let now = world.store.beat(&[]).await.unwrap().now.micros();
    let horizon = (now - 372 * DAY) / HOUR * HOUR;
    let set = async |raw: &mut MultiplexedConnection, key: &str, micros: i64| {
        let set = redis::cmd("SET").arg(key).arg(micros).exec_async(raw).await;
        set.unwrap();
    };
    let moved = async |raw: &mut MultiplexedConnection| {
        assert_eq!(world.store.retire().await, Ok(Retire::Done));
        let found: i64 = redis::cmd("GET")
            .arg("{0}:horizon")
            .query_async(raw)
            .await
            .unwrap();
        (found - horizon) / HOUR
    };
    set(&mut raw, "{0}:horizon", horizon).await;
    assert_eq!(moved(&mut raw).await, 1);
    assert_eq!(moved(&mut raw).await, 1, "not at once again");
    set(&mut raw, "{0}:horizon-moved", now - 61_000_000).await;
    assert_eq!(moved(&mut raw).await, 2);
    // The clock was set back: the pace is counted from now.
    set(&mut raw, "{0}:horizon-moved", now + 365 * DAY).await;
    assert_eq!(moved(&mut raw).await, 3);
    assert_eq!(moved(&mut raw).await, 3);
    let known = world
        .store
        .find(settlement(1, "default", micros(0)).payment.id);
    assert!(known.await.unwrap().is_some(), "nothing was forgotten");
    let after = world.store.summary(Window::default()).await.unwrap();
    assert_eq!(after, before);
    // Time that has only passed is followed at once.
    set(
        &mut raw,
        "{0}:horizon",
        (now - 8 * DAY) / HOUR * HOUR + HOUR,
    )
    .await;
    assert_eq!(world.store.retire().await, Ok(Retire::Done));
    assert_eq!(moved(&mut raw).await, 365 * 24);
}

/// Fronts with another retention are started one after the other.
#[tokio::test]
async fn a_shorter_retention_is_no_leap_of_the_clock() {
    let world = InRedis::new(10).await;
    let mut raw = world.raw().await;
    let with = async |days: u32| {
        let mut config = RedisConfig::new(world.redis.url().parse().unwrap());
        config.retention = Duration::from_secs(u64::from(days) * 24 * 3_600);
        let store = RedisStore::new(config);
        up(&store).await;
        store
    };
    let horizon = async |raw: &mut MultiplexedConnection| -> i64 {
        let found = redis::cmd("GET").arg("{0}:horizon").query_async(raw).await;
        found.unwrap()
    };
    let (long, short) = (with(30).await, with(2).await);
    let now = world.store.beat(&[]).await.unwrap().now.micros();
    let hours_ago = |horizon: i64| now / HOUR - horizon / HOUR;
    assert_eq!(long.retire().await, Ok(Retire::Done));
    assert_eq!(hours_ago(horizon(&mut raw).await), 30 * 24);
    assert_eq!(short.retire().await, Ok(Retire::Done));
    assert_eq!(hours_ago(horizon(&mut raw).await), 2 * 24);
    // It never goes back, and a leap is a leap whoever sees it.
    assert_eq!(long.retire().await, Ok(Retire::Done));
    assert_eq!(hours_ago(horizon(&mut raw).await), 2 * 24);
    let before = (now - 20 * DAY) / HOUR * HOUR;
    redis::cmd("SET")
        .arg("{0}:horizon")
        .arg(before)
        .exec_async(&mut raw)
        .await
        .unwrap();
    assert_eq!(short.retire().await, Ok(Retire::Done));
    assert_eq!(horizon(&mut raw).await, before + HOUR);
}

#[tokio::test(start_paused = true)]
async fn in_memory_a_leap_is_followed_by_the_hour_as_well() {
    let store = MemoryStore::new(10, RedisConfig::RETENTION);
    // Only where something was settled does a closed hour have to be whole.
    store
        .settle(&settlement(1, "default", micros(1)))
        .await
        .unwrap();
    store.retire().await.unwrap();
    let horizon = async || {
        let instant = Window::new(Some(micros(1)), Some(micros(1))).unwrap();
        match store.summary(instant).await {
            Err(LedgerFault::TooOld { oldest }) => oldest.micros() / HOUR,
            other => panic!("{other:?}"),
        }
    };
    let start = horizon().await;
    tokio::time::advance(Duration::from_secs(3_600 * 24 * 365)).await;
    for (pause, expected) in [(0, 1), (0, 1), (59, 1), (1, 2), (61, 3)] {
        tokio::time::advance(Duration::from_secs(pause)).await;
        store.retire().await.unwrap();
        assert_eq!(horizon().await - start, expected);
    }
}
