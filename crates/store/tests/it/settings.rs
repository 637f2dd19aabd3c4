//! Settings of Redis that break a promise: they are seen when connecting, and each minute, or
//! sooner while one is wrong.

use std::time::Duration;

use feeway_domain::{Cause, Store, StoreFault};
use feeway_store::{Breach, RedisConfig, RedisStore, Settings};
use feeway_testing::CaughtLog;
use feeway_testing::{Persistence, PrivateRedis};
use tokio::time::sleep;

use crate::library::release;
use crate::world::{enlist, keep, payment, raw, up};

const BREAKS: &str = "a setting of Redis is unsafe";
const WORTH: &str = "check Redis";

fn redis(options: &[&str]) -> PrivateRedis {
    PrivateRedis::start_with(Persistence::AppendOnly, options)
}

async fn command(redis: &PrivateRedis, words: &[&str]) {
    redis::cmd(words[0])
        .arg(&words[1..])
        .exec_async(&mut raw(redis).await)
        .await
        .unwrap();
}

async fn user(redis: &PrivateRedis, rules: &[&str]) {
    command(redis, &[&["ACL", "SETUSER", "default"], rules].concat()).await;
}

/// A store that has looked at its Redis.
async fn looked(redis: &PrivateRedis, settings: Settings) -> RedisStore {
    let store = RedisStore::new(RedisConfig {
        settings,
        ..RedisConfig::new(redis.url().parse().unwrap())
    });
    up(&store).await;
    store.redis().ready().await.unwrap();
    store
}

fn why(store: &RedisStore) -> String {
    store.redis().standstill().why().unwrap_or_default()
}

fn labels(store: &RedisStore) -> Vec<&'static str> {
    store.redis().breaches().iter().map(Breach::label).collect()
}

