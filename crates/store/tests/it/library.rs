//! Which program brings the functions, and which goes on with those that are there.

use std::time::Duration;

use feeway_domain::{Accept, Incarnation, Ledger as _, Store, Window};
use feeway_redis_layout::LIBRARY;
use feeway_store::{RedisConfig, RedisStore, Unusable};
use feeway_testing::CaughtLog;
use feeway_testing::PrivateRedis;
use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;

use crate::world::{InRedis, enlist, keep, payment, raw, until, up};

/// The functions as another release has them.
pub(crate) fn release(version: &str) -> String {
    let (before, after) = LIBRARY.split_once("local VERSION = '").unwrap();
    let (_, after) = after.split_once('\'').unwrap();
    format!("{before}local VERSION = '{version}'{after}")
}

/// As of a release that told no version.
fn untold() -> String {
    LIBRARY.replace("'feeway_version'", "'feeway_other'")
}

/// As of a release that lacks a function.
fn without(function: &str, text: &str) -> String {
    text.replace(
        &format!("register('{function}'"),
        &format!("register('{function}_lacks'"),
    )
}

async fn load(raw: &mut MultiplexedConnection, text: &str) {
    redis::cmd("FUNCTION")
        .arg(&["LOAD", "REPLACE", text])
        .exec_async(raw)
        .await
        .unwrap();
}

/// What Redis has of them; nothing without any.
async fn loaded(raw: &mut MultiplexedConnection) -> String {
    let listed: redis::Value = redis::cmd("FUNCTION")
        .arg(&["LIST", "WITHCODE"])
        .query_async(raw)
        .await
        .unwrap();
    format!("{listed:?}")
}

