//! A store that may have forgotten waits for those who remember.

use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use feeway_domain::{
    Accept, Adopt, Hold, Incarnation, LAPSE, Ledger as _, LedgerFault, Listed, Listing, Rename,
    Reopen, Resolutions, Settle, Store, StoreFault, Summary, Window,
};
use feeway_memory_store::{Acknowledged, MemoryStore};
use feeway_store::{RedisConfig, RedisStore};
use feeway_testing::{Persistence, PrivateRedis};

use crate::world::{
    InRedis, World, at, enlist, id, keep, payment, processor, settlement, until, up,
};

const NOON: &str = "2025-07-15T12:00:00Z";

async fn beat(store: &impl Store, hold: &Hold) -> bool {
    let beat = store.beat(std::slice::from_ref(hold)).await.unwrap();
    beat.is_open
}

/// What is refused while somebody may remember more, and what is not.
async fn check_closed(store: &impl Resolutions, hold: &Hold) {
    let closed = Err(StoreFault::Closed);
    let unknown = store.accept(hold, &payment(99), None).await;
    assert_eq!(unknown, Err(StoreFault::Closed));
    let known = store.accept(hold, &payment(1), None).await;
    assert_eq!(known, Ok(Accept::Known));
    let summary = store.summary(Window::default()).await;
    assert_eq!(summary, Err(LedgerFault::Store(StoreFault::Closed)));
    let listing = Listing {
        listed: Listed::Settled,
        window: Window::default(),
        after: None,
        limit: 10,
    };
    let listed = store.list(&listing).await;
    assert_eq!(listed, Err(LedgerFault::Store(StoreFault::Closed)));
    assert_eq!(store.find(id(99)).await, Err(StoreFault::Closed));
    assert!(store.find(id(1)).await.unwrap().is_some());
    let owner = Incarnation::new("front-2.b");
    let adopted = store.adopt(&owner, &hold.holder).await;
    assert_eq!(adopted, Err(StoreFault::Closed));
    assert_eq!(store.discharge(hold).await, Err(StoreFault::Closed));
    assert_eq!(store.purge().await, Err(StoreFault::Closed));
    let reopened: Result<Reopen, _> = store.reopen(id(1), &owner, "ann").await;
    assert_eq!(reopened, closed);
    let named = store.rename(hold, id(1), 0, &processor("default")).await;
    assert_eq!(named, Ok(Rename::Named), "what is in hand goes on");
    let settled = store.settle(&settlement(2, "default", at(NOON))).await;
    assert!(matches!(settled, Ok(Settle::Settled | Settle::Known)));
}

async fn check_open(store: &impl Store, hold: &Hold) {
    keep(store, hold, 99, None).await;
    assert!(store.summary(Window::default()).await.is_ok());
    assert_eq!(store.find(id(98)).await, Ok(None));
}

#[tokio::test]
async fn a_new_run_waits_for_who_was_there_until_that_one_is_silent() {
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let mut world = InRedis::on(redis, 100).await;
    let hold = enlist(&world.store, "front-1.a").await;
    keep(&world.store, &hold, 1, None).await;
    let other = world.another().await;
    enlist(&other, "front-2.b").await;
    drop(other);
    world.restart().await;
    assert!(!beat(&world.store, &hold).await);
    check_closed(&world.store, &hold).await;
    world.owners_fall_silent().await;
    assert!(beat(&world.store, &hold).await);
    check_open(&world.store, &hold).await;
}

#[tokio::test]
async fn a_payment_waits_for_a_run_that_opens_within_half_a_second() {
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let mut world = InRedis::on(redis, 100).await;
    let hold = enlist(&world.store, "front-1.a").await;
    let other = world.another().await;
    enlist(&other, "front-2.b").await;
    drop(other);
    world.restart().await;
    let opens = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.owners_fall_silent().await;
        assert!(beat(&world.store, &hold).await);
    };
    let (first, second) = (payment(1), payment(2));
    let intake = world.store.accept(&hold, &first, None);
    let (accepted, ()) = tokio::join!(intake, opens);
    assert!(matches!(accepted, Ok(Accept::Kept { .. })), "{accepted:?}");
    let next = world.store.accept(&hold, &second, None).await;
    assert!(matches!(next, Ok(Accept::Kept { .. })), "{next:?}");
}

