use feeway_domain::{
    Adopt, Confirm, Custody, Decided, Fee, Hold, Incarnation, Ledger as _, Proof, Rename,
    Resolutions, Resolve, Settle, StandBack, Store, Verdict, Window,
};

use crate::world::{World, at, enlist, id, keep, payment, processor};

const NOON: &str = "2025-07-15T12:00:00Z";

fn held() -> Verdict {
    Verdict::Held {
        requested_at: at(NOON),
        fee: Fee::from_millionths(50_000).unwrap(),
    }
}

fn resolved(verdict: Verdict) -> Decided {
    Decided::Resolved {
        processor: processor("default"),
        verdict,
    }
}

/// An order that builds on whatever was the last one.
async fn order(store: &impl Resolutions, token: &str) -> StandBack {
    let last = last(store).await;
    let order = order_after(store, last.as_deref(), token).await;
    order.unwrap()
}

async fn order_after(
    store: &impl Resolutions,
    after: Option<&str>,
    token: &str,
) -> Option<StandBack> {
    let default = processor("default");
    let order = store.stand_back(&default, after, token, "ann|desk");
    order.await.unwrap()
}

async fn last(store: &impl Resolutions) -> Option<String> {
    let last = store.last_stand_back(&processor("default")).await;
    last.unwrap()
}

async fn end(store: &impl Resolutions, order: &StandBack) -> bool {
    let ended = store.end_stand_back(&order.processor, &order.token);
    ended.await.unwrap()
}

async fn confirm(store: &impl Resolutions, hold: &Hold, order: &StandBack) -> Confirm {
    let confirm = store.confirm_stand_back(hold, &order.processor, &order.token);
    confirm.await.unwrap()
}

async fn custody(store: &impl Resolutions, number: u64) -> Custody {
    let case = store.case(id(number)).await.unwrap().unwrap();
    case.custody.unwrap()
}

async fn decide(
    store: &impl Resolutions,
    seen: &Custody,
    verdict: &Verdict,
    order: &StandBack,
) -> Resolve {
    let proof = Proof::StoodBack(order.token.clone());
    store.resolve(seen, verdict, &proof, "ann").await.unwrap()
}

/// A front with a payment that is pinned to `default`, and the order to stand back from it.
async fn pinned<W: World>(world: &W) -> (Hold, Custody, StandBack)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    keep(store, &hold, 1, Some("default")).await;
    (hold, custody(store, 1).await, order(store, "t1").await)
}

pub(crate) async fn an_order_is_read_until_it_ends<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    assert_eq!(store.stand_backs().await, Ok(Vec::new()));
    let default = order(store, "t1").await;
    assert_eq!(default.processor, processor("default"));
    assert_eq!(default.by, "ann|desk");
    let another = store.stand_back(&processor("a"), None, "t2", "ben").await;
    let another = another.unwrap().unwrap();
    let both = store.stand_backs().await;
    assert_eq!(both, Ok(vec![another.clone(), default.clone()]));
    assert_ne!(another.token, default.token);
    assert!(end(store, &default).await);
    assert_eq!(store.stand_backs().await, Ok(vec![another]));
}

pub(crate) async fn the_same_token_again_changes_nothing<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let first = order(store, "t1").await;
    let again = order_after(store, None, "t1").await;
    assert_eq!(again, Some(first.clone()));
    let anew = order(store, "t2").await;
    assert_ne!(anew.token, first.token);
    assert!(anew.at >= first.at);
    assert_eq!(store.stand_backs().await, Ok(vec![anew]));
}

pub(crate) async fn only_the_order_that_was_seen_is_ended<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let (old, new) = (order(store, "t1").await, order(store, "t2").await);
    assert!(!end(store, &old).await);
    for unread in ["t2", "-t2", ""] {
        let ended = store.end_stand_back(&new.processor, unread).await;
        assert_eq!(ended, Ok(false), "{unread:?}");
    }
    assert_eq!(store.stand_backs().await, Ok(vec![new.clone()]));
    // The second time the answer was lost.
    for _ in 0..2 {
        assert!(end(store, &new).await);
        assert_eq!(store.stand_backs().await, Ok(Vec::new()));
    }
    assert!(!end(store, &old).await);
    let next = order(store, "t3").await;
    assert!(!end(store, &new).await);
    assert_eq!(store.stand_backs().await, Ok(vec![next]));
}

