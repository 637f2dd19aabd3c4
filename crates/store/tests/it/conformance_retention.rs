use feeway_domain::{
    Accept, JournalTime, Ledger as _, LedgerFault, Listed, Listing, RequestedAt, Retire, Settle,
    Settlement, Status, Store, StoreFault, Total, Window,
};
use feeway_store::RedisConfig;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::world::{
    World, cents, enlist, id, keep, micros, payment, processor, settlement, window,
};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// The store's own clock.
async fn now(store: &impl Store) -> i64 {
    let beat = store.beat(&[]).await.unwrap();
    JournalTime::micros(beat.now)
}

async fn retire_all(store: &impl Store) {
    for _ in 0..1_000 {
        if store.retire().await == Ok(Retire::Done) {
            return;
        }
    }
    panic!("there is always more");
}

/// The horizon that a store has which retired at this time.
fn horizon(now: i64) -> i64 {
    let retention = i64::try_from(RedisConfig::RETENTION.as_micros()).unwrap();
    (now - retention) / HOUR * HOUR
}

/// The oldest exact instant, as a question about long ago tells it.
async fn oldest(store: &impl Store) -> Option<RequestedAt> {
    let asked = Listing {
        window: Window::new(Some(micros(0)), None).unwrap(),
        ..listing()
    };
    match store.list(&asked).await {
        Err(LedgerFault::TooOld { oldest }) => Some(oldest),
        Ok(_) | Err(LedgerFault::Store(_)) => None,
    }
}

async fn count(store: &impl Store, window: Window) -> Result<u64, LedgerFault> {
    let summary = store.summary(window).await?;
    Ok(summary.of(&processor("default")).count)
}

async fn settle_at(store: &impl Store, number: u64, instant: i64) -> Result<Settle, StoreFault> {
    store
        .settle(&settlement(number, "default", micros(instant)))
        .await
}

fn listing() -> Listing {
    Listing {
        listed: Listed::Settled,
        window: Window::default(),
        after: None,
        limit: 1_000,
    }
}

pub(crate) async fn what_is_older_than_the_retention_counts_in_whole_hours(world: &impl World) {
    let store = world.store();
    let started = now(store).await;
    // None of them on a whole hour.
    let ages = [20 * DAY, 8 * DAY + 2 * HOUR, 7 * DAY + 2 * HOUR, 6 * DAY, 0];
    let ages = ages.map(|age| age + 1);
    for (number, age) in (0..).zip(ages) {
        let settled = settle_at(store, number, started - age).await;
        assert_eq!(settled, Ok(Settle::Settled));
    }
    assert_eq!(oldest(store).await, None, "nothing is retired by itself");
    retire_all(store).await;
    let exact = oldest(store).await.unwrap();
    let ended = now(store).await;
    assert!((horizon(started)..=horizon(ended)).contains(&exact.micros()));

    assert_eq!(count(store, Window::default()).await, Ok(5));
    for age in &ages[..3] {
        let instant = started - age;
        let hour = instant / HOUR * HOUR;
        let whole = window(micros(hour), micros(hour + HOUR - 1));
        assert_eq!(count(store, whole).await, Ok(1));
        let day = instant / DAY * DAY;
        let day = window(micros(day), micros(day + DAY - 1));
        assert_eq!(count(store, day).await, Ok(1));
        let too_old = Err(LedgerFault::TooOld { oldest: exact });
        let edges = [(instant, ended), (hour, hour + 1), (hour + 1, ended)];
        for (from, to) in edges {
            let edge = window(micros(from), micros(to));
            assert_eq!(count(store, edge).await, too_old);
        }
    }
    let since = window(exact, micros(ended));
    assert_eq!(count(store, since).await, Ok(2));
    let one = micros(started - ages[3]);
    assert_eq!(count(store, window(one, one)).await, Ok(1));
}

/// Nothing is lost by closing an hour in which there was nothing.
pub(crate) async fn a_closed_hour_may_be_cut_where_nothing_was_settled(world: &impl World) {
    let store = world.store();
    let started = now(store).await;
    retire_all(store).await;
    let exact = oldest(store).await.unwrap();
    let long_ago = micros(1_735_776_000_000_000);
    let until = Window::new(None, Some(long_ago)).unwrap();
    assert_eq!(count(store, until).await, Ok(0), "a fresh ledger");
    let late = settle_at(store, 1, exact.micros() - 1).await;
    assert_eq!(late, Ok(Settle::TooOld { oldest: exact }));
    let hour = exact.micros() - HOUR;
    let cut = window(micros(hour + 1), micros(hour + 2));
    assert_eq!(
        count(store, cut).await,
        Ok(0),
        "what is late counts nowhere"
    );

    settle_at(store, 2, started).await.unwrap();
    let since = window(micros(hour + 1), micros(started));
    assert_eq!(count(store, since).await, Ok(1));
}

