//! What a payment costs Redis: commands, time and memory.

use std::collections::BTreeMap;
use std::time::Duration;

use feeway_domain::{Hold, Ledger as _, Store, StoreFault, Window};
use feeway_store::RedisStore;
use futures_util::stream::{self, StreamExt};
use redis::aio::MultiplexedConnection;

use crate::world::{InRedis, at, enlist, id, keep, micros, payment, processor, settlement, window};

const NOON: &str = "2025-07-15T12:00:00Z";

async fn info(raw: &mut MultiplexedConnection, section: &str) -> String {
    redis::cmd("INFO")
        .arg(section)
        .query_async(raw)
        .await
        .unwrap()
}

async fn reset(raw: &mut MultiplexedConnection) {
    redis::cmd("CONFIG")
        .arg("RESETSTAT")
        .exec_async(raw)
        .await
        .unwrap();
}

/// Calls and microseconds per call of every command since the last reset.
async fn commands(raw: &mut MultiplexedConnection) -> BTreeMap<String, (u64, f64)> {
    let stats = info(raw, "commandstats").await;
    let field = |fields: &str, name: &str| {
        let found = fields.split(',').find_map(|field| field.strip_prefix(name));
        found.unwrap().parse::<f64>().unwrap()
    };
    let lines = stats
        .lines()
        .filter_map(|line| line.strip_prefix("cmdstat_"));
    let parsed = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, fields)| {
            let calls = fields.split(',').next().unwrap().strip_prefix("calls=");
            let calls: u64 = calls.unwrap().parse().unwrap();
            (name.to_owned(), (calls, field(fields, "usec_per_call=")))
        });
    parsed
        .filter(|(name, _)| !name.starts_with("config") && name != "info")
        .collect()
}

#[tokio::test]
async fn a_settle_is_at_most_nine_commands_inside() {
    let world = InRedis::new(1_000).await;
    let hold = enlist(&world.store, "front-1.a").await;
    for number in 0..2 {
        keep(&world.store, &hold, number, Some("default")).await;
    }
    let mut raw = world.raw().await;
    // The first of a day also notes that the day exists.
    world
        .store
        .settle(&settlement(0, "default", at(NOON)))
        .await
        .unwrap();
    reset(&mut raw).await;
    world
        .store
        .settle(&settlement(1, "default", at(NOON)))
        .await
        .unwrap();
    let mut inside = commands(&mut raw).await;
    assert_eq!(inside.remove("fcall").map(|(calls, _)| calls), Some(1));
    let calls: u64 = inside.values().map(|(calls, _)| calls).sum();
    assert!(calls <= 9, "{calls}: {inside:?}");
}

#[tokio::test]
async fn a_summary_costs_the_same_for_any_number_of_payments() {
    let world = InRedis::new(1_000).await;
    let mut raw = world.raw().await;
    let start = at(NOON).micros();
    let mut counts = Vec::new();
    for round in 0..2_u64 {
        for number in round * 500..(round + 1) * 500 {
            let instant = start + i64::try_from(number).unwrap() % 500 * 7_000_000;
            let done = settlement(number, "default", micros(instant));
            world.store.settle(&done).await.unwrap();
        }
        world.store.summary(Window::default()).await.unwrap();
        reset(&mut raw).await;
        world.store.summary(Window::default()).await.unwrap();
        let calls: u64 = commands(&mut raw)
            .await
            .values()
            .map(|(calls, _)| calls)
            .sum();
        counts.push(calls);
    }
    // The call itself, and in it the processors, the horizon, one quarter and the time.
    assert_eq!(counts, [5, 5]);
}

