//! A Redis that forgets what it acknowledged, and what becomes of it.

use feeway_domain::{
    Accept, Adopt, Entry, Incarnation, Ledger as _, Proof, Reject, Rename, Reopen, RequestedAt,
    Resolutions, Resolve, Restamp, Status, Store, Summary, Verdict, Window,
};
use feeway_store::RedisStore;
use feeway_testing::{Persistence, PrivateRedis};

use crate::world::{InRedis, World, at, enlist, id, keep, payment, processor, settlement, up};

const NOON: &str = "2025-07-15T12:00:00Z";

/// Kills Redis and starts it again, and waits until the store has noticed.
pub(crate) async fn restart(world: &mut InRedis) {
    let mut restarts = world.store.redis().restarts();
    restarts.borrow_and_update();
    world.redis.restart();
    restarts.changed().await.unwrap();
    up(&world.store).await;
}

async fn queued(store: &RedisStore, owner: &Incarnation) -> Vec<Entry> {
    store.queued(owner, None, 100).await.unwrap()
}

async fn all(store: &RedisStore) -> Summary {
    store.summary(Window::default()).await.unwrap()
}

/// Every kind of acknowledged write, then the state they led to.
async fn a_busy_second(store: &RedisStore) -> (feeway_domain::Hold, Vec<Entry>, Summary) {
    let hold = enlist(store, "front-1.a").await;
    let old = enlist(store, "front-2.b").await;
    keep(store, &old, 9, Some("default")).await;
    store.resign(&old).await.unwrap();
    let adopted = store.adopt(&old.owner, &hold.owner).await.unwrap();
    assert!(matches!(adopted, Adopt::Adopted(_)));
    for number in 1..=5 {
        keep(store, &hold, number, None).await;
    }
    for (moves, name) in [(0, "default"), (1, "fallback"), (2, "default")] {
        let named = store.rename(&hold, id(1), moves, &processor(name)).await;
        assert_eq!(named, Ok(Rename::Named));
    }
    store
        .settle(&settlement(2, "default", at(NOON)))
        .await
        .unwrap();
    store
        .settle(&settlement(2, "fallback", at(NOON)))
        .await
        .unwrap();
    let rejected = store.reject(&hold, &payment(3), "400").await;
    assert_eq!(rejected, Ok(Reject::Rejected));
    let entries = queued(store, &hold.owner).await;
    assert_eq!(entries.len(), 3);
    (hold, entries, all(store).await)
}

async fn check_restored(world: &InRedis, before: &(feeway_domain::Hold, Vec<Entry>, Summary)) {
    let store = world.store();
    let (hold, entries, summary) = before;
    assert_eq!(queued(store, &hold.owner).await, *entries);
    assert_eq!(all(store).await, *summary);
    let rejected = store.find(id(3)).await.unwrap().unwrap();
    assert_eq!(rejected.status.reason(), Some("400"));
    let conflict = store.find(id(2)).await.unwrap().unwrap();
    assert!(matches!(conflict.status, Status::Conflict { .. }));
    let other = queued(store, &Incarnation::new("front-2.b")).await;
    assert_eq!(other[0].processor, Some(processor("default")));
    let beat = store.beat(std::slice::from_ref(hold)).await.unwrap();
    assert_eq!(beat.queued, [Some(3)], "the hold is still good");
    assert_eq!(beat.lapsed, [], "the adopted owner has its new holder");
    keep(store, hold, 100, None).await;
}

#[tokio::test]
async fn what_redis_forgot_is_repeated_in_order() {
    let mut world = InRedis::new(100).await;
    let before = a_busy_second(&world.store).await;
    restart(&mut world).await;
    check_restored(&world, &before).await;
}

#[tokio::test]
async fn what_redis_did_not_forget_is_not_done_twice() {
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let mut world = InRedis::on(redis, 100).await;
    let before = a_busy_second(&world.store).await;
    restart(&mut world).await;
    check_restored(&world, &before).await;
}

