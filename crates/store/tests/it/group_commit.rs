//! Payments that are accepted at the same moment, in one step.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use feeway_domain::{Accept, Incarnation, Payment, Reject, Settle, Store, StoreFault};
use futures_util::future::{FutureExt as _, join_all};
use tokio::time::{Instant, sleep};

use crate::world::{InRedis, at, cents, enlist, keep, payment, processor, settlement, up};

/// How often each command ran since the statistics were reset, and what only looks at
/// them.
pub(crate) async fn calls(world: &InRedis, name: &str) -> u64 {
    let stats: String = redis::cmd("INFO")
        .arg("commandstats")
        .query_async(&mut world.raw().await)
        .await
        .unwrap();
    let start = format!("cmdstat_{name}:calls=");
    let line = stats.lines().find_map(|line| line.strip_prefix(&start));
    let number = line.and_then(|line| line.split(',').next());
    number.map_or(0, |number| number.parse().unwrap())
}

pub(crate) async fn reset(world: &InRedis) {
    redis::cmd("CONFIG")
        .arg("RESETSTAT")
        .exec_async(&mut world.raw().await)
        .await
        .unwrap();
}

#[tokio::test]
async fn many_at_once_are_few_steps_and_one_alone_is_one() {
    let world = InRedis::new(10_000).await;
    let hold = enlist(&world.store, "front-1.a").await;
    reset(&world).await;
    keep(&world.store, &hold, 0, None).await;
    assert_eq!(calls(&world, "fcall").await, 1);
    // One look-up of the settled each, seven for all.
    for once in ["hmget", "zmscore", "hlen", "time", "hget", "zadd", "hset"] {
        let times = if once == "hmget" { 2 } else { 1 };
        assert_eq!(calls(&world, once).await, times, "{once}");
    }

    reset(&world).await;
    let payments: Vec<Payment> = (1..=1_000).map(payment).collect();
    let default = processor("default");
    let accepts = payments
        .iter()
        .map(|payment| world.store.accept(&hold, payment, Some(&default)));
    let accepted = join_all(accepts).await;
    let kept = accepted
        .iter()
        .filter(|accepted| matches!(accepted, Ok(Accept::Kept { .. })));
    assert_eq!(kept.count(), 1_000, "{accepted:?}");
    let steps = calls(&world, "fcall").await;
    assert!(
        (16..=50).contains(&steps),
        "{steps} steps for 1 000 payments"
    );
    let queued = world.store.queued(&hold.owner, None, 2_000).await.unwrap();
    assert_eq!(queued.len(), 1_001);
    assert!(queued[1..].iter().all(|entry| entry.processor.is_some()));
}

#[tokio::test]
async fn what_is_together_already_goes_in_steps_of_64() {
    let world = InRedis::new(1_000).await;
    let store = &world.store;
    let hold = enlist(store, "front-1.a").await;
    let default = processor("default");
    keep(store, &hold, 150, None).await;
    let mut payments: Vec<_> = (0..200)
        .map(|number| (payment(number), (number % 2 == 0).then_some(&default)))
        .collect();
    payments[149].0.amount = cents(1);
    payments[199] = payments[149];
    payments[199].0.amount = cents(2);
    reset(&world).await;
    let accepted = store.accept_many(&hold, &payments).await;
    assert_eq!(calls(&world, "fcall").await, 4);
    assert_eq!(accepted.len(), 200);
    for (number, accept) in accepted.iter().enumerate() {
        match number {
            150 => assert_eq!(*accept, Ok(Accept::Known)),
            199 => assert_eq!(*accept, Ok(Accept::AmountDiffers)),
            _ => assert!(matches!(accept, Ok(Accept::Kept { .. })), "{accept:?}"),
        }
    }
    let queued = store.queued(&hold.owner, None, 1_000).await.unwrap();
    assert_eq!(queued.len(), 199);
    for entry in queued.iter().filter(|entry| entry.payment != payment(150)) {
        let number = payments
            .iter()
            .position(|(payment, _)| *payment == entry.payment)
            .unwrap();
        assert_eq!(entry.processor.as_ref(), payments[number].1, "{number}");
    }
    assert_eq!(store.accept_many(&hold, &[]).await, []);
}

