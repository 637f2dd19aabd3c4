//! Nor is what an operator decides done by half when a key has another type.

use std::time::Duration;

use feeway_domain::{
    Incarnation, Ledger as _, Proof, Reopen, Resolutions, Resolve, Store, StoreFault, Total, Undo,
    Verdict, Window,
};

use crate::conformance_undo::{ONE, run};
use crate::never_half::*;
use crate::world::{InRedis, at, enlist, id, payment, processor, settlement};

#[tokio::test]
async fn a_rejection_is_not_taken_back_by_half() {
    let (bucket, rejected) = (bucket(1), format!("{{0}}:rejected:{}", id(1)));
    let keys = [
        OPEN,
        &bucket,
        &rejected,
        OWNERS,
        "{0}:epoch",
        "{0}:queue:feeway-ctl.1",
        "{0}:rejections",
        "{0}:resolutions",
    ];
    let prepare = async |world: &InRedis| {
        let hold = one_open(world).await;
        world.store.reject(&hold, &payment(1), "402").await.unwrap();
    };
    let step = async |world: &InRedis| {
        let owner = Incarnation::new("feeway-ctl.1");
        let reopened = world.store.reopen(id(1), &owner, "ann").await?;
        assert_eq!(reopened, Reopen::Reopened);
        Ok(())
    };
    never_half(&keys, prepare, step).await;
}

#[tokio::test]
async fn a_payment_is_not_resolved_by_half() {
    let [seconds, days] = sums("default");
    let held = Verdict::Held {
        requested_at: at(NOON),
        fee: settlement(1, "default", at(NOON)).fee,
    };
    let settled = [&days[..], &seconds, HOURS, PROCESSORS, LEDGER];
    for (verdict, keys) in [
        (held, &settled[..]),
        (Verdict::NotHeld, &[OWNERS, "{0}:epoch"]),
    ] {
        let step = async |world: &InRedis| {
            // Whether or not the owner was taken out of its hands before.
            let case = world.store.case(id(1)).await?.unwrap();
            let seen = case.custody.unwrap();
            let resolve = world.store.resolve(&seen, &verdict, &Proof::Silence, "ann");
            let resolve = resolve.await?;
            assert!(matches!(resolve, Resolve::Settled(_) | Resolve::Released));
            Ok(())
        };
        never_half(&[keys, &["{0}:resolutions"]].concat(), one_left, step).await;
    }
}

/// A run, what it is about, and the tool's owner of what it opens again.
const OF_RUN: [&str; 2] = [
    "{0}:settling-run:00000000000000a1",
    "{0}:stated:00000000000000a1",
];

async fn settle_stated(world: &InRedis) -> Result<(), StoreFault> {
    let run = run(ONE, 1);
    let done = settlement(1, "default", at(NOON));
    let slip = Duration::from_secs(1_000_000_000);
    let stated = world
        .store
        .settle_stated(&done, &run, slip, &Proof::Silence);
    stated.await.map(|_| ())
}

#[tokio::test]
async fn a_run_settles_nothing_by_half() {
    let [seconds, days] = sums("default");
    let (bucket, rejected) = (bucket(1), format!("{{0}}:rejected:{}", id(1)));
    let keys = [
        OPEN,
        &bucket,
        &rejected,
        &days,
        &seconds,
        HOURS,
        PROCESSORS,
        LEDGER,
        OWNERS,
        "{0}:settling-runs",
    ];
    never_half(&[&keys[..], &OF_RUN].concat(), one_left, settle_stated).await;
}

#[tokio::test]
async fn nothing_is_taken_back_by_half() {
    let [seconds, days] = sums("default");
    let bucket = bucket(1);
    let keys = [
        OPEN,
        &bucket,
        &days,
        &seconds,
        LEDGER,
        "{0}:conflicts",
        OWNERS,
        "{0}:epoch",
        "{0}:queue:feeway-ctl.1",
    ];
    let keys = [&keys[..], &OF_RUN].concat();
    let prepare = async |world: &InRedis| {
        one_left(world).await;
        settle_stated(world).await.unwrap();
    };
    let step = async |world: &InRedis| {
        let owner = Incarnation::new("feeway-ctl.1");
        let done = settlement(1, "default", at(NOON));
        let undone = world.store.undo_stated(ONE, &done, &owner, "ben").await?;
        assert_eq!(undone, Undo::Undone);
        Ok(())
    };
    never_half(&keys, prepare, step).await;
    // What nobody needs any longer goes last: then it was taken back all the same.
    for key in [HOURS, PROCESSORS] {
        let world = InRedis::new(100).await;
        prepare(&world).await;
        put_foreign(&world, key).await;
        assert_eq!(step(&world).await, Err(StoreFault::Unknown));
        take_foreign(&world, key).await;
        assert_eq!(step(&world).await, Ok(()));
        let summary = world.store.summary(Window::default()).await.unwrap();
        assert_eq!(summary.of(&processor("default")), Total::default(), "{key}");
    }
}

/// Fronts that were told of a purge that did not happen would make it happen.
#[tokio::test]
async fn a_purge_that_fails_is_told_to_nobody() {
    let names = ["front-1.a", "front-2.b", "front-3.c"];
    let records = names.map(|name| format!("{{0}}:owner:{name}"));
    let records = records.iter().map(String::as_str);
    for key in records.clone().chain([OWNERS, "{0}:generation"]) {
        let world = InRedis::new(100).await;
        let store = &world.store;
        for name in names {
            enlist(store, name).await;
        }
        settle(&world, &settlement(1, "default", at(NOON)))
            .await
            .unwrap();
        put_foreign(&world, key).await;
        assert_eq!(store.purge().await, Err(StoreFault::Unknown), "{key}");
        take_foreign(&world, key).await;
        for record in records.clone() {
            let mut get = redis::cmd("HGET");
            get.arg(record).arg("generation");
            let told: String = get.query_async(&mut world.raw().await).await.unwrap();
            assert_eq!(told, "0", "{key}: {record}");
        }
        let summary = store.summary(Window::default()).await.unwrap();
        assert_eq!(summary.of(&processor("default")).count, 1, "{key}");
    }
}