#[tokio::test]
async fn a_new_run_waits_for_nobody_who_has_resigned_or_is_of_an_earlier_version() {
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let mut world = InRedis::on(redis, 100).await;
    let hold = enlist(&world.store, "front-1.a").await;
    let other = world.another().await;
    let gone = enlist(&other, "front-2.b").await;
    other.resign(&gone).await.unwrap();
    enlist(&other, "front-3.c").await;
    drop(other);
    let mut raw = world.raw().await;
    redis::cmd("HDEL")
        .arg(&["{0}:owner:front-3.c", "run"])
        .exec_async(&mut raw)
        .await
        .unwrap();
    world.restart().await;
    assert!(beat(&world.store, &hold).await);
    check_open(&world.store, &hold).await;
}

/// No front lives that could open the run, and whoever only reads writes nothing.
#[tokio::test]
async fn who_only_reads_waits_for_the_silent_and_then_reads_what_there_is() {
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let InRedis { mut redis, store } = InRedis::on(redis, 100).await;
    let hold = enlist(&store, "front-1.a").await;
    keep(&store, &hold, 1, None).await;
    drop(store);
    redis.restart();
    let reader = RedisStore::new(RedisConfig {
        only_reads: true,
        ..RedisConfig::new(redis.url().parse().unwrap())
    });
    up(&reader).await;
    let closed = Err(LedgerFault::Store(StoreFault::Closed));
    assert_eq!(reader.summary(Window::default()).await, closed);
    let begun = tokio::time::Instant::now();
    assert_eq!(reader.redis().asked_until_open().await, Ok(()));
    assert!(begun.elapsed() > LAPSE / 2, "{:?}", begun.elapsed());
    assert!(reader.summary(Window::default()).await.is_ok());
    assert_eq!(reader.find(id(99)).await, Ok(None));
}

/// Redis was away for longer than a holder may be silent.
#[tokio::test]
async fn an_outage_makes_nobody_look_silent() {
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &["--appendfsync", "always"]);
    let mut world = InRedis::on(redis, 100).await;
    let hold = enlist(&world.store, "front-1.a").await;
    let other = world.another().await;
    let theirs = enlist(&other, "front-2.b").await;
    drop(other);
    let mut raw = world.raw().await;
    redis::cmd("HINCRBY")
        .arg("{0}:owner:front-2.b")
        .arg("beat")
        .arg(-2 * i64::try_from(LAPSE.as_micros()).unwrap())
        .exec_async(&mut raw)
        .await
        .unwrap();
    world.restart().await;
    let beat = world.store.beat(std::slice::from_ref(&hold)).await.unwrap();
    assert_eq!((beat.lapsed, beat.is_open), (vec![], true));
    let adopt = async || world.store.adopt(&theirs.owner, &hold.holder).await;
    assert_eq!(adopt().await, Ok(Adopt::Refused));
    world.owners_fall_silent().await;
    assert!(matches!(adopt().await, Ok(Adopt::Adopted(_))));
}

#[tokio::test]
async fn where_everything_is_on_the_disk_nobody_is_waited_for() {
    let always = ["--appendfsync", "always"];
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &always);
    let mut world = InRedis::on(redis, 100).await;
    let hold = enlist(&world.store, "front-1.a").await;
    assert!(beat(&world.store, &hold).await);
    assert_eq!(world.store.forgettable(), 0);
    assert!(!world.store.may_forget_enlistment());
    let other = world.another().await;
    enlist(&other, "front-2.b").await;
    drop(other);
    world.restart().await;
    check_open(&world.store, &hold).await;
}

