//! A Redis that has lost its past: fronts stand still until an operator lets them go on.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use feeway_domain::{
    Accept, Cause, Entry, Hold, InHand, Ledger as _, Rename, Settle, Site, Standstill, Store,
    StoreFault,
};
use feeway_store::{AdoptData, RedisConfig, RedisStore};
use feeway_testing::{Persistence, PrivateRedis};
use tokio::time::sleep;

use crate::world::{at, enlist, id, keep, payment, processor, raw, settlement, until, up};

/// What a Redis that is killed may forget, and a little more.
const SURE: Duration = Duration::from_millis(3_200);

const NEW: &str = "0123456789abcdef0123456789abcdef";

/// One payment in hand, and whoever works on it.
struct Hands(Vec<(Entry, Hold)>);

impl InHand for Hands {
    fn holds(&self) -> Vec<Hold> {
        self.0.iter().map(|(_, hold)| hold.clone()).collect()
    }

    fn sites(&self) -> Vec<Site> {
        vec![Site {
            processor: processor("default"),
            url: "http://processor:1".to_owned(),
            is_vouched: false,
        }]
    }

    fn entries(&self) -> Vec<(Entry, Hold)> {
        self.0.clone()
    }
}

fn front(redis: &PrivateRedis) -> (RedisStore, Arc<Standstill>) {
    let mut config = RedisConfig::new(redis.url().parse().unwrap());
    config.keeps_identity = true;
    let standstill = Arc::clone(&config.standstill);
    (RedisStore::new(config), standstill)
}

async fn tool(redis: &PrivateRedis) -> RedisStore {
    let store = RedisStore::new(RedisConfig::new(redis.url().parse().unwrap()));
    up(&store).await;
    store
}

/// Payment 1 is in this front's hands: renamed once to the fallback.
async fn take_one(store: &RedisStore) -> Hold {
    let hold = enlist(store, "front-1.a").await;
    let accepted = store
        .accept(&hold, &payment(1), Some(&processor("default")))
        .await;
    let Ok(Accept::Kept { accepted_at }) = accepted else {
        panic!("{accepted:?}");
    };
    let fallback = processor("fallback");
    let named = store.rename(&hold, id(1), 0, &fallback).await;
    assert_eq!(named, Ok(Rename::Named));
    let entry = Entry {
        payment: payment(1),
        owner: hold.owner.clone(),
        processor: Some(fallback),
        moves: 1,
        accepted_at,
    };
    store.write_back_from(Arc::new(Hands(vec![(entry, hold.clone())])));
    hold
}

/// Heartbeats for so many seconds, as fronts have them.
async fn live(store: &RedisStore, hold: &Hold, seconds: u32) {
    for _ in 0..seconds {
        sleep(Duration::from_secs(1)).await;
        let beat = store.beat(std::slice::from_ref(hold)).await.unwrap();
        assert!(beat.queued[0].is_some(), "{beat:?}");
    }
}

/// A front with a payment in hand, all of which a killed Redis cannot forget any more.
async fn with_a_past(redis: &PrivateRedis) -> (RedisStore, Arc<Standstill>, Hold) {
    let (store, standstill) = front(redis);
    up(&store).await;
    let hold = take_one(&store).await;
    sleep(SURE).await;
    live(&store, &hold, 1).await;
    (store, standstill, hold)
}

async fn size(redis: &PrivateRedis) -> u64 {
    let mut raw = raw(redis).await;
    redis::cmd("DBSIZE").query_async(&mut raw).await.unwrap()
}

/// It stands still for this reason, and its steps are not carried out.
async fn check_lost(store: &RedisStore, standstill: &Standstill, hold: &Hold, why: &str) {
    until("it is noticed", || standstill.has(Cause::Past)).await;
    let told = standstill.why().unwrap();
    assert!(told.contains(why) && told.contains("adopt-store"), "{told}");
    assert!(standstill.is_on());
    let refused = store.accept(hold, &payment(2), None).await;
    assert_eq!(refused, Err(StoreFault::Away));
    let done = settlement(1, "fallback", at("2025-07-15T12:00:00Z"));
    assert_eq!(store.settle(&done).await, Err(StoreFault::Away));
}

/// An operator lets the front go on, and it does, with what it had in hand.
async fn check_adopted(redis: &PrivateRedis, store: &RedisStore, standstill: &Standstill) {
    let tool = tool(redis).await;
    let seen = tool.data().await.unwrap();
    let other = feeway_store::Data {
        identity: Some("abc".to_owned()),
        ..seen.clone()
    };
    let changed = tool.adopt_data(&other, NEW, "me").await;
    assert_eq!(changed, Ok(AdoptData::Changed));
    for _ in 0..2 {
        let adopted = tool.adopt_data(&seen, NEW, "me").await;
        assert_eq!(adopted, Ok(AdoptData::Adopted));
    }
    let data = tool.data().await.unwrap();
    assert_eq!(data.identity.as_deref(), Some(NEW));
    until("the front goes on", || !standstill.has(Cause::Past)).await;
    assert_eq!(standstill.adoptions(), 1);
    up(store).await;
}