#[tokio::test]
async fn epochs_are_not_reused_after_a_restart() {
    let mut world = InRedis::new(100).await;
    let mut last = 0;
    for turn in 0..3 {
        let hold = enlist(&world.store, &format!("front-1.{turn}")).await;
        assert!(hold.epoch > last);
        last = hold.epoch;
        restart(&mut world).await;
    }
}

/// A client's second try may be answered from an entry whose writer never heard of it: the
/// one who said "known" vouches for it, as it was.
#[tokio::test]
async fn an_entry_that_was_only_found_is_repeated_as_it_was() {
    let mut world = InRedis::new(100).await;
    let writer = world.another().await;
    let hold = enlist(&writer, "front-2.b").await;
    keep(&writer, &hold, 1, Some("default")).await;
    let named = writer.rename(&hold, id(1), 0, &processor("fallback")).await;
    assert_eq!(named, Ok(Rename::Named));
    let entry = queued(&writer, &hold.owner).await;
    drop(writer);
    let finder = enlist(&world.store, "front-1.a").await;
    let known = world.store.accept(&finder, &payment(1), None).await;
    assert_eq!(known, Ok(Accept::Known));
    restart(&mut world).await;
    assert_eq!(queued(&world.store, &hold.owner).await, entry);
}

#[tokio::test]
async fn the_limit_and_maxmemory_do_not_stop_a_replay() {
    let redis = PrivateRedis::start();
    let mut world = InRedis::on(redis, 3).await;
    let hold = enlist(&world.store, "front-1.a").await;
    for number in 0..3 {
        keep(&world.store, &hold, number, None).await;
    }
    restart(&mut world).await;
    assert_eq!(queued(&world.store, &hold.owner).await.len(), 3);
    let full = world.store.accept(&hold, &payment(3), None).await;
    assert_eq!(full, Ok(Accept::Full));
}

#[tokio::test]
async fn a_purge_is_not_undone_by_a_replay() {
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let mut world = InRedis::on(redis, 100).await;
    let store = world.store.clone();
    store
        .settle(&settlement(1, "default", at(NOON)))
        .await
        .unwrap();
    store.purge().await.unwrap();
    restart(&mut world).await;
    assert_eq!(all(&store).await, Summary::default());
    assert_eq!(store.find(id(1)).await, Ok(None));
}

#[tokio::test]
async fn nothing_acknowledged_under_load_is_lost_to_a_kill() {
    let mut world = InRedis::new(100_000).await;
    let store = world.store.clone();
    let hold = enlist(&store, "front-1.a").await;
    let accepting = {
        let (store, hold) = (store.clone(), hold.clone());
        tokio::spawn(async move {
            let mut kept = Vec::new();
            for chunk in 0..60 {
                let payments = (0..50).map(|number| payment(chunk * 50 + number));
                let payments: Vec<_> = payments.collect();
                let accepts = payments.iter().map(|one| store.accept(&hold, one, None));
                let accepted = futures_util::future::join_all(accepts).await;
                let answered = payments.iter().zip(accepted);
                kept.extend(
                    answered
                        .filter(|(_, accepted)| matches!(accepted, Ok(Accept::Kept { .. })))
                        .map(|(payment, _)| payment.id),
                );
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            kept
        })
    };
    for _ in 0..2 {
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
        restart(&mut world).await;
    }
    let kept = accepting.await.unwrap();
    assert!(kept.len() > 100, "{}", kept.len());
    for id in kept {
        let found = store.find(id).await.unwrap();
        assert!(found.is_some(), "{id} was acknowledged and is gone");
    }
}

/// Whoever accepted a payment may not have been the one who settled it.
#[tokio::test]
async fn what_another_process_ended_is_not_opened_again() {
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let mut world = InRedis::on(redis, 100).await;
    let hold = enlist(&world.store, "front-1.a").await;
    for number in 1..=3 {
        keep(&world.store, &hold, number, Some("default")).await;
    }
    let other = world.another().await;
    other
        .settle(&settlement(1, "default", at(NOON)))
        .await
        .unwrap();
    other.reject(&hold, &payment(2), "400").await.unwrap();
    for (moves, name) in [(0, "fallback"), (1, "default"), (2, "fallback")] {
        let store = if moves < 2 { &world.store } else { &other };
        let named = store.rename(&hold, id(3), moves, &processor(name)).await;
        assert_eq!(named, Ok(Rename::Named));
    }
    drop(other);
    restart(&mut world).await;
    let left = queued(&world.store, &hold.owner).await;
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].payment.id, left[0].moves), (id(3), 3));
    assert_eq!(left[0].processor, Some(processor("fallback")));
    let beat = world.store.beat(std::slice::from_ref(&hold)).await.unwrap();
    assert_eq!(beat.queued, [Some(1)]);
}

