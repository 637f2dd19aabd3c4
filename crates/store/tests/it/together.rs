//! Many callers at the same moment, in one process and in several.

use feeway_domain::{Accept, Ledger as _, RequestedAt, Settle, Store, Total, Window};
use futures_util::future::join_all;

use crate::world::{InRedis, World, at, enlist, micros, payment, processor, settlement, window};

const NOON: &str = "2025-07-15T12:00:00Z";

#[tokio::test]
async fn of_many_accepts_of_one_payment_one_is_kept() {
    let world = InRedis::new(1_000).await;
    let stores = [world.store().clone(), world.another().await];
    let holds = [
        enlist(&stores[0], "front-1.a").await,
        enlist(&stores[1], "front-2.b").await,
    ];
    for number in 0..50 {
        let payment = payment(number);
        let accepts = (0..20).map(|turn| {
            let (store, hold) = (&stores[turn % 2], &holds[turn % 2]);
            store.accept(hold, &payment, None)
        });
        let accepted = join_all(accepts).await;
        let kept = accepted
            .iter()
            .filter(|accepted| matches!(accepted, Ok(Accept::Kept { .. })));
        assert_eq!(kept.count(), 1, "{accepted:?}");
        let known = accepted.iter().filter(|&known| *known == Ok(Accept::Known));
        assert_eq!(known.count(), 19, "{accepted:?}");
    }
}

#[tokio::test]
async fn of_many_settles_of_one_payment_one_counts() {
    let world = InRedis::new(1_000).await;
    let stores = [world.store().clone(), world.another().await];
    let done = settlement(1, "default", at(NOON));
    let settles = (0..40).map(|turn| stores[turn % 2].settle(&done));
    let settled = join_all(settles).await;
    let first = settled.iter().filter(|&one| *one == Ok(Settle::Settled));
    assert_eq!(first.count(), 1);
    let summary = stores[0].summary(Window::default()).await.unwrap();
    assert_eq!(summary.of(&processor("default")).count, 1);
}

/// Every payment is of 19.90, so a summary between the two halves of a settle would show.
fn check_whole(total: Total, least: u64) {
    assert_eq!(total.cents, i128::from(total.count) * 1_990);
    assert!(total.count >= least, "it went back to {}", total.count);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_summary_during_settles_is_whole_and_never_goes_back() {
    const PAYMENTS: u64 = 4_000;
    let world = InRedis::new(1_000).await;
    let store = world.store().clone();
    let reader = world.another().await;
    let start = at(NOON).micros();
    // Spread over 40 s: single payments, seconds and minutes all take part.
    let instant = move |number: u64| micros(start + i64::try_from(number).unwrap() * 10_007);
    let settling = tokio::spawn(async move {
        for chunk in (0..PAYMENTS).collect::<Vec<u64>>().chunks(50) {
            let done = chunk.iter().map(|&number| {
                let name = ["default", "fallback"][usize::try_from(number % 2).unwrap()];
                settlement(number, name, instant(number))
            });
            let done: Vec<_> = done.collect();
            let settled = join_all(done.iter().map(|done| store.settle(done))).await;
            assert!(settled.iter().all(|one| *one == Ok(Settle::Settled)));
        }
    });
    let all: [(&str, Window); 3] = [
        ("all", Window::default()),
        ("edges", window(micros(start + 500), RequestedAt::MAX)),
        ("minute", window(micros(start), micros(start + 39_999_999))),
    ];
    let mut least = [[0; 2]; 3];
    let mut summaries = 0;
    while !settling.is_finished() {
        for ((_, window), least) in all.iter().zip(&mut least) {
            let summary = reader.summary(*window).await.unwrap();
            for (name, least) in ["default", "fallback"].iter().zip(least) {
                let total = summary.of(&processor(name));
                check_whole(total, *least);
                *least = total.count;
            }
            summaries += 1;
        }
    }
    settling.await.unwrap();
    assert!(summaries > 30, "only {summaries} summaries ran meanwhile");
    let end = reader.summary(Window::default()).await.unwrap();
    check_whole(end.of(&processor("default")), PAYMENTS / 2);
    check_whole(end.of(&processor("fallback")), PAYMENTS / 2);
}
