//! What only Redis can show of notes, of those who left a processor and of trust: full
//! memory, older functions, and a restart.

use std::time::Duration;

use feeway_domain::{
    Hold, Ledger as _, Note, Purge, Rename, Resolutions, Settle, Store, StoreFault,
};
use feeway_testing::{Persistence, PrivateRedis};
use redis::aio::MultiplexedConnection;

use crate::conformance_absence::refused_by_all;
use crate::library::release;
use crate::world::{InRedis, at, enlist, id, keep, payment, processor, settlement, up};

const NOON: &str = "2025-07-15T12:00:00Z";

async fn notes(raw: &mut MultiplexedConnection) -> Vec<String> {
    let keys = redis::cmd("KEYS")
        .arg("{0}:answered:*")
        .query_async(raw)
        .await;
    keys.unwrap()
}

async fn hset(raw: &mut MultiplexedConnection, key: &str, field: &[u8], value: &str) {
    let mut hset = redis::cmd("HSET");
    hset.arg(key).arg(field).arg(value);
    hset.exec_async(raw).await.unwrap();
}

async fn one_noted(world: &InRedis) -> Hold {
    let hold = enlist(&world.store, "front-1.a").await;
    keep(&world.store, &hold, 1, Some("default")).await;
    let noted = world.store.note_answered(&hold, id(1), 0).await;
    assert_eq!(noted, Ok(Note::Noted));
    hold
}

#[tokio::test]
async fn what_frees_a_payment_works_at_maxmemory() {
    let world = InRedis::new(10).await;
    let store = &world.store;
    let (hold, default) = (enlist(store, "front-1.a").await, processor("default"));
    keep(store, &hold, 1, Some("default")).await;
    redis::cmd("CONFIG")
        .arg("SET")
        .arg(&["maxmemory", "1"])
        .exec_async(&mut world.raw().await)
        .await
        .unwrap();
    let refused = store.accept(&hold, &payment(2), None).await;
    assert_eq!(refused, Err(StoreFault::Full));
    let noted = store.note_answered(&hold, id(1), 0).await;
    assert_eq!(noted, Ok(Note::Noted));
    let answered = store.answered(&hold.owner, &[id(1)]).await;
    assert_eq!(answered, Ok(vec![Some(0)]));
    store.note_freed(&payment(1), &default).await.unwrap();
    let freed = store.freed(Duration::ZERO, 10).await.unwrap();
    assert_eq!(freed.len(), 1);
    store.forget_freed(&freed[0]).await.unwrap();
    assert_eq!(store.freed(Duration::ZERO, 10).await, Ok(Vec::new()));
    for (is_trusted, count) in [(true, 1), (false, 0)] {
        let trust = store.trust_look_up(&default, "http://a", is_trusted);
        trust.await.unwrap();
        assert_eq!(store.trusted_look_ups().await.unwrap().len(), count);
    }
}

/// The functions as they were before there were notes.
fn older_library() -> String {
    let since = [
        "'note_answered'",
        "'note_freed'",
        "'freed'",
        "'forget_freed'",
        "'trust_look_up'",
    ];
    let library = release("0");
    let is_new = |line: &str| {
        line.starts_with("register(") || line.starts_with("redis.register_function(")
    } && since.iter().any(|name| line.contains(name));
    let older: Vec<&str> = library.lines().filter(|line| !is_new(line)).collect();
    assert_eq!(older.len() + since.len(), library.lines().count());
    older.join("\n")
}

/// An operator may have loaded the functions of an older release.
#[tokio::test]
async fn an_older_library_is_replaced_when_a_function_is_missing() {
    let world = InRedis::new(10).await;
    let store = &world.store;
    let hold = enlist(store, "front-1.a").await;
    keep(store, &hold, 1, Some("default")).await;
    let mut restarts = store.redis().restarts();
    restarts.borrow_and_update();
    redis::cmd("FUNCTION")
        .arg("LOAD")
        .arg("REPLACE")
        .arg(older_library())
        .exec_async(&mut world.raw().await)
        .await
        .unwrap();
    keep(store, &hold, 2, Some("default")).await;
    let missing = store.note_answered(&hold, id(1), 0).await;
    assert_eq!(missing, Err(StoreFault::Away));
    restarts.changed().await.unwrap();
    up(store).await;
    let noted = store.note_answered(&hold, id(1), 0).await;
    assert_eq!(noted, Ok(Note::Noted));
}