/// Also when the hours around it have something, and long after it was closed.
pub(crate) async fn only_the_hour_of_an_edge_matters(world: &impl World) {
    let store = world.store();
    let started = now(store).await;
    // Settled in hours 2 and 4, by different processors; 3 is empty.
    for (days, number) in [(8, 0), (30, 2)] {
        let start = (started - days * DAY) / HOUR * HOUR;
        let one = settlement(number, "default", micros(start + 2 * HOUR + 7));
        let other = settlement(number + 1, "fallback", micros(start + 4 * HOUR + 7));
        for done in [one, other] {
            assert_eq!(store.settle(&done).await, Ok(Settle::Settled));
        }
    }
    retire_all(store).await;
    let exact = oldest(store).await.unwrap();
    let too_old = Err(LedgerFault::TooOld { oldest: exact });
    for days in [8, 30] {
        let start = (started - days * DAY) / HOUR * HOUR;
        let at = |hours: i64, micro: i64| micros(start + hours * HOUR + micro);
        for (from, to, expected) in [
            (at(1, 1), at(3, 1), Ok(1)),
            (at(3, 1), at(3, 1), Ok(0)),
            (at(3, 1), at(5, 1), Ok(0)),
            (at(2, 0), at(3, HOUR - 2), Ok(1)),
            (at(2, 1), at(3, 1), too_old),
            (at(1, 1), at(4, 1), too_old),
            (at(2, 8), at(2, 9), too_old),
        ] {
            let asked = window(from, to);
            assert_eq!(count(store, asked).await, expected, "{asked:?}");
        }
    }
}

pub(crate) async fn single_payments_go_a_day_after_their_hour_is_closed(world: &impl World) {
    let store = world.store();
    let started = now(store).await;
    for (number, age) in [(0, 9 * DAY), (1, 7 * DAY + 2 * HOUR), (2, DAY)] {
        settle_at(store, number, started - age).await.unwrap();
    }
    let page = store.list(&listing()).await.unwrap();
    assert_eq!(page.lines.len(), 3);
    retire_all(store).await;
    assert_eq!(store.find(id(0)).await, Ok(None));
    assert!(store.find(id(1)).await.unwrap().is_some());
    let exact = oldest(store).await.unwrap();
    let kept = store.list(&listing()).await.unwrap();
    assert_eq!(kept.lines, page.lines[2..]);
    let too_old = Err(LedgerFault::TooOld { oldest: exact });
    let from = Window::new(Some(micros(exact.micros() - 1)), None).unwrap();
    let to = Window::new(None, Some(micros(exact.micros() - 1))).unwrap();
    for window in [from, to] {
        let asked = Listing {
            window,
            ..listing()
        };
        assert_eq!(store.list(&asked).await, too_old);
    }
    let behind = Listing {
        after: Some(page.lines[1].cursor()),
        ..listing()
    };
    assert_eq!(store.list(&behind).await, too_old);
}

pub(crate) async fn a_settle_in_closed_books_counts_nowhere_and_is_known(world: &impl World) {
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    let started = now(store).await;
    settle_at(store, 1, started).await.unwrap();
    retire_all(store).await;
    let exact = oldest(store).await.unwrap();
    keep(store, &hold, 2, Some("default")).await;
    for age in [1, 30 * DAY] {
        let number = 2 + u64::from(age > 1);
        let instant = exact.micros() - age;
        let late = settle_at(store, number, instant).await;
        assert_eq!(late, Ok(Settle::TooOld { oldest: exact }));
        assert_eq!(settle_at(store, number, instant).await, Ok(Settle::Known));
        let whole = window(
            micros(instant / HOUR * HOUR),
            micros(instant / HOUR * HOUR + HOUR - 1),
        );
        assert_eq!(count(store, whole).await, Ok(0));
        assert_eq!(count(store, Window::default()).await, Ok(1));
    }
    retire_all(store).await;
    for number in [2, 3] {
        let state = store.find(id(number)).await.unwrap().unwrap();
        assert!(matches!(state.status, Status::Settled { .. }));
        let again = store.accept(&hold, &payment(number), None).await;
        assert_eq!(again, Ok(Accept::Ended));
    }
    let beat = store.beat(std::slice::from_ref(&hold)).await.unwrap();
    assert_eq!(beat.queued, [Some(0)]);
    assert_eq!(store.list(&listing()).await.unwrap().lines.len(), 1);
    // The other holder of a conflict may be late alone.
    let other = settlement(1, "fallback", micros(exact.micros() - 1));
    let first = processor("default");
    assert_eq!(store.settle(&other).await, Ok(Settle::Conflict { first }));
    let summary = store.summary(Window::default()).await.unwrap();
    assert_eq!(summary.of(&processor("fallback")), Total::default());
}

