//! A key of another type makes a command of a step an error. Then the step is not done by half.

use feeway_domain::{
    Accept, Adopt, CLOCK_SLIP, Hold, Incarnation, Ledger as _, Payment, Proof, Reject, RequestedAt,
    Resolutions, Retire, Settle, Store, StoreFault, Window,
};
use feeway_testing::CaughtLog;
use futures_util::future::join_all;

use crate::conformance_undo::{ONE, now, run};
use crate::never_half::*;
use crate::world::{InRedis, World, at, enlist, id, keep, payment, processor, settlement};

#[tokio::test]
async fn a_payment_is_not_settled_by_half() {
    let [seconds, days] = sums("default");
    let bucket = bucket(1);
    let done = settlement(1, "default", at(NOON));
    let step = async |world: &InRedis| settle(world, &done).await;
    let keys = [OPEN, &bucket, &days, &seconds, HOURS, PROCESSORS, LEDGER];
    let first = async |world: &InRedis| {
        one_open(world).await;
    };
    never_half(&keys, first, step).await;
    let second = async |world: &InRedis| {
        one_open(world).await;
        settle(world, &settlement(2, "default", at(NOON)))
            .await
            .unwrap();
    };
    never_half(&[OPEN, &bucket, &days, &seconds, LEDGER], second, step).await;
}

#[tokio::test]
async fn a_conflict_is_not_booked_by_half() {
    let [seconds, days] = sums("fallback");
    let bucket = bucket(1);
    let step = async |world: &InRedis| settle(world, &settlement(1, "fallback", at(NOON))).await;
    let prepare = async |world: &InRedis| {
        settle(world, &settlement(1, "default", at(NOON)))
            .await
            .unwrap();
    };
    let keys = [
        &bucket,
        &days,
        &seconds,
        HOURS,
        PROCESSORS,
        LEDGER,
        "{0}:conflicts",
        "{0}:conflicted",
    ];
    never_half(&keys, prepare, step).await;
}

#[tokio::test]
async fn what_comes_too_late_is_not_laid_aside_by_half() {
    let world = InRedis::new(100).await;
    let hour = now(&world.store).await.micros() / 3_600_000_000;
    let (ledger, bucket) = (format!("{{0}}:ledger:{hour}"), bucket(1));
    let prepare = async |world: &InRedis| {
        while world.store.retire().await.unwrap() != Retire::Done {}
        one_open(world).await;
    };
    let step = async |world: &InRedis| {
        let settled = world
            .store
            .settle(&settlement(1, "default", RequestedAt::MIN))
            .await?;
        let is_late = matches!(settled, Settle::TooOld { .. } | Settle::Known);
        assert!(is_late, "{settled:?}");
        Ok(())
    };
    never_half_of_closed(&[&bucket, HOURS, &ledger], prepare, step).await;
}

/// As [`never_half`], where summaries cannot be asked for what is closed.
async fn never_half_of_closed(
    keys_of_step: &[&str],
    prepare: impl AsyncFn(&InRedis),
    step: impl AsyncFn(&InRedis) -> Result<(), StoreFault>,
) {
    for key in keys_of_step {
        let world = InRedis::new(100).await;
        prepare(&world).await;
        let before = world.store.find(id(1)).await.unwrap();
        put_foreign(&world, key).await;
        assert_eq!(step(&world).await, Err(StoreFault::Unknown), "{key}");
        take_foreign(&world, key).await;
        assert_eq!(world.store.find(id(1)).await.unwrap(), before, "{key}");
        // Nobody would ever forget it.
        assert!(keys(&world, "{0}:ledger:*").await.is_empty(), "{key}");
        assert_eq!(step(&world).await, Ok(()), "{key}");
        assert_ne!(world.store.find(id(1)).await.unwrap(), before, "{key}");
    }
}

#[tokio::test]
async fn a_payment_ends_whatever_its_owners_notes_are() {
    for key in [QUEUE, "{0}:answered:front-1.a"] {
        for is_settled in [true, false] {
            let world = InRedis::new(100).await;
            let hold = one_open(&world).await;
            put_foreign(&world, key).await;
            if is_settled {
                let done = settlement(1, "default", at(NOON));
                assert_eq!(world.store.settle(&done).await, Ok(Settle::Settled));
            } else {
                let rejected = world.store.reject(&hold, &payment(1), "402").await;
                assert_eq!(rejected, Ok(Reject::Rejected));
            }
            call(&world, &["DEL", key]).await;
            let case = world.store.case(id(1)).await.unwrap().unwrap();
            assert_eq!((case.custody, case.lines.len()), (None, 1));
        }
    }
}