#[tokio::test]
async fn a_purge_and_a_discharge_leave_no_note_behind() {
    let world = InRedis::new(10).await;
    let mut raw = world.raw().await;
    let hold = enlist(&world.store, "front-1.a").await;
    for is_purge in [true, false] {
        // As an older library left them.
        hset(&mut raw, "{0}:answered:front-1.a", id(1).as_bytes(), "0").await;
        if is_purge {
            assert_eq!(world.store.purge().await, Ok(Purge::Purged));
        } else {
            assert_eq!(world.store.discharge(&hold).await, Ok(true));
        }
        assert_eq!(notes(&mut raw).await, [""; 0], "{is_purge}");
    }
}

#[tokio::test]
async fn a_restart_brings_back_who_left_and_no_notes() {
    let mut world = InRedis::new(10).await;
    let hold = one_noted(&world).await;
    let default = processor("default");
    let store = world.store.clone();
    store.note_freed(&payment(1), &default).await.unwrap();
    store
        .trust_look_up(&default, "http://a", true)
        .await
        .unwrap();
    keep(&store, &hold, 2, Some("default")).await;
    let rejected = store.reject(&hold, &payment(2), &refused_by_all()).await;
    assert!(rejected.is_ok(), "{rejected:?}");
    world.restart().await;
    let freed = store.freed(Duration::ZERO, 10).await.unwrap();
    assert_eq!((freed.len(), freed[0].payment), (1, payment(1)));
    let entries = store.queued(&hold.owner, None, 10).await.unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(store.answered(&hold.owner, &[id(1)]).await, Ok(vec![None]));
    assert_eq!(store.trusted_look_ups().await, Ok(Vec::new()));
    let case = store.case(id(2)).await.unwrap().unwrap();
    assert_eq!(
        case.lines[0].state.status.reason(),
        Some(&*refused_by_all())
    );
}

#[tokio::test]
async fn a_renaming_that_is_repeated_voids_the_note_before_it() {
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let mut world = InRedis::on(redis, 10).await;
    let hold = one_noted(&world).await;
    let store = world.store.clone();
    let entry: String = redis::cmd("HGET")
        .arg("{0}:open")
        .arg(id(1).as_bytes())
        .query_async(&mut world.raw().await)
        .await
        .unwrap();
    let named = store.rename(&hold, id(1), 0, &processor("default")).await;
    assert_eq!(named, Ok(Rename::Named));
    // As if Redis had forgotten the renaming and not the note.
    let mut raw = world.raw().await;
    hset(&mut raw, "{0}:open", id(1).as_bytes(), &entry).await;
    world.restart().await;
    let entry = store.queued(&hold.owner, None, 1).await.unwrap().remove(0);
    assert_eq!(entry.moves, 1);
    let noted = store.answered(&hold.owner, &[id(1)]).await;
    assert_eq!(noted, Ok(vec![Some(0)]), "of another number");
}

#[tokio::test]
async fn a_settlement_that_is_repeated_ends_the_note_again() {
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let mut world = InRedis::on(redis, 10).await;
    let hold = one_noted(&world).await;
    let store = world.store.clone();
    let entry = store.queued(&hold.owner, None, 1).await.unwrap().remove(0);
    let done = settlement(1, "default", at(NOON));
    assert_eq!(store.settle(&done).await, Ok(Settle::Settled));
    let mut raw = world.raw().await;
    assert_eq!(notes(&mut raw).await, [""; 0]);
    // As if Redis had forgotten that.
    let text = format!("front-1.a|default|0|1990|{}", entry.accepted_at.micros());
    hset(&mut raw, "{0}:open", id(1).as_bytes(), &text).await;
    hset(&mut raw, "{0}:answered:front-1.a", id(1).as_bytes(), "0").await;
    world.restart().await;
    assert_eq!(notes(&mut world.raw().await).await, [""; 0]);
}

#[tokio::test]
async fn distrust_is_repeated_also_after_a_purge() {
    for purges in [0, 1] {
        let redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
        let mut world = InRedis::on(redis, 10).await;
        let store = world.store.clone();
        let default = processor("default");
        for is_trusted in [true, false] {
            let trust = store.trust_look_up(&default, "http://a", is_trusted);
            trust.await.unwrap();
        }
        for _ in 0..purges {
            assert_eq!(store.purge().await, Ok(Purge::Purged));
        }
        // As if Redis had forgotten the distrust and not the trust.
        let mut raw = world.raw().await;
        hset(&mut raw, "{0}:look-ups", b"default", "http://a").await;
        world.restart().await;
        assert_eq!(store.trusted_look_ups().await, Ok(Vec::new()));
    }
}