/// For a second, since the part of a second has zeros to keep in a tenth of all cases.
#[tokio::test]
async fn the_time_of_an_intake_is_that_of_the_clock() {
    let world = InRedis::new(1_000).await;
    let hold = enlist(&world.store, "front-1.a").await;
    let micros = || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        i64::try_from(now.as_micros()).unwrap()
    };
    for number in 0..55 {
        let before = micros();
        let accepted = world.store.accept(&hold, &payment(number), None).await;
        let after = micros();
        let Ok(Accept::Kept { accepted_at }) = accepted else {
            panic!("{accepted:?}");
        };
        let at = accepted_at.micros();
        assert!((before..=after).contains(&at), "{before} {at} {after}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_id_that_comes_twice_at_once_meets_itself() {
    let world = InRedis::new(100).await;
    let hold = enlist(&world.store, "front-1.a").await;
    let mut other_amount = payment(1);
    other_amount.amount = cents(1);
    let payments = [payment(1), payment(1), other_amount, payment(2)];
    let accepts = payments
        .iter()
        .map(|payment| world.store.accept(&hold, payment, None));
    let accepted = join_all(accepts).await;
    assert!(matches!(accepted[0], Ok(Accept::Kept { .. })));
    assert_eq!(accepted[1], Ok(Accept::Known));
    assert_eq!(accepted[2], Ok(Accept::AmountDiffers));
    assert!(matches!(accepted[3], Ok(Accept::Kept { .. })));
    let queued = world.store.queued(&hold.owner, None, 10).await.unwrap();
    assert_eq!(queued.len(), 2);
}

#[tokio::test]
async fn each_gets_the_answer_that_it_would_get_alone() {
    let world = InRedis::new(4).await;
    let store = &world.store;
    let hold = enlist(store, "front-1.a").await;
    for number in 1..=3 {
        keep(store, &hold, number, None).await;
    }
    let noon = at("2025-07-15T12:00:00Z");
    let settled = store.settle(&settlement(1, "default", noon)).await;
    assert_eq!(settled, Ok(Settle::Settled));
    let rejected = store.reject(&hold, &payment(2), "a test").await;
    assert_eq!(rejected, Ok(Reject::Rejected));
    let of_another_amount = |number| Payment {
        amount: cents(5),
        ..payment(number)
    };
    // One is open and there is room for four.
    let payments = [
        payment(1),
        of_another_amount(1),
        payment(2),
        of_another_amount(2),
        payment(3),
        of_another_amount(3),
        payment(4),
        payment(5),
        payment(6),
        payment(7),
        payment(8),
    ];
    let accepts = payments
        .iter()
        .map(|payment| store.accept(&hold, payment, None));
    let words: Vec<&str> = join_all(accepts)
        .await
        .into_iter()
        .map(|accepted| match accepted.unwrap() {
            Accept::Kept { .. } => "kept",
            Accept::Known => "known",
            Accept::Ended => "ended",
            Accept::AmountDiffers => "differs",
            Accept::Full => "full",
            Accept::Fenced => "fenced",
        })
        .collect();
    let expected = [
        "ended", "differs", "ended", "differs", "known", "differs", "kept", "kept", "kept", "full",
        "full",
    ];
    assert_eq!(words, expected);
}

#[tokio::test]
async fn a_hold_that_was_lost_takes_no_other_with_it() {
    let world = InRedis::new(100).await;
    let store = &world.store;
    let holds = [
        enlist(store, "front-1.a").await,
        enlist(store, "front-1.b").await,
    ];
    let mut lost = holds[0].clone();
    lost.holder = Incarnation::new("front-9.z");
    let payments: Vec<Payment> = (0..30).map(payment).collect();
    let accepts = payments.iter().enumerate().map(|(at, payment)| {
        let hold = [&holds[0], &lost, &holds[1]][at % 3];
        store.accept(hold, payment, None)
    });
    for (at, accepted) in join_all(accepts).await.into_iter().enumerate() {
        match at % 3 {
            1 => assert_eq!(accepted, Ok(Accept::Fenced)),
            _ => assert!(matches!(accepted, Ok(Accept::Kept { .. })), "{accepted:?}"),
        }
    }
    for hold in &holds {
        let queued = store.queued(&hold.owner, None, 100).await.unwrap();
        assert_eq!(queued.len(), 10);
    }
}

/// More than fit into the steps that are under way at a time.
const MANY: u64 = 400;

#[tokio::test]
async fn a_redis_that_stalls_for_a_moment_keeps_all_that_came_meanwhile() {
    let world = InRedis::new(1_000).await;
    let store = &world.store;
    let hold = enlist(store, "front-1.a").await;
    world.redis.pause();
    let payments: Vec<Payment> = (0..MANY).map(payment).collect();
    let accepts = payments
        .iter()
        .map(|payment| store.accept(&hold, payment, None));
    let stall = async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        world.redis.resume();
    };
    let (accepted, ()) = tokio::join!(join_all(accepts), stall);
    let kept = accepted
        .iter()
        .filter(|accepted| matches!(accepted, Ok(Accept::Kept { .. })));
    assert_eq!(kept.count(), payments.len(), "{accepted:?}");
}

#[tokio::test]
async fn a_frozen_redis_leaves_all_of_them_unknown_within_a_second() {
    let world = InRedis::new(1_000).await;
    let store = &world.store;
    let hold = enlist(store, "front-1.a").await;
    world.redis.pause();
    let payments: Vec<Payment> = (0..MANY).map(payment).collect();
    let began = Instant::now();
    let accepts = payments
        .iter()
        .map(|payment| store.accept(&hold, payment, None));
    let accepted = join_all(accepts).await;
    assert!(began.elapsed() < Duration::from_secs(1));
    let unknown = Err(StoreFault::Unknown);
    assert!(accepted.iter().all(|accepted| *accepted == unknown));
    world.redis.resume();
    up(store).await;
    // Redis carries out what it has read when it finds that nobody reads its answers. That may
    // be less than all: it reads 16 KB at a time.
    let mut known = 0;
    for payment in &payments {
        match store.accept(&hold, payment, None).await {
            Ok(Accept::Known) => known += 1,
            Ok(Accept::Kept { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(known > 0, "none was in the socket");
    let queued = store.queued(&hold.owner, None, 1_000).await.unwrap();
    assert_eq!(queued.len(), payments.len());
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_nothing_back() {
    let world = InRedis::new(100).await;
    let store = &world.store;
    let hold = enlist(store, "front-1.a").await;
    let (first, second) = (payment(1), payment(2));
    let gone = store.accept(&hold, &first, None).now_or_never();
    assert_eq!(gone, None);
    let accepted = store.accept(&hold, &second, None).await;
    assert!(matches!(accepted, Ok(Accept::Kept { .. })));
    let again = store.accept(&hold, &first, None).await;
    assert_eq!(again, Ok(Accept::Known));
}
