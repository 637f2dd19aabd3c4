use feeway_domain::{
    Accept, Adopt, CLOCK_SLIP, Entry, Fee, InRun, Incarnation, Ledger as _, Listed, Listing, Page,
    Payment, Proof, Reopen, RequestedAt, Resolutions, Retire, Run, Settle, Settlement, Stated,
    Status, Store, Summary, Total, Undo, Window,
};

use crate::world::{
    World, at, cents, enlist, id, keep, micros, payment, processor, settlement, window,
};

/// Before the clock of a store in memory begins: nothing is settled in the future.
pub(crate) const NOON: &str = "2025-06-15T12:00:00Z";
pub(crate) const ONE: &str = "00000000000000a1";
pub(crate) const OTHER: &str = "00000000000000b2";
const HOUR: i64 = 3_600_000_000;

pub(crate) fn run(id: &str, expected: usize) -> Run {
    Run {
        id: id.to_owned(),
        file: "default.jsonl".to_owned(),
        by: "ann@desk".to_owned(),
        expected,
    }
}

pub(crate) async fn settle(store: &impl Resolutions, id: &str, done: &Settlement) {
    let run = run(id, 10);
    let stated = store.settle_stated(done, &run, CLOCK_SLIP, &Proof::Silence);
    assert_eq!(stated.await, Ok(Stated::Settled));
}

pub(crate) async fn undo(store: &impl Resolutions, id: &str, done: &Settlement) -> Undo {
    let owner = Incarnation::new("feeway-ctl.1");
    let undo = store.undo_stated(id, done, &owner, "ben@desk");
    undo.await.unwrap()
}

pub(crate) async fn now(store: &impl Resolutions) -> RequestedAt {
    micros(store.fronts().await.unwrap().now.micros())
}

pub(crate) async fn total(store: &impl Resolutions, window: Window) -> Total {
    let summary: Summary = store.summary(window).await.unwrap();
    summary.of(&processor("default"))
}

pub(crate) fn sum(cents: i128, count: u64) -> Total {
    let mut total = Total::default();
    total.add(count, cents);
    total
}

/// The second, the hour, the day and all of time around an instant, and what begins or ends there.
fn windows(instant: RequestedAt) -> Vec<Window> {
    let stretch = |length: i64| {
        let from = instant.micros() / length * length;
        window(micros(from), micros(from + length - 1))
    };
    let lengths = [1, 1_000_000, HOUR, 24 * HOUR];
    let mut windows: Vec<Window> = lengths.into_iter().map(stretch).collect();
    windows.extend([
        Window::new(Some(instant), None).unwrap(),
        Window::new(None, Some(instant)).unwrap(),
        Window::default(),
    ]);
    windows
}

/// All that the store says of an instant.
async fn books(store: &impl Store, instant: RequestedAt) -> (Vec<Summary>, Page) {
    let mut summaries = Vec::new();
    for window in windows(instant) {
        summaries.push(store.summary(window).await.unwrap());
    }
    let listing = Listing {
        listed: Listed::Settled,
        window: Window::default(),
        after: None,
        limit: 1_000,
    };
    (summaries, store.list(&listing).await.unwrap())
}

pub(crate) async fn what_is_taken_back_is_in_no_sum_and_no_list<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let noon = at(NOON);
    // Others stay: of the same instant, second, hour, day and quarter, and of another processor.
    let others = [0, 1, 1_000_000, HOUR, 24 * HOUR].map(|more| micros(noon.micros() - more));
    for (number, instant) in (10..).zip(others) {
        let other = settlement(number, "default", instant);
        assert_eq!(store.settle(&other).await, Ok(Settle::Settled));
        let elsewhere = settlement(number + 10, "fallback", instant);
        assert_eq!(store.settle(&elsewhere).await, Ok(Settle::Settled));
    }
    let before = books(store, noon).await;
    let mut wrong = settlement(3, "default", noon);
    wrong.payment.amount = cents(123_456_789);
    settle(store, ONE, &wrong).await;
    assert_eq!(total(store, Window::default()).await.count, 6);
    for _ in 0..2 {
        assert_eq!(undo(store, ONE, &wrong).await, Undo::Undone);
        assert_eq!(books(store, noon).await, before);
        assert_eq!(store.find(id(3)).await, Ok(None));
        assert_eq!(store.case(id(3)).await, Ok(None));
    }
    let runs = store.runs().await.unwrap();
    let undone = runs[0].undone.as_ref().unwrap();
    assert_eq!(
        (&undone.by[..], undone.total),
        ("ben@desk", sum(123_456_789, 1))
    );
    assert_eq!(
        runs[0].total,
        sum(123_456_789, 1),
        "what it settled stays told"
    );
    let page = store.run_payments(ONE, None).await.unwrap();
    assert_eq!(page.payments[0].state, InRun::Undone);
}