pub(crate) async fn an_order_builds_on_the_last_one<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    assert_eq!(last(store).await, None);
    assert_eq!(order_after(store, Some("t0"), "t1").await, None);
    let first = order(store, "t1").await;
    let in_force = last(store).await;
    assert_eq!(order_after(store, None, "t2").await, None, "it is outdated");
    assert_eq!(store.stand_backs().await, Ok(vec![first.clone()]));
    end(store, &first).await;
    let ended = last(store).await;
    assert_ne!(ended, in_force);
    for outdated in [None, in_force.as_deref()] {
        assert_eq!(order_after(store, outdated, "t2").await, None);
    }
    assert_eq!(store.stand_backs().await, Ok(Vec::new()));
    let anew = order_after(store, ended.as_deref(), "t2").await;
    assert_eq!(store.stand_backs().await, Ok(vec![anew.unwrap()]));
    let other = store.last_stand_back(&processor("a")).await;
    assert_eq!(other, Ok(None), "each processor has its own");
}

/// Whoever gave it has given up, and nobody would end it.
pub(crate) async fn a_late_order_does_not_come_back<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let mut before = last(store).await;
    for token in ["t1", "t2"] {
        let given = order_after(store, before.as_deref(), token).await;
        let given = given.unwrap();
        let again = order_after(store, before.as_deref(), token).await;
        assert_eq!(again.as_ref(), Some(&given));
        assert!(end(store, &given).await);
        assert_eq!(order_after(store, before.as_deref(), token).await, None);
        assert_eq!(store.stand_backs().await, Ok(Vec::new()));
        before = last(store).await;
    }
}

pub(crate) async fn an_order_that_has_ended_proves_nothing<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let (hold, seen, order) = pinned(world).await;
    assert_eq!(confirm(store, &hold, &order).await, Confirm::Confirmed);
    end(store, &order).await;
    let mark = StandBack {
        token: last(store).await.unwrap(),
        ..order.clone()
    };
    for ended in [&order, &mark] {
        assert_eq!(confirm(store, &hold, ended).await, Confirm::Stale);
        for verdict in [held(), Verdict::NotHeld] {
            let decided = decide(store, &seen, &verdict, ended).await;
            assert_eq!(decided, Resolve::Changed);
        }
    }
    assert_eq!(store.resolutions().await, Ok(Vec::new()));
}

pub(crate) async fn a_confirmation_needs_the_order_and_a_good_hold<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let (hold, _, old) = pinned(world).await;
    let new = order(store, "t2").await;
    assert_eq!(confirm(store, &hold, &old).await, Confirm::Stale);
    let stranger = Hold {
        epoch: hold.epoch + 1,
        ..hold.clone()
    };
    assert_eq!(confirm(store, &stranger, &new).await, Confirm::Fenced);
    for _ in 0..2 {
        assert_eq!(confirm(store, &hold, &new).await, Confirm::Confirmed);
    }
    let fronts = store.fronts().await.unwrap();
    let [owner] = &fronts.owners[..] else {
        panic!("{fronts:?}");
    };
    assert_eq!(owner.hold, hold);
    assert_eq!(owner.queued, 1);
    let confirmed = (new.processor.clone(), new.token.clone());
    assert_eq!(owner.confirmed, [confirmed]);
    end(store, &new).await;
    let order = order(store, "t3").await;
    assert_eq!(fronts.unconfirmed(&order.processor, &order.token).len(), 1);
}

pub(crate) async fn while_all_stand_back_the_living_are_not_asked_for_their_payments<W: World>(
    world: &W,
) where
    W::Store: Resolutions,
{
    let store = world.store();
    let (hold, seen, order) = pinned(world).await;
    confirm(store, &hold, &order).await;
    let settled = Resolve::Settled(Settle::Settled);
    assert_eq!(decide(store, &seen, &held(), &order).await, settled);
    // The answer was lost.
    let known = Resolve::Settled(Settle::Known);
    assert_eq!(decide(store, &seen, &held(), &order).await, known);
    let gone = decide(store, &seen, &Verdict::NotHeld, &order).await;
    assert_eq!(gone, Resolve::Gone);
    let summary = store.summary(Window::default()).await.unwrap();
    assert_eq!(summary.of(&processor("default")).count, 1);
    let beat = store.beat(std::slice::from_ref(&hold)).await.unwrap();
    assert_eq!(beat.queued, [Some(0)], "nobody is fenced");
    let records = store.resolutions().await.unwrap();
    assert_eq!((records.len(), &records[0].decided), (1, &resolved(held())));
}

pub(crate) async fn after_a_no_the_hold_stays_good_and_what_is_believed_of_the_entry_is_not<
    W: World,
