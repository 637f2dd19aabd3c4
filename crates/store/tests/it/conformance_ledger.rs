use feeway_domain::{
    Accept, Ledger as _, Money, Payment, PaymentState, Purge, RequestedAt, Settle, Settlement,
    Status, Store, Summary, Total, Window,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::world::{
    World, at, cents, enlist, id, keep, micros, payment, processor, settlement, window,
};

const NOON: &str = "2025-07-15T12:00:00.000000Z";

fn total(count: u64, cents: i128) -> Total {
    Total { count, cents }
}

async fn everything(store: &impl Store) -> Summary {
    store.summary(Window::default()).await.unwrap()
}

pub(crate) async fn a_settled_payment_is_counted_once(world: &impl World) {
    let store = world.store();
    assert_eq!(everything(store).await, Summary::default());
    let done = settlement(1, "default", at(NOON));
    assert_eq!(store.settle(&done).await, Ok(Settle::Settled));
    assert_eq!(store.settle(&done).await, Ok(Settle::Known));
    let later = settlement(1, "default", at("2025-07-15T12:00:09Z"));
    assert_eq!(store.settle(&later).await, Ok(Settle::Known));
    let expected = Summary(vec![(processor("default"), total(1, 1_990))]);
    assert_eq!(everything(store).await, expected);
    let state = PaymentState {
        id: id(1),
        amount: cents(1_990),
        status: Status::Settled {
            processor: processor("default"),
            requested_at: at(NOON),
        },
    };
    assert_eq!(store.find(id(1)).await, Ok(Some(state)));
}

pub(crate) async fn a_settled_payment_ends_its_entry_whoever_owns_it(world: &impl World) {
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    keep(store, &hold, 1, Some("default")).await;
    keep(store, &hold, 2, Some("default")).await;
    let done = settlement(1, "default", at(NOON));
    assert_eq!(store.settle(&done).await, Ok(Settle::Settled));
    let left = store.queued(&hold.owner, None, 10).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].payment.id, id(2));
    let beat = store.beat(std::slice::from_ref(&hold)).await.unwrap();
    assert_eq!(beat.queued, [Some(1)]);
    let again = store.accept(&hold, &payment(1), None).await;
    assert_eq!(again, Ok(Accept::Ended));
    let dearer = Payment {
        amount: cents(1),
        ..payment(1)
    };
    let other = store.accept(&hold, &dearer, None).await;
    assert_eq!(other, Ok(Accept::AmountDiffers));
}

pub(crate) async fn a_conflict_counts_for_both_and_is_counted_once(world: &impl World) {
    let store = world.store();
    let first = settlement(1, "default", at(NOON));
    let second = settlement(1, "fallback", at("2025-07-15T12:00:30Z"));
    assert_eq!(store.settle(&first).await, Ok(Settle::Settled));
    let conflict = Ok(Settle::Conflict {
        first: processor("default"),
    });
    assert_eq!(store.settle(&second).await, conflict);
    assert_eq!(store.settle(&second).await, conflict, "repeated");
    assert_eq!(store.settle(&first).await, Ok(Settle::Known));
    let expected = Summary(vec![
        (processor("default"), total(1, 1_990)),
        (processor("fallback"), total(1, 1_990)),
    ]);
    assert_eq!(everything(store).await, expected);
    let edge = window(at("2025-07-15T12:00:29.5Z"), at("2025-07-15T12:00:30Z"));
    let summary = store.summary(edge).await.unwrap();
    assert_eq!(summary.of(&processor("fallback")), total(1, 1_990));
    assert_eq!(summary.of(&processor("default")), total(0, 0));
    let status = Status::Conflict {
        processor: processor("default"),
        requested_at: at(NOON),
    };
    let found = store.find(id(1)).await.unwrap().unwrap();
    assert_eq!(found.status, status);
}

pub(crate) async fn a_third_processor_is_a_conflict_too(world: &impl World) {
    let store = world.store();
    for name in ["default", "fallback", "call-back", "fallback", "call-back"] {
        store.settle(&settlement(1, name, at(NOON))).await.unwrap();
    }
    let one = total(1, 1_990);
    let expected = ["call-back", "default", "fallback"].map(|name| (processor(name), one));
    assert_eq!(everything(store).await, Summary(expected.to_vec()));
}

pub(crate) async fn a_window_is_inclusive_to_the_microsecond(world: &impl World) {
    let store = world.store();
    let noon = at(NOON).micros();
    let instants = [noon - 1, noon, noon + 1, noon + 999_999, noon + 1_000_000];
    for (number, instant) in (0..).zip(instants) {
        let done = settlement(number, "default", micros(instant));
        store.settle(&done).await.unwrap();
    }
    for from in instants {
        for to in instants {
            if from > to {
                continue;
            }
            let expected = instants.iter().filter(|&&at| from <= at && at <= to);
            let summary = store.summary(window(micros(from), micros(to))).await;
            let count = summary.unwrap().of(&processor("default")).count;
            let expected = u64::try_from(expected.count()).unwrap();
            assert_eq!(count, expected, "{from} to {to}");
        }
    }
}