/// The holder of an owner that was adopted since keeps what it acknowledged, but not the hold.
#[tokio::test]
async fn a_later_hold_stands_against_a_replay() {
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let mut world = InRedis::on(redis, 100).await;
    let old = enlist(&world.store, "front-1.a").await;
    keep(&world.store, &old, 1, None).await;
    let other = world.another().await;
    world.owners_fall_silent().await;
    let adopter = Incarnation::new("front-2.b");
    let adopted = other.adopt(&old.owner, &adopter).await.unwrap();
    let Adopt::Adopted(new) = adopted else {
        panic!("it was silent");
    };
    restart(&mut world).await;
    let fenced = world.store.accept(&old, &payment(2), None).await;
    assert_eq!(fenced, Ok(Accept::Fenced));
    keep(&world.store, &new, 2, None).await;
}

/// The front that had a payment in hand repeats how it left it; the operator's word is later.
#[tokio::test]
async fn a_release_stands_against_the_replay_of_the_front_that_slept() {
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let mut world = InRedis::on(redis, 100).await;
    let hold = enlist(&world.store, "front-1.a").await;
    keep(&world.store, &hold, 1, Some("fallback")).await;
    let default = processor("default");
    let named = world.store.rename(&hold, id(1), 0, &default).await;
    assert_eq!(named, Ok(Rename::Named));
    world.owners_fall_silent().await;
    let desk = world.another().await;
    let seen = desk.case(id(1)).await.unwrap().unwrap().custody.unwrap();
    let resolved = desk
        .resolve(&seen, &Verdict::NotHeld, &Proof::Silence, "ann")
        .await;
    assert_eq!(resolved, Ok(Resolve::Released));
    drop(desk);
    restart(&mut world).await;
    let entry = queued(&world.store, &hold.owner).await.remove(0);
    assert_eq!((entry.processor, entry.moves), (None, 2));
    let beat = world.store.beat(std::slice::from_ref(&hold)).await.unwrap();
    assert_eq!(beat.queued, [None], "its hold is good no longer");
    assert_eq!(world.store.resolutions().await.unwrap().len(), 1);
}

fn restamp() -> Restamp {
    Restamp {
        id: id(7),
        processor: processor("default"),
        theirs: RequestedAt::MIN,
        ours: at(NOON),
    }
}

/// The front that rejected a payment repeats all that it did; the operator's word is later.
#[tokio::test]
async fn a_reopening_stands_against_the_replay_of_the_front_that_rejected() {
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let mut world = InRedis::on(redis, 100).await;
    let hold = enlist(&world.store, "front-1.a").await;
    keep(&world.store, &hold, 1, Some("fallback")).await;
    let default = processor("default");
    let named = world.store.rename(&hold, id(1), 0, &default).await;
    assert_eq!(named, Ok(Rename::Named));
    let rejected = world.store.reject(&hold, &payment(1), "402").await;
    assert_eq!(rejected, Ok(Reject::Rejected));
    let desk = world.another().await;
    let owner = Incarnation::new("feeway-ctl.1");
    let reopened = desk.reopen(id(1), &owner, "ann").await;
    assert_eq!(reopened, Ok(Reopen::Reopened));
    drop(desk);
    restart(&mut world).await;
    let entry = queued(&world.store, &owner).await.remove(0);
    assert_eq!((entry.processor, entry.moves), (None, 2));
    assert_eq!(queued(&world.store, &hold.owner).await, []);
    let state = world.store.find(id(1)).await.unwrap().unwrap();
    assert_eq!(state.status, Status::Open { processor: None });
    // Nor does anything stay that would outlive the payment.
    let mut raw = world.raw().await;
    let (rejected, listed): (Vec<String>, u64) = redis::pipe()
        .cmd("KEYS")
        .arg("{0}:rejected:*")
        .cmd("ZCARD")
        .arg("{0}:rejections")
        .query_async(&mut raw)
        .await
        .unwrap();
    assert_eq!((rejected, listed), (Vec::new(), 0));
}