#[tokio::test]
async fn cents_that_do_not_fit_a_day_leave_no_trace() {
    let world = InRedis::new(10).await;
    let store = &world.store;
    store
        .settle(&settlement(1, "default", at(NOON)))
        .await
        .unwrap();
    let mut raw = world.raw().await;
    // Day 14 of the third quarter of 2025, as full as it can be.
    redis::cmd("BITFIELD")
        .arg("{0}:sum:default:d:8102")
        .arg(&["INCRBY", "i64", "#29"])
        .arg(i64::MAX - 1_990)
        .exec_async(&mut raw)
        .await
        .unwrap();
    let all = |store: RedisStore| async move {
        let all = store.summary(Window::default()).await.unwrap();
        all.of(&processor("default"))
    };
    let full = all(store.clone()).await;
    assert_eq!((full.count, full.cents), (1, i128::from(i64::MAX)));
    let refused = store.settle(&settlement(2, "default", at(NOON))).await;
    assert_eq!(refused, Err(StoreFault::Unknown));
    assert_eq!(all(store.clone()).await, full);
    assert_eq!(store.find(id(2)).await, Ok(None));
    let noon = window(at(NOON), at("2025-07-15T12:59:59.999999Z"));
    let hour = store.summary(noon).await.unwrap();
    assert_eq!(hour.of(&processor("default")).count, 1);
    let second = window(at(NOON), at("2025-07-15T12:00:00.999999Z"));
    let second = store.summary(second).await.unwrap();
    assert_eq!(second.of(&processor("default")).cents, 1_990);
}

async fn memory(raw: &mut MultiplexedConnection) -> f64 {
    let memory = info(raw, "memory").await;
    let used = memory
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    used.unwrap().parse().unwrap()
}

/// Payments at 300/s: the roll-ups of their seconds are part of the cost.
const PAYMENTS: u64 = 200_000;
const GAP_MICROS: i64 = 3_333;

async fn accept_all(store: &RedisStore, hold: &Hold) {
    let default = processor("default");
    let payments: Vec<_> = (0..PAYMENTS).map(payment).collect();
    stream::iter(&payments)
        .map(async |payment| {
            // Faster than this no front may be, since it keeps 3 s of it to be repeated.
            while let Err(fault) = store.accept(hold, payment, Some(&default)).await {
                assert_eq!(fault, StoreFault::Away);
                tokio::time::sleep(Duration::from_millis(20)).await;
                store.beat(std::slice::from_ref(hold)).await.unwrap();
            }
        })
        .buffer_unordered(256)
        .for_each(async |()| {})
        .await;
}

async fn settle_all(store: &RedisStore) {
    let start = at(NOON).micros();
    let done: Vec<_> = (0..PAYMENTS)
        .map(|number| {
            let instant = start + i64::try_from(number).unwrap() * GAP_MICROS;
            settlement(number, "default", micros(instant))
        })
        .collect();
    stream::iter(&done)
        .map(|done| store.settle(done))
        .buffer_unordered(256)
        .for_each(|settled| async move { assert!(settled.is_ok()) })
        .await;
}

/// The same number of plain writes, sent the same way.
async fn set_all(raw: &MultiplexedConnection) {
    stream::iter(0..PAYMENTS)
        .map(|number| {
            let mut raw = raw.clone();
            async move {
                let key = id(number).to_string();
                let value = "default:1752582896123456:1990:50000";
                let set = redis::cmd("SET").arg(key).arg(value).take();
                set.exec_async(&mut raw).await
            }
        })
        .buffer_unordered(256)
        .for_each(|set| async move { assert!(set.is_ok()) })
        .await;
}

#[tokio::test]
async fn memory_and_time_of_a_payment_stay_within_their_limits() {
    let world = InRedis::new(PAYMENTS).await;
    let mut raw = world.raw().await;
    let hold = enlist(&world.store, "front-1.9f86d081").await;
    let empty = memory(&mut raw).await;
    accept_all(&world.store, &hold).await;
    let payments = f64::from(u32::try_from(PAYMENTS).unwrap());
    let open = (memory(&mut raw).await - empty) / payments;
    reset(&mut raw).await;
    settle_all(&world.store).await;
    let (steps, each) = commands(&mut raw).await["fcall"];
    let steps = f64::from(u32::try_from(steps).unwrap());
    let settle = steps * each / payments;
    let settled = (memory(&mut raw).await - empty) / payments;
    reset(&mut raw).await;
    set_all(&raw).await;
    let (_, set) = commands(&mut raw).await["set"];
    let times = settle / set;
    println!("{open:.0} bytes an open payment, {settled:.0} a settled one");
    println!(
        "settle {settle:.1} us, {:.1} in one step, SET {set:.2} us, {times:.1} times",
        payments / steps
    );
    assert!(open <= 350.0, "{open} bytes an open payment");
    assert!(settled <= 300.0, "{settled} bytes a settled payment");
    // It is about 10 where nothing else runs; a test shares the machine.
    assert!(times <= 50.0, "a settle costs {times} SETs");
}
