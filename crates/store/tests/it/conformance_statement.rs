use feeway_domain::{
    CLOCK_SLIP, Confirm, Hold, Ledger as _, Proof, RequestedAt, Resolutions, Retire, Run, Settle,
    Settlement, Stated, Status, Store, Window,
};

use crate::world::{World, at, cents, enlist, id, keep, micros, payment, processor, settlement};

/// Before the clock of a store in memory begins: nothing is settled in the future.
const NOON: &str = "2025-06-15T12:00:00Z";
const HOUR: i64 = 3_600_000_000;

/// A run of its own.
fn run(number: u64) -> Run {
    Run {
        id: format!("{number:016x}"),
        file: "export.jsonl".to_owned(),
        by: "ann@desk".to_owned(),
        expected: 10,
    }
}

async fn state(store: &impl Resolutions, settlement: &Settlement, proof: &Proof) -> Stated {
    let run = run(settlement.payment.id.as_bytes()[0].into());
    let stated = store.settle_stated(settlement, &run, CLOCK_SLIP, proof);
    stated.await.unwrap()
}

async fn state_in_silence(store: &impl Resolutions, settlement: &Settlement) -> Stated {
    state(store, settlement, &Proof::Silence).await
}

async fn now(store: &impl Resolutions) -> RequestedAt {
    micros(store.fronts().await.unwrap().now.micros())
}

/// A payment of an owner who has left.
async fn left_open(store: &impl Resolutions, number: u64, name: Option<&str>) -> Hold {
    let hold = enlist(store, "front-1.a").await;
    keep(store, &hold, number, name).await;
    store.resign(&hold).await.unwrap();
    hold
}

pub(crate) async fn what_only_an_export_has_is_settled_once<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let hold = left_open(store, 1, Some("fallback")).await;
    let done = [
        settlement(1, "default", now(store).await),
        // Nobody knows when this one was accepted.
        settlement(2, "default", RequestedAt::MIN),
    ];
    for done in &done {
        assert_eq!(state_in_silence(store, done).await, Stated::Settled);
        assert_eq!(
            state_in_silence(store, done).await,
            Stated::Settled,
            "the answer was lost"
        );
        let other = run(99);
        let again = store.settle_stated(done, &other, CLOCK_SLIP, &Proof::Silence);
        assert_eq!(again.await, Ok(Stated::Known));
        assert_eq!(store.settle(done).await, Ok(Settle::Known));
        let expected = Status::Settled {
            processor: processor("default"),
            requested_at: done.requested_at,
        };
        let found = store.find(done.payment.id).await.unwrap().unwrap();
        assert_eq!(found.status, expected);
    }
    let summary = store.summary(Window::default()).await.unwrap();
    let total = summary.of(&processor("default"));
    assert_eq!((total.count, total.cents), (2, 2 * 1_990));
    let open = store.queued(&hold.owner, None, 10).await.unwrap();
    assert_eq!(open, [], "its entry has ended");
}

pub(crate) async fn what_another_processor_holds_is_not_settled<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    for name in ["fallback", "third"] {
        store.settle(&settlement(1, name, at(NOON))).await.unwrap();
    }
    let elsewhere = Stated::Elsewhere {
        holder: processor("fallback"),
    };
    let ours = settlement(1, "default", at(NOON));
    assert_eq!(state_in_silence(store, &ours).await, elsewhere);
    // Each holder of a conflict has it.
    for name in ["fallback", "third"] {
        let theirs = settlement(1, name, at(NOON));
        assert_eq!(state_in_silence(store, &theirs).await, Stated::Known);
    }
    let summary = store.summary(Window::default()).await.unwrap();
    assert_eq!(summary.of(&processor("default")).count, 0);
}

pub(crate) async fn what_is_known_with_another_amount_is_not_settled<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let hold = left_open(store, 1, None).await;
    keep(store, &hold, 2, None).await;
    store.reject(&hold, &payment(2), "402").await.unwrap();
    for number in [1, 2] {
        let mut done = settlement(number, "default", now(store).await);
        done.payment.amount = cents(7);
        let expected = Stated::AmountDiffers { ours: cents(1_990) };
        assert_eq!(state_in_silence(store, &done).await, expected);
        let found = store.find(id(number)).await.unwrap().unwrap();
        assert!(!matches!(found.status, Status::Settled { .. }));
    }
}