pub(crate) async fn rejections_are_forgotten_after_the_retention(world: &impl World) {
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    keep(store, &hold, 1, None).await;
    store.reject(&hold, &payment(1), "400").await.unwrap();
    let rejected = Listing {
        listed: Listed::Rejected,
        ..listing()
    };
    retire_all(store).await;
    assert_eq!(store.list(&rejected).await.unwrap().lines.len(), 1);
    world.rejections_grow_old().await;
    retire_all(store).await;
    assert_eq!(store.list(&rejected).await.unwrap().lines, []);
}

pub(crate) async fn of_a_conflict_each_holder_goes_in_its_time(world: &impl World) {
    let store = world.store();
    let started = now(store).await;
    let held = [
        ("default", 9 * DAY),
        ("fallback", DAY),
        ("third", 10 * DAY),
        ("other", HOUR),
    ];
    for (name, age) in held {
        let done = settlement(1, name, micros(started - age));
        store.settle(&done).await.unwrap();
    }
    for (name, age) in [("default", 2 * DAY), ("third", 9 * DAY)] {
        let done = settlement(2, name, micros(started - age));
        store.settle(&done).await.unwrap();
    }
    let before = store.summary(Window::default()).await.unwrap();
    retire_all(store).await;
    assert_eq!(store.summary(Window::default()).await.unwrap(), before);
    let conflict = store.find(id(1)).await.unwrap().unwrap().status;
    let expected = Status::Conflict {
        processor: processor("fallback"),
        requested_at: micros(started - DAY),
    };
    assert_eq!(conflict, expected);
    let settled = store.find(id(2)).await.unwrap().unwrap().status;
    assert!(matches!(settled, Status::Settled { .. }), "{settled:?}");
    for (listed, expected) in [(Listed::Settled, 3), (Listed::Conflict, 2)] {
        let asked = Listing {
            listed,
            ..listing()
        };
        let page = store.list(&asked).await.unwrap();
        assert_eq!(page.lines.len(), expected, "{:?}", page.lines);
    }
}

/// The books of the last twelve days before and after they were retired give the same
/// answers, wherever they still give one.
pub(crate) async fn whatever_is_answered_after_retiring_is_right(world: &impl World) {
    let store = world.store();
    let started = now(store).await;
    let mut runner = TestRunner::deterministic();
    let instant = (0..12 * DAY, prop::bool::ANY).prop_map(move |(age, whole)| {
        let instant = started - age;
        if whole {
            instant / HOUR * HOUR
        } else {
            instant
        }
    });
    let mut settled: Vec<Settlement> = Vec::new();
    for number in 0..400 {
        let (at, name, amount) = (&instant, 0..2_usize, 1..100_000_i64)
            .new_tree(&mut runner)
            .unwrap()
            .current();
        let mut done = settlement(number, ["default", "fallback"][name], micros(at));
        done.payment.amount = cents(amount);
        store.settle(&done).await.unwrap();
        settled.push(done);
    }
    retire_all(store).await;
    let exact = oldest(store).await.unwrap().micros();
    let mut refused = 0;
    for _ in 0..400 {
        let ends = (&instant, &instant, prop::bool::ANY);
        let (one, other, open) = ends.new_tree(&mut runner).unwrap().current();
        let (from, to) = (one.min(other), one.max(other).max(1) - 1);
        let from = (!open).then_some(from);
        let window = Window::new(from.map(micros), Some(micros(to.max(from.unwrap_or(0)))));
        let window = window.unwrap();
        let cuts = [from, window.to().map(|to| to.micros() + 1)];
        let has_any = |hour: i64| {
            let mut settled = settled.iter();
            settled.any(|done| done.requested_at.micros() / HOUR == hour)
        };
        let fine = |cut: i64| cut >= exact || cut % HOUR == 0 || !has_any(cut / HOUR);
        let answered = store.summary(window).await;
        if !cuts.into_iter().flatten().all(fine) {
            assert!(matches!(answered, Err(LedgerFault::TooOld { .. })));
            refused += 1;
            continue;
        }
        let summary = answered.unwrap();
        for name in ["default", "fallback"] {
            let mut expected = Total::default();
            for done in &settled {
                if done.processor.as_str() == name && window.contains(done.requested_at) {
                    expected.add(1, i128::from(done.payment.amount.cents()));
                }
            }
            assert_eq!(
                summary.of(&processor(name)),
                expected,
                "{name} in {window:?}"
            );
        }
    }
    assert!((50..350).contains(&refused), "{refused}");
}