/// The same payment may be settled for good later: that is not the run's any longer.
pub(crate) async fn what_was_taken_back_is_taken_back_once<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let done = settlement(1, "default", at(NOON));
    settle(store, ONE, &done).await;
    assert_eq!(undo(store, ONE, &done).await, Undo::Undone);
    for settled in [Settle::Settled, Settle::Known] {
        assert_eq!(store.settle(&done).await, Ok(settled));
        assert_eq!(undo(store, ONE, &done).await, Undo::Undone);
        assert_eq!(total(store, Window::default()).await, sum(1_990, 1));
    }
    assert_eq!(undo(store, OTHER, &done).await, Undo::Unknown);
}

pub(crate) async fn what_was_open_is_open_again_as_it_was<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    keep(store, &hold, 1, Some("fallback")).await;
    keep(store, &hold, 2, None).await;
    let before = store.queued(&hold.owner, None, 10).await.unwrap();
    store.resign(&hold).await.unwrap();
    let now = now(store).await;
    for number in 1..=2 {
        let done = settlement(number, "default", now);
        settle(store, ONE, &done).await;
        assert_eq!(undo(store, ONE, &done).await, Undo::Undone);
        let found = store.find(id(number)).await.unwrap().unwrap();
        assert!(matches!(found.status, Status::Open { .. }), "{found:?}");
    }
    let owner = Incarnation::new("feeway-ctl.1");
    let next = Incarnation::new("front-2.b");
    let beat = store.beat(&[]).await.unwrap();
    assert!(beat.lapsed.contains(&owner), "adopted at once: {beat:?}");
    let adopted = store.adopt(&owner, &next).await.unwrap();
    assert!(matches!(adopted, Adopt::Adopted(_)));
    let mut expected = before;
    for entry in &mut expected {
        entry.owner = owner.clone();
        entry.moves += 1;
    }
    assert_eq!(store.queued(&owner, None, 10).await.unwrap(), expected);
    assert_eq!(store.queued(&hold.owner, None, 10).await.unwrap(), []);
    assert_eq!(total(store, Window::default()).await, Total::default());
}

pub(crate) async fn what_something_else_has_touched_stays<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let noon = at(NOON);
    // Another processor holds it as well.
    let done = settlement(1, "default", noon);
    settle(store, ONE, &done).await;
    store
        .settle(&settlement(1, "fallback", noon))
        .await
        .unwrap();
    assert_eq!(undo(store, ONE, &done).await, Undo::Conflict);
    // Its processor has answered since.
    let done = settlement(2, "default", noon);
    settle(store, ONE, &done).await;
    assert_eq!(store.settle(&done).await, Ok(Settle::Known));
    assert_eq!(undo(store, ONE, &done).await, Undo::Confirmed);
    // It is another settlement than the one that the run made.
    let done = settlement(3, "default", noon);
    settle(store, ONE, &done).await;
    for other in [
        settlement(3, "fallback", noon),
        settlement(3, "default", micros(noon.micros() + 1)),
        Settlement {
            fee: Fee::from_millionths(60_000).unwrap(),
            ..done.clone()
        },
        Settlement {
            payment: Payment {
                amount: cents(1),
                ..done.payment
            },
            ..done.clone()
        },
    ] {
        assert_eq!(undo(store, ONE, &other).await, Undo::Changed, "{other:?}");
    }
    let summary = store.summary(Window::default()).await.unwrap();
    let counts = ["default", "fallback"].map(|name| summary.of(&processor(name)).count);
    assert_eq!(counts, [3, 1]);
    assert_eq!(store.runs().await.unwrap()[0].undone, None);
    let page = store.run_payments(ONE, None).await.unwrap();
    let states = [3, 2, 1].map(|number| {
        let one = page
            .payments
            .iter()
            .find(|one| one.payment.id == id(number));
        one.unwrap().state
    });
    assert_eq!(states, [InRun::Settled, InRun::Confirmed, InRun::Settled]);
}

/// What was settled there by nobody else leaves no name behind either.
pub(crate) async fn of_what_was_the_only_one_nothing_is_left<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let noon = at(NOON);
    let before = books(store, noon).await;
    assert_eq!(before.0[0], Summary::default());
    let next_quarter = micros(noon.micros() - 92 * 24 * HOUR);
    let wrong = [
        settlement(1, "default", noon),
        settlement(2, "default", noon),
        settlement(3, "default", micros(noon.micros() - HOUR)),
        settlement(4, "default", next_quarter),
        settlement(5, "third", noon),
    ];
    for wrong in &wrong[..4] {
        settle(store, ONE, wrong).await;
    }
    settle(store, OTHER, &wrong[4]).await;
    for wrong in &wrong[..4] {
        assert_eq!(undo(store, ONE, wrong).await, Undo::Undone);
    }
    assert_eq!(undo(store, OTHER, &wrong[4]).await, Undo::Undone);
    assert_eq!(books(store, noon).await, before);
    assert_eq!(books(store, next_quarter).await.0, before.0);
    // And it is a ledger as before: the same are settled for good.
    for wrong in &wrong {
        assert_eq!(store.settle(wrong).await, Ok(Settle::Settled));
    }
    assert_eq!(total(store, Window::default()).await, sum(4 * 1_990, 4));
    let hour = window(noon, micros(noon.micros() + HOUR - 1));
    assert_eq!(total(store, hour).await, sum(2 * 1_990, 2));
}

