//! Payments that are settled at the same moment, in one step.

use feeway_domain::{
    Accept, Fee, Ledger as _, Payment, Settle, Settlement, Store, StoreFault, Total, Window,
};
use futures_util::future::join_all;

use crate::group_commit::{calls, reset};
use crate::world::{
    InMemory, InRedis, World, at, enlist, id, keep, micros, payment, processor, settlement, window,
};

const NOON: &str = "2025-07-15T12:00:00Z";

async fn settle_together(
    store: &impl Store,
    settlements: &[Settlement],
) -> Vec<Result<Settle, StoreFault>> {
    join_all(settlements.iter().map(|done| store.settle(done))).await
}

async fn settle_one_by_one(
    store: &impl Store,
    settlements: &[Settlement],
) -> Vec<Result<Settle, StoreFault>> {
    let mut settled = Vec::new();
    for done in settlements {
        settled.push(store.settle(done).await);
    }
    settled
}

async fn booked(store: &impl Store, window: Window, name: &str) -> Total {
    let summary = store.summary(window).await.unwrap();
    summary.of(&processor(name))
}

#[tokio::test]
async fn many_at_once_are_few_steps_and_every_one_is_booked_at_its_instant() {
    let world = InRedis::new(10_000).await;
    let store = &world.store;
    let hold = enlist(store, "front-1.a").await;
    let payments: Vec<Payment> = (0..1_000).map(payment).collect();
    let accepts = payments
        .iter()
        .map(|payment| store.accept(&hold, payment, None));
    let accepted = join_all(accepts).await;
    assert!(accepted.iter().all(Result::is_ok), "{accepted:?}");
    let noon = at(NOON).micros();
    // Over ten seconds.
    let done: Vec<Settlement> = (0..1_000_u64)
        .map(|number| {
            let instant = noon + i64::try_from(number).unwrap() * 10_000;
            settlement(number, "default", micros(instant))
        })
        .collect();
    reset(&world).await;
    let settled = settle_together(store, &done).await;
    assert!(settled.iter().all(|one| *one == Ok(Settle::Settled)));
    let steps = calls(&world, "fcall").await;
    assert!((16..=50).contains(&steps), "{steps} steps");
    assert_eq!(calls(&world, "hsetnx").await, 1_001, "once a quarter, too");
    assert_eq!(store.queued(&hold.owner, None, 10).await, Ok(Vec::new()));
    for (first, last, count) in [(0, 999, 1_000), (0, 0, 1), (7, 7, 1), (150, 449, 300)] {
        let instant = |number: i64| micros(noon + number * 10_000);
        let window = window(instant(first), instant(last));
        let total = booked(store, window, "default").await;
        assert_eq!(
            (total.count, total.cents),
            (count, i128::from(count) * 1_990)
        );
    }
}

#[tokio::test]
async fn settles_without_hurry_wait_to_go_together() {
    let world = InRedis::new(100).await;
    let store = &world.store;
    // The first of a day also notes that the day exists.
    let first = settlement(0, "default", at(NOON));
    assert_eq!(store.settle(&first).await, Ok(Settle::Settled));
    reset(&world).await;
    let settle = |number: u64| async move {
        tokio::time::sleep(std::time::Duration::from_millis(number % 20)).await;
        let done = settlement(number, "default", at(NOON));
        store.settle_unhurried(&done).await
    };
    let settled = join_all((1..=30).map(settle)).await;
    assert!(settled.iter().all(|one| *one == Ok(Settle::Settled)));
    // Where the machine pauses for a moment there may be one more.
    let steps = calls(&world, "fcall").await;
    assert!(steps <= 2, "{steps} steps");
}

