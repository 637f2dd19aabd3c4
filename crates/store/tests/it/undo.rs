//! What Redis keeps of settling runs and of what is taken back, and what becomes of it when Redis
//! forgets.

use std::collections::BTreeMap;

use feeway_domain::{
    Accept, InRun, Incarnation, Ledger as _, RequestedAt, Resolutions, Retire, Settle, Settlement,
    Store, Total, Undo, Window,
};
use feeway_testing::{Persistence, PrivateRedis};
use redis::FromRedisValue;

use crate::conformance_undo::{NOON, ONE, now, settle, sum, total, undo};
use crate::replay::restart;
use crate::world::{InRedis, at, cents, enlist, id, keep, payment, processor, settlement};

/// What [`feeway_store::RedisStore`] passes for a payment of `default` at noon.
const KEYS: [&str; 5] = [
    "{0}:open",
    "{0}:ledger:486108",
    "{0}:sum:default:s:486108",
    "{0}:sum:default:d:8101",
    "{0}:horizon",
];
const PLACES: [u32; 4] = [9_664, 9_600, 243_776, 243_712];

/// Calls a function with a settlement, and more after it.
async fn call<T: FromRedisValue>(
    world: &InRedis,
    function: &str,
    done: &Settlement,
    more: (&[&str], &[&str]),
) -> T {
    let (more_keys, more_args) = more;
    let mut call = redis::cmd("FCALL");
    call.arg(function).arg(KEYS.len() + more_keys.len());
    call.arg(&KEYS).arg(more_keys).arg("default").arg(50_000);
    call.arg(&PLACES).arg(done.payment.amount.cents());
    call.arg(done.payment.id.as_bytes());
    call.arg(done.requested_at.micros());
    call.arg(done.payment.amount.cents()).arg(&[32, 0]);
    call.arg(more_args);
    call.query_async(&mut world.raw().await).await.unwrap()
}

/// All that Redis holds of payments: each key with its bytes, but for what tells of runs.
async fn contents(world: &InRedis) -> BTreeMap<String, Vec<u8>> {
    let mut raw = world.raw().await;
    let keys = redis::cmd("KEYS").arg("{0}:*").query_async(&mut raw).await;
    let keys: Vec<String> = keys.unwrap();
    let mut found = BTreeMap::new();
    for key in keys {
        if !is_of_runs(&key) {
            let dump = redis::cmd("DUMP").arg(&key).query_async(&mut raw).await;
            found.insert(key, dump.unwrap());
        }
    }
    found
}

/// The keys that tell of runs, in order.
async fn keys_of_runs(world: &InRedis) -> Vec<String> {
    let mut raw = world.raw().await;
    let keys = redis::cmd("KEYS").arg("{0}:s*").query_async(&mut raw).await;
    let mut keys: Vec<String> = keys.unwrap();
    keys.retain(|key| is_of_runs(key));
    keys.sort_unstable();
    keys
}

fn is_of_runs(key: &str) -> bool {
    let of_runs = ["{0}:settling-run", "{0}:stated:"];
    of_runs.iter().any(|start| key.starts_with(start))
}

async fn default(world: &InRedis) -> Total {
    total(&world.store, Window::default()).await
}

#[tokio::test]
async fn taken_back_leaves_the_very_bytes_of_before() {
    let world = InRedis::new(100).await;
    let store = &world.store;
    // Nothing, then a payment of the same second, then one of the same hour.
    let others = [NOON, "2025-06-15T12:59:59Z", "2025-06-15T13:00:00Z"];
    for number in 0..=others.len() {
        let before = contents(&world).await;
        let run = format!("{number:02x}");
        let mut wrong = settlement(9, "default", at(NOON));
        wrong.payment.amount = cents(123_456_789);
        settle(store, &run, &wrong).await;
        assert_ne!(contents(&world).await, before);
        assert_eq!(undo(store, &run, &wrong).await, Undo::Undone);
        assert_eq!(contents(&world).await, before, "{number}");
        if let Some(instant) = others.get(number) {
            let number = u64::try_from(number).unwrap();
            let done = settlement(number, "default", at(instant));
            assert_eq!(store.settle(&done).await, Ok(Settle::Settled));
        }
    }
}

/// What came too late lies among the payments of this hour, and is forgotten with them.
#[tokio::test]
async fn an_hour_with_what_was_laid_aside_stays_known() {
    let world = InRedis::new(100).await;
    let store = &world.store;
    while store.retire().await.unwrap() != Retire::Done {}
    let late = settlement(1, "default", RequestedAt::MIN);
    let settled = store.settle(&late).await;
    assert!(matches!(settled, Ok(Settle::TooOld { .. })), "{settled:?}");
    let before = contents(&world).await;
    let wrong = settlement(2, "default", now(store).await);
    settle(store, ONE, &wrong).await;
    assert_eq!(undo(store, ONE, &wrong).await, Undo::Undone);
    assert_eq!(contents(&world).await, before);
}