pub(crate) async fn nothing_is_settled_at_an_impossible_time<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let hold = left_open(store, 1, None).await;
    keep(store, &hold, 2, Some("fallback")).await;
    store.reject(&hold, &payment(2), "402 | 402").await.unwrap();
    let now = now(store).await.micros();
    let slip = i64::try_from(CLOCK_SLIP.as_micros()).unwrap();
    // What was accepted just now, or rejected, and what nobody knows.
    for (number, expected) in [(1, false), (2, false), (3, true)] {
        let late = settlement(number, "default", micros(now + slip + HOUR));
        assert_eq!(state_in_silence(store, &late).await, Stated::Impossible);
        let early = settlement(number, "default", micros(now - HOUR));
        let is_settled = state_in_silence(store, &early).await == Stated::Settled;
        assert_eq!(is_settled, expected, "{number}");
    }
    for number in [1, 2] {
        let found = store.find(id(number)).await.unwrap().unwrap();
        assert!(!matches!(found.status, Status::Settled { .. }));
        let possible = settlement(number, "default", micros(now));
        assert_eq!(state_in_silence(store, &possible).await, Stated::Settled);
    }
}

pub(crate) async fn nothing_is_settled_in_closed_books<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    while store.retire().await.unwrap() != Retire::Done {}
    let old = settlement(1, "default", RequestedAt::MIN);
    let Stated::TooOld { oldest } = state_in_silence(store, &old).await else {
        panic!("its hour is closed");
    };
    assert_eq!(store.find(id(1)).await, Ok(None));
    let first = settlement(2, "default", oldest);
    assert_eq!(state_in_silence(store, &first).await, Stated::Settled);
}

pub(crate) async fn nothing_is_settled_by_an_export_while_somebody_may_send<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let done = settlement(1, "default", at(NOON));
    let hold = enlist(store, "front-1.a").await;
    let other = enlist(store, "front-2.b").await;
    assert_eq!(state_in_silence(store, &done).await, Stated::Changed);
    let order = async |name: &str, token: &str| {
        let name = processor(name);
        let last = store.last_stand_back(&name).await.unwrap();
        let order = store.stand_back(&name, last.as_deref(), token, "ann").await;
        order.unwrap().unwrap()
    };
    let (order, elsewhere) = (order("default", "t1").await, order("third", "t2").await);
    let proof = Proof::StoodBack(order.token.clone());
    let confirm = async |hold: &Hold, order: &feeway_domain::StandBack| {
        let confirm = store.confirm_stand_back(hold, &order.processor, &order.token);
        assert_eq!(confirm.await, Ok(Confirm::Confirmed));
    };
    confirm(&hold, &order).await;
    confirm(&other, &elsewhere).await;
    assert_eq!(state(store, &done, &proof).await, Stated::Changed);
    confirm(&other, &order).await;
    let wrong = Proof::StoodBack(elsewhere.token.clone());
    assert_eq!(state(store, &done, &wrong).await, Stated::Changed);
    assert_eq!(store.find(id(1)).await, Ok(None));
    assert_eq!(state(store, &done, &proof).await, Stated::Settled);
    // An order that has ended proves nothing, and who has gone need not confirm.
    let ended = store.end_stand_back(&order.processor, &order.token).await;
    assert_eq!(ended, Ok(true));
    let next = settlement(2, "default", at(NOON));
    assert_eq!(state(store, &next, &proof).await, Stated::Changed);
    world.owners_fall_silent().await;
    assert_eq!(state_in_silence(store, &next).await, Stated::Settled);
}

pub(crate) async fn the_fee_that_was_told_last_is_known<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    assert_eq!(store.fees().await, Ok(Vec::new()));
    let fee = |share| feeway_domain::Fee::from_millionths(share).unwrap();
    let both = [
        (processor("fallback"), fee(150_000)),
        (processor("default"), fee(50_000)),
    ];
    store.tell_fees(&both).await.unwrap();
    let one = [(processor("default"), fee(70_000))];
    store.tell_fees(&one).await.unwrap();
    store.purge().await.unwrap();
    let expected = [one[0].clone(), both[0].clone()];
    assert_eq!(store.fees().await.unwrap(), expected);
}