/// Half of it was taken back when the tool died; it begins again.
pub(crate) async fn half_an_undo_is_done_again<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let done = [1, 2, 3].map(|number| settlement(number, "default", at(NOON)));
    for done in &done {
        settle(store, ONE, done).await;
    }
    assert_eq!(undo(store, ONE, &done[0]).await, Undo::Undone);
    for done in &done {
        assert_eq!(undo(store, ONE, done).await, Undo::Undone);
    }
    let runs = store.runs().await.unwrap();
    let undone = runs[0].undone.as_ref().unwrap();
    assert_eq!((undone.total, runs[0].kept), (sum(3 * 1_990, 3), 3));
    assert_eq!(total(store, Window::default()).await, Total::default());
}

/// Only the run whose settlement stands is told that the processor was heard.
pub(crate) async fn what_was_taken_back_before_is_not_confirmed<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let done = settlement(1, "default", at(NOON));
    settle(store, ONE, &done).await;
    assert_eq!(undo(store, ONE, &done).await, Undo::Undone);
    settle(store, OTHER, &done).await;
    assert_eq!(store.settle(&done).await, Ok(Settle::Known));
    assert_eq!(undo(store, ONE, &done).await, Undo::Undone);
    assert_eq!(undo(store, OTHER, &done).await, Undo::Confirmed);
    assert_eq!(total(store, Window::default()).await, sum(1_990, 1));
}

/// The shop was told that it is kept: taken back, it is not lost.
pub(crate) async fn what_the_shop_has_sent_meanwhile_is_open_afterwards<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    store.resign(&hold).await.unwrap();
    let now = now(store).await;
    let done = settlement(1, "default", now);
    settle(store, ONE, &done).await;
    let default = processor("default");
    for _ in 0..2 {
        let sent = store.accept(&hold, &payment(1), Some(&default)).await;
        assert_eq!(sent, Ok(Accept::Ended));
    }
    let mut other = payment(1);
    other.amount = cents(7);
    let sent = store.accept(&hold, &other, None).await;
    assert_eq!(sent, Ok(Accept::AmountDiffers));
    assert_eq!(undo(store, ONE, &done).await, Undo::Undone);
    let owner = Incarnation::new("feeway-ctl.1");
    let open = store.queued(&owner, None, 10).await.unwrap();
    let [entry] = &open[..] else {
        panic!("{open:?}");
    };
    let expected = Entry {
        payment: payment(1),
        owner,
        processor: None,
        moves: 1,
        accepted_at: entry.accepted_at,
    };
    assert_eq!(*entry, expected);
    assert!(entry.accepted_at.micros() >= now.micros());
    assert_eq!(total(store, Window::default()).await, Total::default());
}

/// What was open when it was settled is open again as it was, whoever sent it once more.
pub(crate) async fn who_sends_again_changes_no_entry<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    keep(store, &hold, 1, Some("fallback")).await;
    store.resign(&hold).await.unwrap();
    let done = settlement(1, "default", now(store).await);
    settle(store, ONE, &done).await;
    let sent = store.accept(&hold, &payment(1), None).await;
    assert_eq!(sent, Ok(Accept::Ended));
    assert_eq!(undo(store, ONE, &done).await, Undo::Undone);
    let owner = Incarnation::new("feeway-ctl.1");
    let open = store.queued(&owner, None, 10).await.unwrap();
    assert_eq!(open[0].processor, Some(processor("fallback")));
}

pub(crate) async fn what_was_rejected_is_rejected_again<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    keep(store, &hold, 1, Some("default")).await;
    store.reject(&hold, &payment(1), "402").await.unwrap();
    store.resign(&hold).await.unwrap();
    let before = store.find(id(1)).await.unwrap();
    let done = settlement(1, "default", now(store).await);
    settle(store, ONE, &done).await;
    let owner = Incarnation::new("feeway-ctl.2");
    let reopened = store.reopen(id(1), &owner, "ann").await;
    assert_eq!(reopened, Ok(Reopen::Settled));
    // Without the run it would have been rejected all the same.
    let sent = store.accept(&hold, &payment(1), None).await;
    assert_eq!(sent, Ok(Accept::Ended));
    assert_eq!(undo(store, ONE, &done).await, Undo::Undone);
    assert_eq!(store.find(id(1)).await.unwrap(), before);
    let reopened = store.reopen(id(1), &owner, "ann").await;
    assert_eq!(reopened, Ok(Reopen::Reopened));
}

pub(crate) async fn what_lies_in_closed_books_stays<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let old = settlement(1, "default", RequestedAt::MIN);
    settle(store, ONE, &old).await;
    while store.retire().await.unwrap() != Retire::Done {}
    assert_eq!(undo(store, ONE, &old).await, Undo::TooOld);
    assert_eq!(total(store, Window::default()).await, sum(1_990, 1));
}