#[tokio::test]
async fn nothing_is_taken_back_that_is_not_as_the_run_left_it() {
    let world = InRedis::new(100).await;
    let store = &world.store;
    let done = settlement(1, "default", at(NOON));
    settle(store, ONE, &done).await;
    let [_, day, _, hour] = PLACES.map(|place| place.to_string());
    let (member, id) = (
        [done.payment.id.as_bytes(), &b"default:1990"[..]].concat(),
        id(1),
    );
    let stated = format!("{{0}}:stated:{ONE}");
    let instant = done.requested_at.micros().to_string();
    let note = format!("settled:{instant}:1990");
    let words =
        |words: &[&str]| -> Vec<Vec<u8>> { words.iter().map(|word| (*word).into()).collect() };
    let set = |key: &str, kind: &str, place: &str, to: &str| {
        words(&["BITFIELD", key, "SET", kind, place, to])
    };
    let of_id = |command: &str, key: &str, value: &str| {
        let mut all = words(&[command, key]);
        all.push(id.as_bytes().to_vec());
        all.extend(
            words(&[value])
                .into_iter()
                .filter(|value| !value.is_empty()),
        );
        all
    };
    let zadd = [words(&["ZADD", KEYS[1], &instant]), vec![member.clone()]].concat();
    let zrem = [words(&["ZREM", KEYS[1]]), vec![member]].concat();
    let record = format!("default:{instant}:1990:50000");
    let bucket = format!("{{0}}:settled:{}", &id.to_string()[..4]);
    for (change, back) in [
        (
            set(KEYS[3], "i64", &day, "0"),
            set(KEYS[3], "i64", &day, "1"),
        ),
        (
            set(KEYS[3], "i64", &hour, "0"),
            set(KEYS[3], "i64", &hour, "1"),
        ),
        (set(KEYS[2], "u32", "0", "0"), set(KEYS[2], "u32", "0", "1")),
        (zrem, zadd),
        (of_id("HDEL", &bucket, ""), of_id("HSET", &bucket, &record)),
        (
            of_id("HSET", &stated, "settled:17:1990"),
            of_id("HSET", &stated, &note),
        ),
        (
            of_id("HSET", &stated, &note.replace("1990", "17")),
            of_id("HSET", &stated, &note),
        ),
    ] {
        let command = async |words: &[Vec<u8>]| {
            let mut command = redis::Cmd::new();
            command.arg(words);
            command.exec_async(&mut world.raw().await).await.unwrap();
        };
        command(&change).await;
        let before = contents(&world).await;
        assert_eq!(undo(store, ONE, &done).await, Undo::Changed, "{change:?}");
        assert_eq!(contents(&world).await, before);
        command(&back).await;
    }
    assert_eq!(undo(store, ONE, &done).await, Undo::Undone);
    assert_eq!(default(&world).await, Total::default());
}

/// Tools of before this one tell no run.
#[tokio::test]
async fn an_earlier_tool_settles_without_a_record() {
    let world = InRedis::new(100).await;
    let done = settlement(1, "default", at(NOON));
    let proof = (
        &["{0}:stand-back", "{0}:owners"][..],
        &["", "5000000", "2000000"][..],
    );
    let reply: Vec<String> = call(&world, "settle_stated", &done, proof).await;
    assert_eq!(reply, ["settled 0"]);
    assert_eq!(default(&world).await, sum(1_990, 1));
    assert_eq!(world.store.runs().await, Ok(Vec::new()));
}

/// A settlement that did not happen begins no run.
#[tokio::test]
async fn a_run_that_settled_nothing_is_not_listed() {
    let world = InRedis::new(100).await;
    let done = settlement(1, "default", at(NOON));
    world.store.settle(&done).await.unwrap();
    let run = (&[][..], &["00a1", "file", "ann", "1", "9", "9", "0"][..]);
    let reply: Vec<String> = call(&world, "restore_stated", &done, run).await;
    assert_eq!(reply, ["known 0"]);
    assert_eq!(world.store.runs().await, Ok(Vec::new()));
    assert_eq!(keys_of_runs(&world).await, [""; 0]);
}

#[tokio::test]
async fn of_runs_that_are_no_longer_listed_no_key_is_left() {
    let world = InRedis::new(100).await;
    for number in 1..=4 {
        let done = settlement(number, "default", at(NOON));
        let name = format!("{number}");
        let run = (&[][..], &[&name[..], "file", "ann", "1", "9", "2", "0"][..]);
        let reply: Vec<String> = call(&world, "restore_stated", &done, run).await;
        assert_eq!(reply, ["settled 0"]);
    }
    let runs = ["settling-run:3", "settling-run:4", "settling-runs"];
    let expected = [&runs[..], &["stated:3", "stated:4"]].concat();
    let expected = expected.iter().map(|key| format!("{{0}}:{key}"));
    assert_eq!(
        keys_of_runs(&world).await,
        expected.collect::<Vec<String>>()
    );
}