>(
    world: &W,
) where
    W::Store: Resolutions,
{
    let store = world.store();
    let (hold, seen, order) = pinned(world).await;
    store.note_answered(&hold, id(1), 0).await.unwrap();
    confirm(store, &hold, &order).await;
    for _ in 0..2 {
        let released = decide(store, &seen, &Verdict::NotHeld, &order).await;
        assert_eq!(released, Resolve::Released);
    }
    assert_eq!(
        decide(store, &seen, &held(), &order).await,
        Resolve::Unnamed
    );
    assert_eq!(store.resolutions().await.unwrap().len(), 1);
    let entry = custody(store, 1).await.entry;
    assert_eq!((entry.processor, entry.moves), (None, 1));
    // Whoever still believes that it names the processor is told otherwise.
    for name in ["default", "fallback"] {
        let named = store.rename(&hold, id(1), 0, &processor(name)).await;
        assert_eq!(named, Ok(Rename::Differs(None)));
    }
    let named = store.rename(&hold, id(1), 1, &processor("fallback")).await;
    assert_eq!(named, Ok(Rename::Named));
    let released = decide(store, &seen, &Verdict::NotHeld, &order).await;
    assert_eq!(released, Resolve::Changed, "it names another one by now");
}

pub(crate) async fn nothing_is_decided_before_every_living_front_has_confirmed<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let (hold, seen, order) = pinned(world).await;
    let check = async |expected: Resolve| {
        let decided = decide(store, &seen, &Verdict::NotHeld, &order).await;
        assert_eq!(decided, expected);
    };
    check(Resolve::Changed).await;
    let other = enlist(store, "front-2.b").await;
    confirm(store, &other, &order).await;
    check(Resolve::Changed).await;
    confirm(store, &hold, &order).await;
    let third = enlist(store, "front-3.c").await;
    check(Resolve::Changed).await;
    assert_eq!(store.resolutions().await, Ok(Vec::new()));
    // One that has gone is not waited for.
    store.resign(&third).await.unwrap();
    check(Resolve::Released).await;
}

pub(crate) async fn nothing_is_decided_under_another_order<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let (hold, seen, old) = pinned(world).await;
    confirm(store, &hold, &old).await;
    let new = order(store, "t2").await;
    for verdict in [held(), Verdict::NotHeld] {
        for order in [&old, &new] {
            let decided = decide(store, &seen, &verdict, order).await;
            assert_eq!(decided, Resolve::Changed);
        }
    }
}

pub(crate) async fn what_a_front_confirmed_is_void_once_it_has_a_new_hold<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let (hold, _, order) = pinned(world).await;
    confirm(store, &hold, &order).await;
    world.owners_fall_silent().await;
    let next = enlist(store, "front-2.b").await;
    let adopted = store.adopt(&hold.owner, &next.holder).await.unwrap();
    assert!(matches!(adopted, Adopt::Adopted(_)));
    let seen = custody(store, 1).await;
    let decided = decide(store, &seen, &Verdict::NotHeld, &order).await;
    assert_eq!(decided, Resolve::Changed, "the word was another front's");
    // The same name again is another front.
    world.owners_fall_silent().await;
    let again = store.enlist(&hold.owner).await.unwrap();
    assert!(again.epoch > hold.epoch);
    let seen = custody(store, 1).await;
    let decided = decide(store, &seen, &Verdict::NotHeld, &order).await;
    assert_eq!(decided, Resolve::Changed);
    confirm(store, &again, &order).await;
    let decided = decide(store, &seen, &Verdict::NotHeld, &order).await;
    assert_eq!(decided, Resolve::Released);
}

pub(crate) async fn an_adopter_confirms_for_what_it_adopted<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let (hold, seen, order) = pinned(world).await;
    world.owners_fall_silent().await;
    let next = enlist(store, "front-2.b").await;
    confirm(store, &next, &order).await;
    // Nobody has it in hand, and whoever had it never said that it stands back.
    let decided = decide(store, &seen, &Verdict::NotHeld, &order).await;
    assert_eq!(decided, Resolve::Changed);
    let fronts = store.fronts().await.unwrap();
    let alone = fronts.left_alone(&order.processor, &order.token);
    assert_eq!(alone, [&Incarnation::new("front-1.a")]);
    store.adopt(&hold.owner, &next.holder).await.unwrap();
    let seen = custody(store, 1).await;
    let decided = decide(store, &seen, &Verdict::NotHeld, &order).await;
    assert_eq!(decided, Resolve::Released);
}

pub(crate) async fn a_decision_speaks_of_the_entry_that_was_seen<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let (hold, seen, order) = pinned(world).await;
    keep(store, &hold, 2, None).await;
    confirm(store, &hold, &order).await;
    let again = store.rename(&hold, id(1), 0, &processor("default")).await;
    assert_eq!(again, Ok(Rename::Named));
    for verdict in [held(), Verdict::NotHeld] {
        let decided = decide(store, &seen, &verdict, &order).await;
        assert_eq!(decided, Resolve::Changed);
    }
    let unnamed = custody(store, 2).await;
    let decided = decide(store, &unnamed, &Verdict::NotHeld, &order).await;
    assert_eq!(decided, Resolve::Unnamed);
    let seen = custody(store, 1).await;
    assert_eq!(seen.entry.payment, payment(1));
    let decided = decide(store, &seen, &held(), &order).await;
    assert_eq!(decided, Resolve::Settled(Settle::Settled));
}