#[tokio::test]
async fn of_a_group_only_the_one_whose_bucket_is_none_is_not_settled() {
    let world = InRedis::new(100).await;
    let store = &world.store;
    let hold = enlist(store, "front-1.a").await;
    for number in 0..4 {
        keep(store, &hold, number, Some("default")).await;
    }
    let bucket = bucket(1);
    put_foreign(&world, &bucket).await;
    let log = CaughtLog::start();
    // One of them twice.
    let done = [0, 1, 2, 1, 3].map(|number| settlement(number, "default", at(NOON)));
    let settled = join_all(done.iter().map(|done| store.settle(done))).await;
    let expected = [
        Ok(Settle::Settled),
        Err(StoreFault::Unknown),
        Ok(Settle::Settled),
        Err(StoreFault::Unknown),
        Ok(Settle::Settled),
    ];
    assert_eq!(settled, expected);
    let lines = log.lines("ERROR", "Redis could not settle a payment");
    assert_eq!(lines.len(), 2, "{}", log.text());
    assert!(lines.iter().all(|line| line.contains(&id(1).to_string())));
    let open = store.queued(&hold.owner, None, 10).await.unwrap();
    let open: Vec<_> = open.iter().map(|entry| entry.payment.id).collect();
    assert_eq!(open, [id(1)]);
    let count = async || {
        let summary = store.summary(Window::default()).await.unwrap();
        summary.of(&processor("default")).count
    };
    assert_eq!(count().await, 3);
    take_foreign(&world, &bucket).await;
    assert_eq!(store.settle(&done[1]).await, Ok(Settle::Settled));
    assert_eq!(count().await, 4);
}

/// A sum that is none keeps all of a group, and leaves all of them open.
#[tokio::test]
async fn of_a_group_whose_sums_are_none_nothing_is_settled() {
    for key in sums("default").iter().map(String::as_str).chain([LEDGER]) {
        let world = InRedis::new(100).await;
        let store = &world.store;
        let hold = enlist(store, "front-1.a").await;
        let done = [1, 2, 3].map(|number| settlement(number, "default", at(NOON)));
        for number in 1..=3 {
            keep(store, &hold, number, Some("default")).await;
        }
        let before = told(&world).await;
        put_foreign(&world, key).await;
        let settle = || join_all(done.iter().map(|done| store.settle(done)));
        let unknown = Err(StoreFault::Unknown);
        assert!(settle().await.iter().all(|one| *one == unknown), "{key}");
        take_foreign(&world, key).await;
        assert_eq!(told(&world).await, before, "{key}");
        let settled = settle().await;
        assert!(settled.iter().all(|one| *one == Ok(Settle::Settled)));
    }
}

#[tokio::test]
async fn a_payment_is_not_accepted_by_half() {
    let bucket = bucket(1);
    let keys = [OPEN, QUEUE, FRONT, "{0}:rejections", &bucket];
    let prepare = async |world: &InRedis| {
        enlist(&world.store, "front-1.a").await;
    };
    let step = async |world: &InRedis| {
        let hold = Hold {
            owner: Incarnation::new("front-1.a"),
            holder: Incarnation::new("front-1.a"),
            epoch: 1,
        };
        let accepted = world.store.accept(&hold, &payment(1), None).await?;
        assert!(matches!(accepted, Accept::Kept { .. }), "{accepted:?}");
        Ok(())
    };
    never_half(&keys, prepare, step).await;
}