/// The tool's own repetition: with the payment its run is there again.
#[tokio::test]
async fn what_a_run_settled_is_repeated_with_the_run() {
    let mut world = InRedis::new(100).await;
    let store = world.store.clone();
    let done = [1, 2].map(|number| settlement(number, "default", at(NOON)));
    for done in &done {
        settle(&store, ONE, done).await;
    }
    let mut runs = store.runs().await.unwrap();
    restart(&mut world).await;
    let again = store.runs().await.unwrap();
    runs[0].at = again[0].at;
    assert_eq!(again, runs);
    // The repetition does not say that the processor was heard.
    assert_eq!(undo(&store, ONE, &done[0]).await, Undo::Undone);
}

#[tokio::test]
async fn what_redis_has_of_a_run_is_not_repeated() {
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let mut world = InRedis::on(redis, 100).await;
    let store = world.store.clone();
    let done = [1, 2].map(|number| settlement(number, "default", at(NOON)));
    for done in &done {
        settle(&store, ONE, done).await;
    }
    assert_eq!(undo(&store, ONE, &done[0]).await, Undo::Undone);
    let runs = store.runs().await;
    restart(&mut world).await;
    assert_eq!(store.runs().await, runs);
    assert_eq!(default(&world).await, sum(1_990, 1));
    assert_eq!(undo(&store, ONE, &done[1]).await, Undo::Undone);
}

#[tokio::test]
async fn what_a_run_settled_before_a_purge_is_not_repeated() {
    let mut world = InRedis::new(100).await;
    let done = settlement(1, "default", at(NOON));
    settle(&world.store, ONE, &done).await;
    let other = world.another().await;
    other.purge().await.unwrap();
    restart(&mut world).await;
    let run = (&[][..], &["00a1", "file", "ann", "1", "9", "9", "0"][..]);
    let reply: Vec<String> = call(&world, "restore_stated", &done, run).await;
    assert_eq!(reply, ["purged"]);
    assert_eq!(default(&world).await, Total::default());
}

/// Redis was killed before the undo was on its disk: the same undo does it again.
#[tokio::test]
async fn an_undo_that_was_forgotten_is_done_again() {
    let mut world = InRedis::new(100).await;
    let store = world.store.clone();
    let front = world.another().await;
    let hold = enlist(&front, "front-1.a").await;
    keep(&front, &hold, 1, Some("fallback")).await;
    front.resign(&hold).await.unwrap();
    let done = settlement(1, "default", now(&store).await);
    settle(&store, ONE, &done).await;
    assert_eq!(undo(&store, ONE, &done).await, Undo::Undone);
    let mut restarts = front.redis().restarts();
    restarts.borrow_and_update();
    restart(&mut world).await;
    restarts.changed().await.unwrap();
    crate::world::up(&front).await;
    assert_eq!(default(&world).await, sum(1_990, 1));
    let page = store.run_payments(ONE, None).await.unwrap();
    assert_eq!(page.payments[0].state, InRun::Settled);
    // Whichever of the two repeated first, the entry is known.
    assert_eq!(undo(&store, ONE, &done).await, Undo::Undone);
    let owner = Incarnation::new("feeway-ctl.1");
    let open = store.queued(&owner, None, 10).await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].processor, Some(processor("fallback")));
}