#[tokio::test]
async fn each_gets_the_answer_that_it_would_get_alone() {
    let (redis, memory) = (InRedis::new(100).await, InMemory::new(100));
    let noon = at(NOON);
    let together = [
        settlement(1, "default", noon),
        settlement(2, "default", noon),
        settlement(3, "default", noon),
        settlement(4, "default", noon),
        settlement(3, "default", noon),
        settlement(5, "default", noon),
    ];
    let before = [
        settlement(1, "default", noon),
        settlement(2, "fallback", noon),
        settlement(4, "fallback", noon),
        settlement(4, "default", noon),
    ];
    // Of them 3 and 4 are open; 5 never was.
    let hold = enlist(&redis.store, "front-1.a").await;
    settle_one_by_one(&redis.store, &before).await;
    settle_one_by_one(memory.store(), &before).await;
    keep(&redis.store, &hold, 3, Some("default")).await;
    reset(&redis).await;
    let settled = settle_together(&redis.store, &together).await;
    assert_eq!(calls(&redis, "fcall").await, 1);
    assert_eq!(settled, settle_one_by_one(memory.store(), &together).await);
    let first = processor("fallback");
    let expected = [
        Settle::Known,
        Settle::Conflict {
            first: first.clone(),
        },
        Settle::Settled,
        Settle::Conflict { first },
        Settle::Known,
        Settle::Settled,
    ];
    assert_eq!(settled, expected.map(Ok));
    assert_eq!(
        redis.store.queued(&hold.owner, None, 10).await,
        Ok(Vec::new())
    );
    let all = Window::default();
    for name in ["default", "fallback"] {
        let here = booked(&redis.store, all, name).await;
        assert_eq!(here, booked(memory.store(), all, name).await, "{name}");
    }
}

#[tokio::test]
async fn other_processors_hours_and_fees_go_apart_and_other_owners_do_not() {
    let world = InRedis::new(100).await;
    let store = &world.store;
    let holds = [
        enlist(store, "front-1.a").await,
        enlist(store, "front-2.b").await,
    ];
    let later = at("2025-07-15T13:00:00Z");
    let mut done = Vec::new();
    for number in 0..40_u64 {
        let place = usize::try_from(number).unwrap();
        keep(store, &holds[place % 2], number, None).await;
        let name = ["default", "fallback"][place / 2 % 2];
        let instant = [at(NOON), later][place / 4 % 2];
        let mut one = settlement(number, name, instant);
        if place >= 32 {
            one.fee = Fee::from_millionths(60_000).unwrap();
        }
        done.push(one);
    }
    reset(&world).await;
    let settled = settle_together(store, &done).await;
    assert!(settled.iter().all(|one| *one == Ok(Settle::Settled)));
    assert_eq!(calls(&world, "fcall").await, 8);
    for name in ["default", "fallback"] {
        for (from, to) in [
            (NOON, "2025-07-15T12:59:59.999999Z"),
            ("2025-07-15T13:00:00Z", "2025-07-15T13:00:00Z"),
        ] {
            let total = booked(store, window(at(from), at(to)), name).await;
            assert_eq!((total.count, total.cents), (10, 19_900), "{name} {from}");
        }
    }
    let beat = store.beat(&holds).await.unwrap();
    assert_eq!(beat.queued, [Some(0), Some(0)]);
}

#[tokio::test]
async fn of_a_group_that_does_not_fit_a_day_those_are_booked_that_do() {
    let world = InRedis::new(10).await;
    let store = &world.store;
    let hold = enlist(store, "front-1.a").await;
    for number in 1..=3 {
        keep(store, &hold, number, Some("default")).await;
    }
    let first = settlement(0, "default", at(NOON));
    assert_eq!(store.settle(&first).await, Ok(Settle::Settled));
    // Day 14 of the third quarter of 2025, but for one payment as full as it can be.
    redis::cmd("BITFIELD")
        .arg("{0}:sum:default:d:8102")
        .arg(&["INCRBY", "i64", "#29"])
        .arg(i64::MAX - 2 * 1_990)
        .exec_async(&mut world.raw().await)
        .await
        .unwrap();
    // The second comes twice: neither time there is room for it.
    let done = [1, 2, 3, 2].map(|number| settlement(number, "default", at(NOON)));
    reset(&world).await;
    let settled = settle_together(store, &done).await;
    assert_eq!(calls(&world, "fcall").await, 1);
    let unknown = Err(StoreFault::Unknown);
    assert_eq!(settled[0], Ok(Settle::Settled));
    assert!(
        settled[1..].iter().all(|one| *one == unknown),
        "{settled:?}"
    );
    let day = booked(store, Window::default(), "default").await;
    assert_eq!((day.count, day.cents), (2, i128::from(i64::MAX)));
    let hour = window(at(NOON), at("2025-07-15T12:59:59.999999Z"));
    let hour = booked(store, hour, "default").await;
    assert_eq!((hour.count, hour.cents), (2, 3_980));
    let open = store.queued(&hold.owner, None, 10).await.unwrap();
    let open: Vec<_> = open.iter().map(|entry| entry.payment.id).collect();
    assert_eq!(open, [id(2), id(3)]);
}