pub(crate) async fn open_ends_reach_everything(world: &impl World) {
    let store = world.store();
    let instants = [RequestedAt::MIN, at(NOON), RequestedAt::MAX];
    for (number, instant) in (0..).zip(instants) {
        let done = settlement(number, "default", instant);
        store.settle(&done).await.unwrap();
    }
    for (from, to, expected) in [
        (None, None, 3),
        (Some(at(NOON)), None, 2),
        (None, Some(at(NOON)), 2),
        (Some(RequestedAt::MIN), Some(RequestedAt::MAX), 3),
        (Some(RequestedAt::MAX), None, 1),
        (None, Some(RequestedAt::MIN), 1),
    ] {
        let window = Window::new(from, to).unwrap();
        let summary = store.summary(window).await.unwrap();
        let count = summary.of(&processor("default")).count;
        assert_eq!(count, expected, "{from:?} to {to:?}");
    }
}

pub(crate) async fn ten_thousand_payments_of_the_largest_amount(world: &impl World) {
    let store = world.store();
    for number in 0..10_000 {
        let mut done = settlement(number, "default", at(NOON));
        done.payment.amount = Money::MAX;
        assert_eq!(store.settle(&done).await, Ok(Settle::Settled));
    }
    let expected = total(10_000, i128::from(Money::MAX.cents()) * 10_000);
    let summed = everything(store).await;
    assert_eq!(summed.of(&processor("default")), expected);
    let listed = store.summary(window(at(NOON), at(NOON))).await.unwrap();
    assert_eq!(listed.of(&processor("default")), expected);
}

/// Instants around the ends of a quarter, a year and a leap day, some on whole units.
fn instant() -> impl Strategy<Value = i64> {
    let anchors = [
        "2024-02-29T00:00:00Z",
        "2025-07-01T00:00:00Z",
        "2026-01-01T00:00:00Z",
    ];
    let anchors = anchors.map(|text| at(text).micros());
    let offset = prop_oneof![
        Just(0_i64),
        -2..=2_i64,
        -2_000_000..2_000_000_i64,
        -7_200_000_000..7_200_000_000_i64,
        (-48..48_i64).prop_map(|hours| hours * 3_600_000_000),
        (-9_000_000_000_000..9_000_000_000_000_i64),
    ];
    (prop::sample::select(anchors.to_vec()), offset).prop_map(|(anchor, offset)| anchor + offset)
}

pub(crate) async fn random_windows_agree_with_a_naive_count(world: &impl World) {
    let store = world.store();
    let mut runner = TestRunner::deterministic();
    let mut settled: Vec<Settlement> = Vec::new();
    for number in 0..400 {
        let (at, name, amount) = (instant(), 0..3_usize, 1..=Money::MAX.cents())
            .new_tree(&mut runner)
            .unwrap()
            .current();
        let mut done = settlement(number, ["default", "fallback", "third"][name], micros(at));
        done.payment.amount = cents(amount);
        store.settle(&done).await.unwrap();
        settled.push(done);
    }
    let end = || {
        let payments: Vec<i64> = settled.iter().map(|s| s.requested_at.micros()).collect();
        let nearby = (prop::sample::select(payments), -1..=1_i64).prop_map(|(at, by)| at + by);
        prop::option::weighted(0.9, prop_oneof![instant(), nearby])
    };
    let ends = (end(), end());
    for _ in 0..400 {
        let (from, to) = ends.new_tree(&mut runner).unwrap().current();
        let (from, to) = match (from, to) {
            (Some(from), Some(to)) => (Some(from.min(to)), Some(from.max(to))),
            ends => ends,
        };
        let window = Window::new(from.map(micros), to.map(micros)).unwrap();
        let summary = store.summary(window).await.unwrap();
        for (name, total) in &summary.0 {
            let mut expected = Total::default();
            for done in &settled {
                if done.processor == *name && window.contains(done.requested_at) {
                    expected.add(1, i128::from(done.payment.amount.cents()));
                }
            }
            assert_eq!(*total, expected, "{name} in {window:?}");
        }
        assert_eq!(summary.0.len(), 3);
    }
}

pub(crate) async fn a_purge_empties_the_ledger_unless_payments_are_open(world: &impl World) {
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    for name in ["default", "fallback"] {
        store.settle(&settlement(1, name, at(NOON))).await.unwrap();
    }
    keep(store, &hold, 2, None).await;
    keep(store, &hold, 3, None).await;
    assert_eq!(store.purge().await, Ok(Purge::Open(2)));
    assert_eq!(everything(store).await.0.len(), 2);
    store
        .settle(&settlement(2, "default", at(NOON)))
        .await
        .unwrap();
    store.reject(&hold, &payment(3), "400").await.unwrap();
    assert_eq!(store.purge().await, Ok(Purge::Purged));
    assert_eq!(everything(store).await, Summary::default());
    for number in [1, 2, 3] {
        assert_eq!(store.find(id(number)).await, Ok(None));
    }
    keep(store, &hold, 1, None).await;
    store
        .settle(&settlement(1, "fallback", at(NOON)))
        .await
        .unwrap();
    let expected = Summary(vec![(processor("fallback"), total(1, 1_990))]);
    assert_eq!(everything(store).await, expected);
}