/// A front comes back with an entry that Redis had forgotten, and a renaming of it, when a run has
/// settled the payment: taken back, that is what is open.
#[tokio::test]
async fn what_is_repeated_of_a_payment_of_a_run_is_open_once_that_is_taken_back() {
    let world = InRedis::new(100).await;
    let store = &world.store;
    let done = settlement(1, "default", at(NOON));
    settle(store, ONE, &done).await;
    let (settled, rejected) = ("{0}:settled:0000", "{0}:rejected:none");
    assert_eq!(id(0).as_bytes()[..2], [0, 0]);
    let settled = settled.replace("0000", &id(1).to_string()[..4]);
    let mut raw = world.raw().await;
    let mut restore = async |entry: &str| {
        let mut call = redis::cmd("FCALL");
        call.arg("restore_entry").arg(4);
        call.arg(&["{0}:open", &settled, rejected, "{0}:owners"]);
        call.arg(id(1).as_bytes()).arg(entry);
        call.arg(&["front-1.a", "front-1.a", "1", "0"]);
        let reply: Vec<String> = call.query_async(&mut raw).await.unwrap();
        assert_eq!(reply, ["known"]);
    };
    let mut other_raw = world.raw().await;
    let mut rename = async |moves: u32, to: &str| {
        let mut call = redis::cmd("FCALL");
        call.arg("restore_rename").arg(1).arg("{0}:open");
        call.arg(id(1).as_bytes()).arg(moves).arg(to).arg(0);
        let reply: Vec<String> = call.query_async(&mut other_raw).await.unwrap();
        reply[0].clone()
    };
    assert_eq!(rename(9, "third").await, "gone", "it is not promised");
    restore("front-1.a|fallback|3|1990|17").await;
    restore("front-1.a|default|1|1990|17").await;
    assert_eq!(rename(2, "default").await, "differs");
    assert_eq!(rename(3, "third").await, "named");
    assert_eq!(undo(store, ONE, &done).await, Undo::Undone);
    let owner = Incarnation::new("feeway-ctl.1");
    let open = store.queued(&owner, None, 10).await.unwrap();
    let entry = &open[0];
    assert_eq!((open.len(), entry.moves), (1, 5));
    assert_eq!(entry.processor, Some(processor("third")));
    assert_eq!(entry.accepted_at.micros(), 17);
    assert_eq!(
        store.find(id(1)).await.unwrap().unwrap().amount,
        payment(1).amount
    );
    // Nothing of that concerns a payment that no run has settled.
    let elsewhere = settlement(1, "default", at(NOON));
    store.settle(&elsewhere).await.unwrap();
    assert_eq!(rename(9, "third").await, "gone");
}

/// A front that heard its processor repeats that. So does one of a payment that the run never had.
#[tokio::test]
async fn a_repeated_settlement_records_the_processors_confirmation() {
    let world = InRedis::new(100).await;
    let done = settlement(1, "default", at(NOON));
    settle(&world.store, ONE, &done).await;
    let repeated: Vec<String> = call(&world, "restore_settle", &done, (&[], &["0"])).await;
    assert_eq!(repeated, ["known 0"]);
    assert_eq!(undo(&world.store, ONE, &done).await, Undo::Confirmed);
    assert_eq!(default(&world).await, sum(1_990, 1));
}

/// When memory is full nothing can be noted, so nothing is promised.
#[tokio::test]
async fn a_full_redis_promises_nothing_that_may_be_taken_back() {
    let world = InRedis::new(100).await;
    let store = &world.store;
    let hold = enlist(store, "front-1.a").await;
    store.resign(&hold).await.unwrap();
    settle(store, ONE, &settlement(1, "default", at(NOON))).await;
    let second = settlement(2, "default", at(NOON));
    store.settle(&second).await.unwrap();
    let ask = async || {
        let mut raw = world.raw().await;
        let mut call = redis::cmd("FCALL");
        call.arg("known_all").arg(3);
        call.arg(&["{0}:open", "{0}:owner:front-1.a", "{0}:queue:front-1.a"]);
        call.arg(&["front-1.a", "front-1.a", "1", "100"]);
        for number in 1..=2 {
            call.arg(id(number).as_bytes()).arg(1_990).arg("default");
        }
        let reply: Vec<String> = call.query_async(&mut raw).await.unwrap();
        reply[2..].to_vec()
    };
    assert_eq!(ask().await, ["no-memory", "known "]);
    // What the run's payment is promised with already is enough.
    let sent = store.accept(&hold, &payment(1), None).await;
    assert_eq!(sent, Ok(Accept::Ended));
    assert_eq!(ask().await, ["known ", "known "]);
}

/// What is open again was not there when the purge was made that somebody repeats.
#[tokio::test]
async fn what_is_open_again_is_not_purged() {
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let mut world = InRedis::on(redis, 100).await;
    let store = world.store.clone();
    let hold = enlist(&store, "front-1.a").await;
    keep(&store, &hold, 1, None).await;
    store.resign(&hold).await.unwrap();
    let done = settlement(1, "default", now(&store).await);
    settle(&store, ONE, &done).await;
    restart(&mut world).await;
    assert_eq!(undo(&store, ONE, &done).await, Undo::Undone);
    assert_is_not_purged(&world).await;
}

#[tokio::test]
async fn what_a_run_has_settled_since_is_not_purged() {
    let world = InRedis::new(100).await;
    settle(&world.store, ONE, &settlement(1, "default", at(NOON))).await;
    assert_is_not_purged(&world).await;
}

/// A purge of before, which somebody repeats, is not done.
async fn assert_is_not_purged(world: &InRedis) {
    let mut purge = redis::cmd("FCALL");
    purge.arg("restore_purge").arg(1).arg("{0}:open").arg(1);
    let purged = purge.exec_async(&mut world.raw().await).await;
    let error = purged.unwrap_err();
    assert!(error.to_string().contains("purge again"), "{error}");
    assert!(world.store.find(id(1)).await.unwrap().is_some());
}