#[tokio::test]
async fn of_a_new_group_that_does_not_fit_a_day_those_are_booked_that_do() {
    let world = InRedis::new(10).await;
    let store = &world.store;
    let hold = enlist(store, "front-1.a").await;
    for number in 1..=2 {
        keep(store, &hold, number, Some("default")).await;
    }
    redis::cmd("BITFIELD")
        .arg("{0}:sum:default:d:8102")
        .arg(&["SET", "i64", "#29"])
        .arg(i64::MAX - 1_990)
        .exec_async(&mut world.raw().await)
        .await
        .unwrap();
    let done = [1, 2].map(|number| settlement(number, "default", at(NOON)));
    let settled = settle_together(store, &done).await;
    assert_eq!(settled, [Ok(Settle::Settled), Err(StoreFault::Unknown)]);
    // Alone it does not fit either.
    assert_eq!(store.settle(&done[1]).await, Err(StoreFault::Unknown));
    let hour = window(at(NOON), at("2025-07-15T12:59:59.999999Z"));
    assert_eq!(booked(store, hour, "default").await.count, 1);
    let open = store.queued(&hold.owner, None, 10).await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].payment.id, id(2));
}

#[tokio::test]
async fn of_a_closed_hour_none_counts_and_all_are_known() {
    let world = InRedis::new(10).await;
    let store = &world.store;
    let oldest = at("2025-07-15T13:00:00Z");
    redis::cmd("SET")
        .arg("{0}:horizon")
        .arg(oldest.micros())
        .exec_async(&mut world.raw().await)
        .await
        .unwrap();
    let hold = enlist(store, "front-1.a").await;
    keep(store, &hold, 1, Some("default")).await;
    let done: Vec<Settlement> = (1..=3)
        .map(|number| settlement(number, "default", at(NOON)))
        .collect();
    reset(&world).await;
    let settled = settle_together(store, &done).await;
    assert_eq!(calls(&world, "fcall").await, 1);
    assert!(
        settled
            .iter()
            .all(|one| *one == Ok(Settle::TooOld { oldest })),
        "{settled:?}"
    );
    assert_eq!(booked(store, Window::default(), "default").await.count, 0);
    assert_eq!(store.queued(&hold.owner, None, 10).await, Ok(Vec::new()));
    let again = settle_together(store, &done).await;
    assert!(
        again.iter().all(|one| *one == Ok(Settle::Known)),
        "{again:?}"
    );
    let accepted = store.accept(&hold, &payment(2), None).await;
    assert_eq!(accepted, Ok(Accept::Ended));
}

#[tokio::test]
async fn whatever_is_settled_together_sums_up_as_it_would_one_by_one() {
    let (redis, memory) = (InRedis::new(100).await, InMemory::new(100));
    let start = at("2025-07-15T10:59:50Z").micros();
    let mut random = 88_172_645_463_325_252_u64;
    for _ in 0..40 {
        // Few ids, so that many meet again; an instant and a processor are of their own.
        let done: Vec<Settlement> = (0..40)
            .map(|_| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let (number, rank) = (random % 400, random / 400 % 2);
                let instant = start + i64::try_from(number * 2 + rank).unwrap() * 24_999;
                let name = ["default", "fallback"][usize::from(rank == 1)];
                settlement(number, name, micros(instant))
            })
            .collect();
        let settled = settle_together(&redis.store, &done).await;
        assert!(settled.iter().all(Result::is_ok), "{settled:?}");
        settle_one_by_one(memory.store(), &done).await;
    }
    for length in [1_000, 999_999, 7_500_000, 20_000_000] {
        for from in (start..start + 20_000_000).step_by(1_250_000) {
            let window = window(micros(from), micros(from + length));
            for name in ["default", "fallback"] {
                let here = booked(&redis.store, window, name).await;
                assert_eq!(
                    here,
                    booked(memory.store(), window, name).await,
                    "{window:?}"
                );
            }
        }
    }
    let (redis, memory) = (redis.store, memory.store());
    for number in 0..400 {
        let here = redis.find(id(number)).await.unwrap();
        let there = memory.find(id(number)).await.unwrap();
        assert_eq!(here.is_some(), there.is_some(), "{number}");
    }
}