/// A front in a thread of its own, which can be stopped as if by SIGSTOP.
struct Sleeper {
    wake: mpsc::Sender<()>,
    thread: JoinHandle<(Hold, Result<Rename, StoreFault>)>,
}

impl Sleeper {
    /// Keeps payment 1, names a processor for it, and falls asleep.
    fn start(url: String, asleep: mpsc::Sender<()>) -> Self {
        let (wake, woken) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let store = RedisStore::new(RedisConfig::new(url.parse().unwrap()));
                up(&store).await;
                let hold = enlist(&store, "front-2.b").await;
                keep(&store, &hold, 1, None).await;
                let default = processor("default");
                let named = store.rename(&hold, id(1), 0, &default).await;
                assert_eq!(named, Ok(Rename::Named));
                asleep.send(()).unwrap();
                woken.recv().unwrap();
                let mut restarts = store.redis().restarts();
                restarts.changed().await.unwrap();
                up(&store).await;
                let named = store.rename(&hold, id(1), 1, &default).await;
                (hold, named)
            })
        });
        Self { wake, thread }
    }

    /// Wakes up, and says what became of its hold and its payment.
    async fn wake(self) -> (Hold, Result<Rename, StoreFault>) {
        self.wake.send(()).unwrap();
        let thread = self.thread;
        tokio::task::spawn_blocking(move || thread.join().unwrap())
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn who_was_asleep_is_waited_for_and_opens_the_run() {
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let mut world = InRedis::on(redis, 100).await;
    let hold = enlist(&world.store, "front-1.a").await;
    let (asleep, falls_asleep) = mpsc::channel();
    let sleeper = Sleeper::start(world.redis.url(), asleep);
    falls_asleep.recv().unwrap();
    world.restart().await;
    assert!(!beat(&world.store, &hold).await);
    let (_, named) = sleeper.wake().await;
    assert_eq!(named, Ok(Rename::Named));
    assert!(beat(&world.store, &hold).await);
    check_open(&world.store, &hold).await;
}

/// Who beats over a connection that led to another run has still to repeat everything.
#[tokio::test]
async fn who_only_says_that_it_lives_is_waited_for() {
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let mut world = InRedis::on(redis, 100).await;
    let hold = enlist(&world.store, "front-1.a").await;
    let other = world.another().await;
    let theirs = enlist(&other, "front-2.b").await;
    drop(other);
    world.restart().await;
    let mut raw = world.raw().await;
    let run: String = redis::cmd("HGET")
        .arg(&["{0}:run", "id"])
        .query_async(&mut raw)
        .await
        .unwrap();
    for (repeated_in, is_open) in [("another", false), (&*run, true)] {
        redis::cmd("FCALL")
            .arg(&["beat", "3", "{0}:owners", "{0}:owner:front-2.b"])
            .arg("{0}:queue:front-2.b")
            .arg(u64::try_from(LAPSE.as_micros()).unwrap())
            .arg(&["front-2.b", "front-2.b"])
            .arg(theirs.epoch)
            .arg(&[repeated_in, "0"])
            .exec_async(&mut raw)
            .await
            .unwrap();
        assert_eq!(beat(&world.store, &hold).await, is_open, "{repeated_in}");
    }
}

/// The record of who was asleep was forgotten, so that nobody waited.
#[tokio::test]
async fn a_repetition_changes_nothing_of_another_lineage() {
    let mut world = InRedis::new(100).await;
    let hold = enlist(&world.store, "front-1.a").await;
    let (asleep, falls_asleep) = mpsc::channel();
    let sleeper = Sleeper::start(world.redis.url(), asleep);
    falls_asleep.recv().unwrap();
    world.restart().await;
    assert!(beat(&world.store, &hold).await);
    keep(&world.store, &hold, 1, Some("fallback")).await;
    let (theirs, named) = sleeper.wake().await;
    assert_eq!(named, Ok(Rename::Gone));
    let entry = world.store.queued(&hold.owner, None, 10).await.unwrap();
    assert_eq!(entry[0].processor, Some(processor("fallback")));
    let nothing = world.store.queued(&theirs.owner, None, 10).await.unwrap();
    assert_eq!(nothing, []);
}

#[tokio::test]
async fn a_write_that_cannot_be_repeated_keeps_nobody_from_repeating_the_others() {
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let mut world = InRedis::on(redis, 100).await;
    let hold = enlist(&world.store, "front-1.a").await;
    let settled = settlement(2, "default", at(NOON));
    world.store.settle(&settled).await.unwrap();
    keep(&world.store, &hold, 1, None).await;
    let bytes = id(2);
    let bytes = bytes.as_bytes();
    let key = format!("{{0}}:settled:{:02x}{:02x}", bytes[0], bytes[1]);
    let mut raw = world.raw().await;
    redis::pipe()
        .cmd("SET")
        .arg(key)
        .arg("of another type")
        .cmd("DEL")
        .arg("{0}:open")
        .exec_async(&mut raw)
        .await
        .unwrap();
    world.restart().await;
    assert_eq!(world.store.redis().unrepeatable(), 1);
    until("the run is open", || world.store.redis().is_open()).await;
    assert!(world.store.find(id(1)).await.unwrap().is_some());
}

/// A settlement is a fact, and whoever else may hold the payment is asked in a while.
#[tokio::test]
async fn a_settlement_ends_another_lineage_and_leaves_a_trace_where_that_may_be() {
    let world = InRedis::new(100).await;
    let memory = MemoryStore::default();
    let (redis, memory) = (leave_trace(&world.store).await, leave_trace(&memory).await);
    assert_eq!(redis, memory);
    assert_eq!(redis, [(id(1), processor("fallback"))]);
}

async fn leave_trace(
    store: &impl Store,
) -> Vec<(feeway_domain::CorrelationId, feeway_domain::ProcessorName)> {
    let hold = enlist(store, "front-1.a").await;
    keep(store, &hold, 1, Some("fallback")).await;
    keep(store, &hold, 2, Some("default")).await;
    keep(store, &hold, 3, None).await;
    for number in 1..=3 {
        let settled = settlement(number, "default", at(NOON));
        assert_eq!(store.settle(&settled).await, Ok(Settle::Settled));
    }
    let freed = store.freed(std::time::Duration::ZERO, 10).await.unwrap();
    let freed = freed.into_iter();
    freed
        .map(|freed| (freed.payment.id, freed.processor))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_store_in_memory_waits_as_well() {
    let store = MemoryStore::default();
    let hold = enlist(&store, "front-1.a").await;
    keep(&store, &hold, 1, None).await;
    let other = enlist(&store, "front-2.b").await;
    let before = store.snapshot();
    keep(&store, &other, 3, Some("default")).await;
    let kept = Acknowledged::Entry {
        entry: store.entry(id(3)).unwrap(),
        hold: other.clone(),
    };
    store.restore(&before);
    let run = store.run();
    assert!(!beat(&store.repeated_in(run), &hold).await);
    check_closed(&store, &hold).await;
    assert!(!beat(&store.repeated_in(run - 1), &other).await);
    store.replay(&kept, 0);
    assert!(beat(&store.repeated_in(run), &other).await);
    check_open(&store, &hold).await;
    assert!(store.find(id(3)).await.unwrap().is_some());
    // Silence counts from the beginning of the run.
    tokio::time::advance(feeway_domain::LAPSE * 2).await;
    store.restore(&before);
    assert!(!beat(&store, &hold).await);
    let adopted = store.adopt(&other.owner, &hold.holder).await;
    assert_eq!(adopted, Err(StoreFault::Closed));
    tokio::time::advance(feeway_domain::LAPSE).await;
    assert!(beat(&store, &hold).await);
    let adopted = store.adopt(&other.owner, &hold.holder).await;
    assert!(matches!(adopted, Ok(Adopt::Adopted(_))));
    assert_eq!(
        store.summary(Window::default()).await,
        Ok(Summary::default())
    );
}