/// What it had in hand is there again, under a good hold.
async fn check_written_back(store: &RedisStore, hold: &Hold) {
    let beat = store.beat(std::slice::from_ref(hold)).await.unwrap();
    assert_eq!(beat.queued, [Some(1)]);
    let late = store.rename(hold, id(1), 0, &processor("default")).await;
    assert_eq!(late, Ok(Rename::Differs(Some(processor("fallback")))));
    let done = settlement(1, "fallback", at("2025-07-15T12:00:00Z"));
    assert_eq!(store.settle(&done).await, Ok(Settle::Settled));
    keep(store, hold, 2, None).await;
}

#[tokio::test]
async fn a_flushed_redis_is_left_alone_until_an_operator_adopts_it() {
    let redis = PrivateRedis::start();
    let (store, standstill, hold) = with_a_past(&redis).await;
    let mut raw = raw(&redis).await;
    redis::cmd("FLUSHALL").exec_async(&mut raw).await.unwrap();
    let beat = store.beat(std::slice::from_ref(&hold)).await;
    assert_eq!(beat, Err(StoreFault::Away));
    check_lost(&store, &standstill, &hold, "lost all its data").await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(size(&redis).await, 0, "nothing is written");
    check_adopted(&redis, &store, &standstill).await;
    check_written_back(&store, &hold).await;
}

#[tokio::test]
async fn a_redis_that_comes_back_empty_is_not_ours() {
    let mut redis = PrivateRedis::start();
    let (store, standstill, hold) = with_a_past(&redis).await;
    redis.restart();
    check_lost(&store, &standstill, &hold, "lost all its data").await;
    // Not even functions are.
    assert_eq!(size(&redis).await, 0);
    check_adopted(&redis, &store, &standstill).await;
    check_written_back(&store, &hold).await;
}

#[tokio::test]
async fn what_a_fresh_front_begins_in_an_empty_redis_is_other_data() {
    let mut redis = PrivateRedis::start();
    let (store, standstill, hold) = with_a_past(&redis).await;
    redis.kill();
    redis.restart();
    let (fresh, standing) = front(&redis);
    up(&fresh).await;
    check_lost(&store, &standstill, &hold, "Redis has").await;
    let other = enlist(&fresh, "front-2.b").await;
    keep(&fresh, &other, 7, None).await;
    check_adopted(&redis, &store, &standstill).await;
    check_written_back(&store, &hold).await;
    // Whoever belonged to it goes on as well.
    let beat = fresh.beat(std::slice::from_ref(&other)).await;
    assert_eq!(beat, Err(StoreFault::Away), "once");
    until("the other goes on", || standing.adoptions() == 1).await;
    up(&fresh).await;
    live(&fresh, &other, 2).await;
    keep(&fresh, &other, 8, None).await;
    assert!(!standing.is_on());
}

#[tokio::test]
async fn a_step_for_other_data_is_not_carried_out() {
    let redis = PrivateRedis::start();
    let (store, standstill, hold) = with_a_past(&redis).await;
    let mut raw = raw(&redis).await;
    redis::cmd("HSET")
        .arg(&["{0}:meta", "identity", "abcdef"])
        .exec_async(&mut raw)
        .await
        .unwrap();
    let beat = store.beat(std::slice::from_ref(&hold)).await;
    assert_eq!(beat, Err(StoreFault::Away));
    check_lost(
        &store,
        &standstill,
        &hold,
        "the data of another store, abcdef",
    )
    .await;
    let tool = tool(&redis).await;
    assert_eq!(
        tool.summary(Default::default()).await,
        Ok(Default::default())
    );
}

#[tokio::test]
async fn a_kill_that_forgets_nothing_durable_is_an_ordinary_restart() {
    let mut redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let (store, standstill) = front(&redis);
    up(&store).await;
    let hold = take_one(&store).await;
    live(&store, &hold, 5).await;
    for _ in 0..2 {
        redis.restart();
        up(&store).await;
        live(&store, &hold, 1).await;
    }
    assert!(!standstill.is_on());
    assert_eq!(standstill.adoptions(), 0);
}

#[tokio::test]
async fn an_older_copy_is_not_ours_and_is_brought_up_to_date_once_adopted() {
    let mut redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let (store, standstill) = front(&redis);
    up(&store).await;
    let hold = take_one(&store).await;
    live(&store, &hold, 1).await;
    let folder = redis.socket().parent().unwrap().join("appendonlydir");
    let copy = folder.with_extension("copy");
    copy_folder(&folder, &copy);
    live(&store, &hold, 8).await;
    redis.kill();
    fs::remove_dir_all(&folder).unwrap();
    copy_folder(&copy, &folder);
    redis.restart();
    check_lost(&store, &standstill, &hold, "an older copy").await;
    check_adopted(&redis, &store, &standstill).await;
    check_written_back(&store, &hold).await;
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}