#[tokio::test]
async fn of_an_intake_only_the_one_that_cannot_be_looked_up_fails() {
    let world = InRedis::new(100).await;
    let store = &world.store;
    let hold = enlist(store, "front-1.a").await;
    let [settled, rejected] = [2, 3].map(payment);
    keep(store, &hold, 3, None).await;
    store.reject(&hold, &rejected, "402").await.unwrap();
    store.resign(&hold).await.unwrap();
    let noon = at("2025-06-15T12:00:00Z");
    let stated = settlement(2, "default", noon);
    let run = run(ONE, 1);
    let slip = CLOCK_SLIP;
    store
        .settle_stated(&stated, &run, slip, &Proof::Silence)
        .await
        .unwrap();
    let rejection = format!("{{0}}:rejected:{}", rejected.id);
    let (first, stated) = (bucket(1), format!("{{0}}:stated:{ONE}"));
    for (key, number) in [
        (&first[..], 1),
        (&rejection, 3),
        ("{0}:settling-runs", 2),
        (&stated, 2),
    ] {
        put_foreign(&world, key).await;
        let other = payment(10 + number);
        let asked = [
            other,
            [payment(1), settled, rejected][usize::try_from(number).unwrap() - 1],
        ];
        let asked: Vec<(Payment, _)> = asked.into_iter().map(|payment| (payment, None)).collect();
        let log = CaughtLog::start();
        let accepted = store.accept_many(&hold, &asked).await;
        let is_kept = matches!(accepted[0], Ok(Accept::Kept { .. } | Accept::Known));
        assert!(is_kept, "{key}: {accepted:?}");
        assert_eq!(accepted[1], Err(StoreFault::Unknown), "{key}");
        assert_eq!(
            log.lines("ERROR", &id(number).to_string()).len(),
            1,
            "{key}"
        );
        take_foreign(&world, key).await;
        assert!(store.accept_many(&hold, &asked).await[1].is_ok(), "{key}");
    }
}

#[tokio::test]
async fn a_payment_is_not_rejected_by_half() {
    let prepare = async |world: &InRedis| {
        one_open(world).await;
    };
    let step = async |world: &InRedis| {
        let hold = enlist(&world.store, "front-1.a").await;
        world
            .store
            .reject(&hold, &payment(1), "402")
            .await
            .map(|_| ())
    };
    never_half(&[OPEN, "{0}:rejections"], prepare, step).await;
}

/// What a front repeats is not done by half either.
#[tokio::test]
async fn a_rejection_is_not_repeated_by_half() {
    let world = InRedis::new(100).await;
    one_open(&world).await;
    let (settled, rejected) = (bucket(1), format!("{{0}}:rejected:{}", id(1)));
    let before = told(&world).await;
    let restore = async || {
        let mut call = redis::cmd("FCALL");
        call.arg("restore_reject").arg(3);
        call.arg(&[OPEN, &settled, &rejected]);
        call.arg(id(1).as_bytes());
        call.arg(&["1990", "402", "60000", "17", "0", "0"]);
        let mut raw = world.raw().await;
        call.query_async::<Vec<String>>(&mut raw).await
    };
    put_foreign(&world, "{0}:rejections").await;
    restore().await.unwrap_err();
    take_foreign(&world, "{0}:rejections").await;
    assert_eq!(told(&world).await, before);
    assert_eq!(restore().await.unwrap(), ["rejected"]);
}

/// Nobody would ever adopt what an owner that is not among them leaves behind.
#[tokio::test]
async fn a_damaged_set_of_owners_refuses_a_hold() {
    let world = InRedis::new(100).await;
    let restore = async || {
        let mut call = redis::cmd("FCALL");
        call.arg("restore_hold").arg(3);
        call.arg(&[OWNERS, FRONT, "{0}:epoch"]);
        call.arg(&["front-1.a", "front-1.a", "7"]);
        let mut raw = world.raw().await;
        call.query_async::<Vec<String>>(&mut raw).await
    };
    put_foreign(&world, OWNERS).await;
    restore().await.unwrap_err();
    world
        .store
        .enlist(&Incarnation::new("front-2.b"))
        .await
        .unwrap_err();
    take_foreign(&world, OWNERS).await;
    assert_eq!(restore().await.unwrap(), ["restored"]);
    world.owners_fall_silent().await;
    let owner = Incarnation::new("front-1.a");
    let adopted = world
        .store
        .adopt(&owner, &Incarnation::new("front-3.c"))
        .await;
    assert!(matches!(adopted, Ok(Adopt::Adopted(_))), "{adopted:?}");
}

/// One payment whose bucket is none does not keep the others for ever.
#[tokio::test]
async fn damaged_keys_do_not_stop_retirement() {
    let world = InRedis::new(100).await;
    let store = &world.store;
    for number in 1..=3 {
        settle(&world, &settlement(number, "default", RequestedAt::MIN))
            .await
            .unwrap();
    }
    let bucket = bucket(2);
    put_foreign(&world, &bucket).await;
    while store.retire().await.unwrap() != Retire::Done {}
    assert!(!exists(&world, "{0}:ledger:0").await);
    for number in [1, 3] {
        assert_eq!(store.find(id(number)).await, Ok(None));
    }
}