/// How often anybody loaded functions.
async fn loads(raw: &mut MultiplexedConnection) -> usize {
    let stats: String = redis::cmd("INFO")
        .arg("commandstats")
        .query_async(raw)
        .await
        .unwrap();
    let line = stats
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_function|load:calls="));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

async fn limit_memory(raw: &mut MultiplexedConnection, memory: &str) {
    redis::cmd("CONFIG")
        .arg(&["SET", "maxmemory", memory])
        .exec_async(raw)
        .await
        .unwrap();
}

/// That the text is there which has this mark, and a payment can be kept.
async fn check_serves(world: &InRedis, mark: &str) {
    let hold = enlist(&world.store, "front-1.a").await;
    keep(&world.store, &hold, 1, None).await;
    let loaded = loaded(&mut world.raw().await).await;
    assert!(loaded.contains(mark), "{mark}");
}

#[tokio::test]
async fn a_newer_text_stays_also_after_a_lost_connection() {
    let redis = PrivateRedis::start();
    let mut raw = raw(&redis).await;
    load(&mut raw, &release("4000000")).await;
    let world = InRedis::on(redis, 10).await;
    check_serves(&world, "version 4000000").await;
    let mut restarts = world.store.redis().restarts();
    restarts.borrow_and_update();
    redis::cmd("CLIENT")
        .arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"])
        .exec_async(&mut raw)
        .await
        .unwrap();
    restarts.changed().await.unwrap();
    up(&world.store).await;
    assert!(loaded(&mut raw).await.contains("version 4000000"));
    assert_eq!(loads(&mut raw).await, 1);
}

#[tokio::test]
async fn an_older_text_is_replaced_whether_it_tells_its_version_or_not() {
    for older in [release("0"), untold()] {
        let redis = PrivateRedis::start();
        let mut raw = raw(&redis).await;
        load(&mut raw, &format!("{older}\n-- an older release\n")).await;
        let world = InRedis::on(redis, 10).await;
        check_serves(&world, "feeway_version").await;
        assert!(!loaded(&mut raw).await.contains("an older release"));
    }
}

/// Of one version there is one text. Should there be two, they would take turns for ever.
#[tokio::test]
async fn a_text_of_the_same_version_stays() {
    let redis = PrivateRedis::start();
    load(&mut raw(&redis).await, &format!("{LIBRARY}\n-- the same\n")).await;
    let world = InRedis::on(redis, 10).await;
    check_serves(&world, "the same").await;
}

#[tokio::test]
async fn what_only_reads_loads_nothing_and_says_what_is_missing() {
    let redis = PrivateRedis::start();
    let mut raw = raw(&redis).await;
    let reader = || {
        RedisStore::new(RedisConfig {
            only_reads: true,
            ..RedisConfig::new(redis.url().parse().unwrap())
        })
    };
    let refused = reader().redis().ready().await.unwrap_err();
    assert!(refused.to_string().contains("none of Feeway's functions"));
    let lacking = release("0").replace("'stand_backs'", "'stand_backs_lacks'");
    load(&mut raw, &lacking).await;
    let refused = reader().redis().ready().await.unwrap_err();
    let Unusable::Functions(missing) = &refused else {
        panic!("{refused}");
    };
    assert_eq!(
        (&*missing.missing, missing.found),
        (&["stand_backs"][..], Some(0))
    );
    assert!(
        refused.to_string().contains("lacks stand_backs"),
        "{refused}"
    );
    let keys: u64 = redis::cmd("DBSIZE").query_async(&mut raw).await.unwrap();
    assert_eq!((keys, loads(&mut raw).await), (0, 1));
    // An older one that has all that is read will do.
    load(&mut raw, &without("accept_many", &release("0"))).await;
    let store = reader();
    store.redis().ready().await.unwrap();
    store.summary(Window::default()).await.unwrap();
    assert_eq!(loads(&mut raw).await, 2);
}

/// Redis refuses to load functions at maxmemory, of whatever size they are.
#[tokio::test]
async fn a_full_redis_does_where_the_older_functions_are_all_there() {
    let redis = PrivateRedis::start();
    let mut raw = raw(&redis).await;
    load(&mut raw, &release("0")).await;
    redis::cmd("SET")
        .arg(&["{0}:schema", "2"])
        .exec_async(&mut raw)
        .await
        .unwrap();
    limit_memory(&mut raw, "1").await;
    let log = CaughtLog::start();
    let world = InRedis::on(redis, 10).await;
    enlist(&world.store, "front-1.a").await;
    assert!(loaded(&mut raw).await.contains("version 0"));
    let told = log.lines("WARN", "Redis refused to load newer functions");
    assert!(told[0].contains("OOM"), "{told:?}");
}

#[tokio::test]
async fn a_full_redis_without_a_function_is_waited_for_and_named() {
    let redis = PrivateRedis::start();
    let mut raw = raw(&redis).await;
    load(&mut raw, &without("beat", &release("0"))).await;
    limit_memory(&mut raw, "1").await;
    let store = RedisStore::new(RedisConfig::new(redis.url().parse().unwrap()));
    until("it is known why", || store.redis().trouble().is_some()).await;
    let trouble = store.redis().trouble().unwrap();
    assert!(trouble.answers, "{trouble:?}");
    assert!(trouble.why.contains("beat"), "{trouble:?}");
    assert!(trouble.why.contains("OOM"), "{trouble:?}");
    limit_memory(&mut raw, "0").await;
    store.redis().ready().await.unwrap();
    enlist(&store, "front-1.a").await;
}

#[tokio::test]
async fn a_newer_text_that_lacks_a_function_is_left_alone_and_refused_for_good() {
    let redis = PrivateRedis::start();
    let mut raw = raw(&redis).await;
    load(&mut raw, &without("beat", &release("4000000"))).await;
    let store = RedisStore::new(RedisConfig::new(redis.url().parse().unwrap()));
    let refused = store.redis().ready().await.unwrap_err();
    assert!(refused.to_string().contains("lacks beat"), "{refused}");
    let enlisted = store.enlist(&Incarnation::new("front-1.a")).await;
    enlisted.unwrap_err();
    assert_eq!(loads(&mut raw).await, 1);
}

/// Some of them find that another was faster, and look again.
#[tokio::test]
async fn many_that_come_at_once_load_it_once_each_at_most_and_not_again() {
    for before in [None, Some(release("0"))] {
        let redis = PrivateRedis::start();
        let mut raw = raw(&redis).await;
        if let Some(before) = before {
            load(&mut raw, &before).await;
        }
        let stores: Vec<_> = (0..8)
            .map(|_| RedisStore::new(RedisConfig::new(redis.url().parse().unwrap())))
            .collect();
        join_all(
            stores
                .iter()
                .map(|store| async { store.redis().ready().await.unwrap() }),
        )
        .await;
        join_all(stores.iter().map(up)).await;
        let first = loads(&mut raw).await;
        assert!(first <= 9, "{first}");
        let hold = enlist(&stores[0], "front-1.a").await;
        for store in &stores {
            let accepted = store.accept(&hold, &payment(1), None).await;
            assert!(matches!(accepted, Ok(Accept::Kept { .. } | Accept::Known)));
        }
        // More than it takes to connect anew.
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(loads(&mut raw).await, first);
    }
}