/// Also when it was rejected again meanwhile.
#[tokio::test]
async fn of_two_rejections_the_later_one_stands() {
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let mut world = InRedis::on(redis, 100).await;
    let hold = enlist(&world.store, "front-1.a").await;
    keep(&world.store, &hold, 1, Some("default")).await;
    world.store.reject(&hold, &payment(1), "402").await.unwrap();
    let other = world.another().await;
    let owner = Incarnation::new("feeway-ctl.1");
    other.reopen(id(1), &owner, "ann").await.unwrap();
    let adopted = other.adopt(&owner, &Incarnation::new("front-2.b")).await;
    let Ok(Adopt::Adopted(adopted)) = adopted else {
        panic!("{adopted:?}");
    };
    let rejected = other.reject(&adopted, &payment(1), "410").await;
    assert_eq!(rejected, Ok(Reject::Rejected));
    drop(other);
    restart(&mut world).await;
    let state = world.store.find(id(1)).await.unwrap().unwrap();
    assert_eq!(state.status.reason(), Some("410"));
}

#[tokio::test]
async fn a_forgotten_rejection_and_a_forgotten_restamp_are_repeated_as_they_were() {
    let mut world = InRedis::new(100).await;
    let hold = enlist(&world.store, "front-1.a").await;
    keep(&world.store, &hold, 1, Some("default")).await;
    let accepted_at = queued(&world.store, &hold.owner).await[0].accepted_at;
    let fallback = processor("fallback");
    let named = world.store.rename(&hold, id(1), 0, &fallback).await;
    assert_eq!(named, Ok(Rename::Named));
    world.store.reject(&hold, &payment(1), "402").await.unwrap();
    world.store.note_restamp(&restamp()).await.unwrap();
    restart(&mut world).await;
    let restamped = world.store.restamped().await.unwrap();
    assert_eq!(restamped[0].restamp, restamp());
    let owner = Incarnation::new("feeway-ctl.1");
    world.store.reopen(id(1), &owner, "ann").await.unwrap();
    let entry = queued(&world.store, &owner).await.remove(0);
    assert_eq!((entry.accepted_at, entry.moves), (accepted_at, 2));
}

/// What a version wrote that did not know when the payment was accepted.
#[tokio::test]
async fn a_rejection_of_an_earlier_version_is_read_and_reopened() {
    let world = InRedis::new(100).await;
    let store = world.store();
    let mut raw = world.raw().await;
    redis::cmd("SET")
        .arg(format!("{{0}}:rejected:{}", id(1)))
        .arg("1990|1752580800000000|default answered 402")
        .exec_async(&mut raw)
        .await
        .unwrap();
    let state = store.find(id(1)).await.unwrap().unwrap();
    assert_eq!(state.status.reason(), Some("default answered 402"));
    let owner = Incarnation::new("feeway-ctl.1");
    let reopened = store.reopen(id(1), &owner, "ann").await;
    assert_eq!(reopened, Ok(Reopen::Reopened));
    let entry = queued(store, &owner).await.remove(0);
    assert_eq!((entry.payment, entry.moves), (payment(1), 1));
    assert_eq!(entry.accepted_at.micros(), at(NOON).micros());
}