async fn until(within: Duration, what: &str, holds: impl Fn() -> bool) {
    let looks = within.as_millis() / 20;
    for _ in 0..looks {
        if holds() {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("not within {within:?}: {what}");
}

/// While something is wrong it is looked at every few seconds.
const HEALS: Duration = Duration::from_secs(8);

#[tokio::test]
async fn a_good_redis_breaks_nothing() {
    for fsync in ["everysec", "always", "no"] {
        let log = CaughtLog::start();
        let redis = redis(&["--appendfsync", fsync, "--maxmemory", "1gb"]);
        let store = looked(&redis, Settings::Required).await;
        assert_eq!((why(&store), labels(&store)), (String::new(), vec![]));
        assert_eq!(
            store.redis().memory().map(|memory| memory.limit),
            Some(1 << 30)
        );
        let worth = log.lines("WARN", WORTH);
        assert_eq!(worth.len(), usize::from(fsync == "no"), "{worth:?}");
    }
}

#[tokio::test]
async fn what_is_wrong_when_connecting_stops_everything_until_it_is_right() {
    for (options, right, said, label) in [
        (
            &["--maxmemory-policy", "allkeys-lru"][..],
            ["maxmemory-policy", "noeviction"],
            "its maxmemory-policy is allkeys-lru",
            "eviction",
        ),
        (
            &["--appendonly", "no"],
            ["appendonly", "yes"],
            "it has no append-only file",
            "appendonly",
        ),
    ] {
        let redis = redis(options);
        let log = CaughtLog::start();
        let store = looked(&redis, Settings::Required).await;
        assert!(
            store.redis().standstill().is_on(),
            "before anything is accepted"
        );
        assert!(store.redis().standstill().has(Cause::Settings));
        assert!(why(&store).contains(said), "{}", why(&store));
        assert_eq!(labels(&store), [label]);
        command(&redis, &["CONFIG", "SET", right[0], right[1]]).await;
        until(HEALS, "it is right", || !store.redis().standstill().is_on()).await;
        assert!(labels(&store).is_empty());
        assert_eq!(log.lines("ERROR", BREAKS).len(), 1, "{}", log.text());
    }
}

#[tokio::test]
async fn a_redis_that_comes_back_with_other_settings_is_looked_at_at_once() {
    let mut redis = redis(&["--maxmemory", "1gb"]);
    let store = looked(&redis, Settings::Required).await;
    assert!(!store.redis().standstill().is_on());
    redis.restart_with(&["--maxmemory-policy", "allkeys-lfu"]);
    until(HEALS, "it is seen", || store.redis().standstill().is_on()).await;
    assert!(why(&store).contains("allkeys-lfu"), "{}", why(&store));
}

#[tokio::test]
async fn who_only_logs_goes_on_and_says_what_is_wrong() {
    let redis = redis(&["--appendonly", "no", "--maxmemory-policy", "allkeys-lru"]);
    let log = CaughtLog::start();
    let store = looked(&redis, Settings::Logged).await;
    assert!(!store.redis().standstill().is_on());
    assert_eq!(labels(&store), ["eviction", "appendonly"]);
    let hold = enlist(&store, "front-1.a").await;
    keep(&store, &hold, 1, None).await;
    let said = log.lines("ERROR", BREAKS);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("allkeys-lru") && said[0].contains("append-only file"));
}

#[tokio::test]
async fn rights_that_are_missing_are_named() {
    for (rules, back, said) in [
        (&["-zadd"][..], &["+zadd"][..], "ZADD {0}:*, ZADD feeway:*"),
        (&["resetkeys", "~{0}:*"], &["~*"], "BITFIELD feeway:*"),
        (&["-fcall"], &["+fcall"], "lacks rights: FCALL"),
        (&["-time", "-scan"], &["+@all"], "lacks rights: SCAN, TIME"),
    ] {
        let redis = redis(&["--maxmemory", "1gb"]);
        // Functions and schema are there.
        drop(looked(&redis, Settings::Required).await);
        // Without a right to the key of a lease all else works.
        user(&redis, rules).await;
        let store = looked(&redis, Settings::Required).await;
        assert!(store.redis().standstill().has(Cause::Settings));
        assert!(why(&store).contains(said), "{}", why(&store));
        assert_eq!(labels(&store), ["rights"]);
        user(&redis, back).await;
        until(HEALS, "it is right", || !store.redis().standstill().is_on()).await;
    }
}

/// Each kind of step lacks another right. Between them are some that lack none.
#[tokio::test]
async fn of_rights_that_were_taken_away_one_line_is_logged() {
    let redis = redis(&["--maxmemory", "1gb"]);
    let store = looked(&redis, Settings::Required).await;
    let hold = enlist(&store, "front-1.a").await;
    keep(&store, &hold, 1, None).await;
    let log = CaughtLog::start();
    user(&redis, &["-zadd", "-hset"]).await;
    for number in 2..40 {
        let refused = store.accept(&hold, &payment(number), None).await;
        assert!(refused.is_err(), "{refused:?}");
        drop(store.beat(&[]).await);
        sleep(Duration::from_millis(50)).await;
    }
    for line in ["Redis refuses writes", BREAKS] {
        assert_eq!(log.text().matches(line).count(), 1, "{}", log.text());
    }
    assert!(
        why(&store).contains("lacks rights: HSET {0}:*"),
        "{}",
        why(&store)
    );
    user(&redis, &["+zadd", "+hset"]).await;
    let right = async {
        loop {
            drop(store.beat(&[]).await);
            if !store.redis().standstill().is_on() {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let healed = tokio::time::timeout(Duration::from_secs(20), right).await;
    assert!(healed.is_ok(), "{}", why(&store));
    assert_eq!(log.text().matches("Redis accepts writes again").count(), 1);
    keep(&store, &hold, 50, None).await;
}

/// As with managed services, which have no CONFIG, or rename it.
#[tokio::test]
async fn where_config_is_forbidden_that_is_said_and_nothing_stops() {
    for renamed in [true, false] {
        let rename = ["--rename-command", "CONFIG", ""];
        let redis = redis(if renamed { &rename } else { &[] });
        if !renamed {
            user(&redis, &["-config"]).await;
        }
        let log = CaughtLog::start();
        let store = looked(&redis, Settings::Required).await;
        assert!(!store.redis().standstill().is_on(), "{}", why(&store));
        let said = log.lines("WARN", "appendfsync could not be checked");
        assert_eq!(said.len(), 1, "{}", log.text());
        let hold = enlist(&store, "front-1.a").await;
        keep(&store, &hold, 1, None).await;
    }
}

#[tokio::test]
async fn where_functions_are_forbidden_it_is_said_and_tried_again() {
    let redis = redis(&["--maxmemory", "1gb"]);
    user(&redis, &["-function"]).await;
    let store = RedisStore::new(RedisConfig {
        settings: Settings::Required,
        ..RedisConfig::new(redis.url().parse().unwrap())
    });
    until(HEALS, "it is known why", || {
        store.redis().standstill().is_on()
    })
    .await;
    assert!(why(&store).contains("'function|list'"), "{}", why(&store));
    user(&redis, &["+function|list"]).await;
    let loads = || why(&store).contains("'function|load'");
    until(Duration::from_secs(15), "it may look and not load", loads).await;
    user(&redis, &["+function|load"]).await;
    let ready = tokio::time::timeout(Duration::from_secs(15), store.redis().ready()).await;
    ready.unwrap().unwrap();
    up(&store).await;
    assert!(!store.redis().standstill().is_on(), "{}", why(&store));
    let hold = enlist(&store, "front-1.a").await;
    keep(&store, &hold, 1, None).await;
}

/// Older functions do at first. Ours are loaded when there is room, on the same connection.
#[tokio::test]
async fn functions_that_were_refused_are_loaded_when_there_is_memory() {
    let redis = redis(&[]);
    command(&redis, &["FUNCTION", "LOAD", &release("0")]).await;
    command(&redis, &["SET", "{0}:schema", "2"]).await;
    command(&redis, &["CONFIG", "SET", "maxmemory", "1"]).await;
    let log = CaughtLog::start();
    let store = looked(&redis, Settings::Required).await;
    let hold = enlist(&store, "front-1.a").await;
    let refused = store.accept(&hold, &payment(1), None).await;
    assert_eq!(refused, Err(StoreFault::Full));
    assert!(log.text().contains("Redis refused to load newer functions"));
    let restarts = *store.redis().restarts().borrow();
    command(&redis, &["CONFIG", "SET", "maxmemory", "1gb"]).await;
    until(HEALS, "they are loaded", || {
        log.text().contains("loaded the functions into Redis")
    })
    .await;
    assert_eq!(*store.redis().restarts().borrow(), restarts);
    keep(&store, &hold, 1, None).await;
}

/// No payment has to be refused for it to be known.
#[tokio::test]
async fn memory_that_is_full_is_seen_without_a_payment() {
    let redis = redis(&[]);
    drop(looked(&redis, Settings::Required).await);
    command(&redis, &["CONFIG", "SET", "maxmemory", "1"]).await;
    let store = looked(&redis, Settings::Required).await;
    assert!(store.redis().standstill().has(Cause::Memory) && !store.redis().standstill().is_on());
    let memory = store.redis().memory().unwrap();
    assert!(
        memory.used > memory.limit && memory.limit == 1,
        "{memory:?}"
    );
    command(&redis, &["CONFIG", "SET", "maxmemory", "0"]).await;
    let free = || !store.redis().standstill().has(Cause::Memory);
    until(Duration::from_secs(20), "there is memory", free).await;
}
