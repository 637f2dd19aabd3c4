use std::time::Duration;

use feeway_domain::{
    CLOCK_SLIP, InRun, Ledger as _, MAX_RUN_PAYMENTS, MAX_RUNS, Proof, RecordedRun, Resolutions,
    Retire, RunPayment, Stated, Store as _, Total, Undo, Window,
};
use feeway_store::RedisConfig;

use crate::conformance_undo::{NOON, ONE, OTHER, now, run, settle, sum, total, undo};
use crate::world::{World, at, payment, processor, settlement};

pub(crate) async fn a_run_is_recorded_with_its_payments<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    assert_eq!(store.runs().await, Ok(Vec::new()));
    let noon = at(NOON);
    for number in 1..=2 {
        settle(store, ONE, &settlement(number, "default", noon)).await;
    }
    settle(store, OTHER, &settlement(3, "fallback", noon)).await;
    let runs = store.runs().await.unwrap();
    let expected = |id: &str, name: &str, count: u64| RecordedRun {
        id: id.to_owned(),
        at: runs.iter().find(|run| run.id == id).unwrap().at,
        processor: processor(name),
        fee: settlement(1, name, noon).fee,
        file: "default.jsonl".to_owned(),
        by: "ann@desk".to_owned(),
        total: sum(i128::from(count) * 1_990, count),
        kept: count,
        undone: None,
    };
    assert_eq!(runs[0], expected(ONE, "default", 2));
    assert_eq!(runs[1], expected(OTHER, "fallback", 1));
    let page = store.run_payments(ONE, None).await.unwrap();
    assert_eq!(page.next, None);
    let mut found = page.payments;
    found.sort_unstable_by_key(|one| one.payment.id);
    let mut expected: Vec<RunPayment> = (1..=2)
        .map(|number| RunPayment {
            payment: payment(number),
            requested_at: noon,
            state: InRun::Settled,
        })
        .collect();
    expected.sort_unstable_by_key(|one| one.payment.id);
    assert_eq!(found, expected);
    let none = store.run_payments("00", None).await.unwrap();
    assert_eq!(none.payments, []);
}

/// A step whose answer was lost is repeated when somebody has taken it back.
pub(crate) async fn a_run_settles_a_payment_once<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let done = settlement(1, "default", at(NOON));
    settle(store, ONE, &done).await;
    assert_eq!(undo(store, ONE, &done).await, Undo::Undone);
    settle(store, ONE, &done).await;
    assert_eq!(total(store, Window::default()).await, Total::default());
    let runs = store.runs().await.unwrap();
    assert_eq!(runs[0].total, sum(1_990, 1));
    // Another run may, and that one alone can take it back.
    settle(store, OTHER, &done).await;
    assert_eq!(undo(store, ONE, &done).await, Undo::Undone);
    assert_eq!(total(store, Window::default()).await, sum(1_990, 1));
    assert_eq!(undo(store, OTHER, &done).await, Undo::Undone);
    assert_eq!(total(store, Window::default()).await, Total::default());
}

pub(crate) async fn after_a_purge_no_run_takes_anything_back<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let done = settlement(1, "default", at(NOON));
    settle(store, ONE, &done).await;
    store.purge().await.unwrap();
    store.settle(&done).await.unwrap();
    assert_eq!(undo(store, ONE, &done).await, Undo::Unknown);
    let runs = store.runs().await.unwrap();
    assert_eq!((runs.len(), runs[0].kept), (1, 0));
    // A run that goes on meanwhile.
    let next = settlement(2, "default", at(NOON));
    settle(store, ONE, &next).await;
    let runs = store.runs().await.unwrap();
    assert_eq!((runs[0].kept, runs[0].total), (1, sum(2 * 1_990, 2)));
    assert_eq!(undo(store, ONE, &next).await, Undo::Undone);
    assert_eq!(total(store, Window::default()).await, sum(1_990, 1));
}

/// Which payments they were is kept no longer than single payments are.
pub(crate) async fn runs_forget_their_payments_after_the_retention<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let done = settlement(1, "default", now(store).await);
    settle(store, ONE, &done).await;
    let kept = async || {
        while store.retire().await.unwrap() != Retire::Done {}
        store.runs().await.unwrap()[0].kept
    };
    world.runs_grow_old(RedisConfig::RETENTION).await;
    assert_eq!(kept().await, 1, "single payments are kept for a day more");
    // More at once would be a leap of the clock.
    for kept_still in [1, 0] {
        world.runs_grow_old(Duration::from_secs(13 * 3_600)).await;
        assert_eq!(kept().await, kept_still);
    }
    assert_eq!(undo(store, ONE, &done).await, Undo::Unknown);
    assert_eq!(store.runs().await.unwrap()[0].total, sum(1_990, 1));
}

pub(crate) async fn the_record_of_runs_is_bounded<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let noon = at(NOON);
    let name = |number: usize| format!("{number:016x}");
    let more = 3;
    for number in 0..MAX_RUNS + more {
        // In Redis runs are in the order of time.
        tokio::time::sleep(Duration::from_micros(10)).await;
        let number = u64::try_from(number).unwrap();
        let done = settlement(number, "default", noon);
        settle(store, &name(number.try_into().unwrap()), &done).await;
    }
    let runs = store.runs().await.unwrap();
    let found: Vec<String> = runs.iter().map(|run| run.id.clone()).collect();
    let expected: Vec<String> = (more..MAX_RUNS + more).map(name).collect();
    assert_eq!(found, expected);
    assert!(runs.iter().all(|run| run.kept == 1));
    // One that needs nearly all of the room.
    let large = run(&name(1_000), MAX_RUN_PAYMENTS - 2);
    let done = settlement(1_000, "default", noon);
    let stated = store.settle_stated(&done, &large, CLOCK_SLIP, &Proof::Silence);
    assert_eq!(stated.await, Ok(Stated::Settled));
    let runs = store.runs().await.unwrap();
    let kept: Vec<u64> = runs.iter().rev().take(4).map(|run| run.kept).collect();
    assert_eq!(kept, [1, 1, 1, 0]);
    assert!(runs.iter().rev().skip(3).all(|run| run.kept == 0));
}
