//! Something else lies in the place of a key, and a step is taken.

use std::collections::{BTreeMap, BTreeSet};

use feeway_domain::{
    Case, Hold, Ledger as _, Listed, Listing, RequestedAt, Resolutions, Settlement, Store,
    StoreFault, Summary, Total, Window,
};
use feeway_testing::CaughtLog;

use crate::conformance_undo::ONE;
use crate::world::{InRedis, at, enlist, id, keep, micros};

pub(crate) const NOON: &str = "2025-07-15T12:00:00Z";
pub(crate) const LEDGER: &str = "{0}:ledger:486828";
pub(crate) const HOURS: &str = "{0}:hours";
pub(crate) const PROCESSORS: &str = "{0}:processors";
pub(crate) const OPEN: &str = "{0}:open";
pub(crate) const OWNERS: &str = "{0}:owners";
pub(crate) const FRONT: &str = "{0}:owner:front-1.a";
pub(crate) const QUEUE: &str = "{0}:queue:front-1.a";

/// The sums of a processor at noon.
pub(crate) fn sums(name: &str) -> [String; 2] {
    ["s:486828", "d:8102"].map(|rest| format!("{{0}}:sum:{name}:{rest}"))
}

/// The hash that has whether a payment is settled.
pub(crate) fn bucket(number: u64) -> String {
    format!("{{0}}:settled:{}", &id(number).to_string()[..4])
}

pub(crate) async fn call(world: &InRedis, words: &[&str]) {
    let mut call = redis::cmd(words[0]);
    call.arg(&words[1..]);
    call.exec_async(&mut world.raw().await).await.unwrap();
}

pub(crate) async fn keys(world: &InRedis, pattern: &str) -> BTreeSet<String> {
    let mut call = redis::cmd("KEYS");
    call.arg(pattern);
    call.query_async(&mut world.raw().await).await.unwrap()
}

pub(crate) async fn exists(world: &InRedis, key: &str) -> bool {
    keys(world, key).await.len() == 1
}

/// Puts something else in the place of a key; of this type nothing of ours is.
pub(crate) async fn put_foreign(world: &InRedis, key: &str) {
    if exists(world, key).await {
        call(world, &["RENAME", key, "elsewhere"]).await;
    }
    call(world, &["XADD", key, "*", "a", "b"]).await;
}

pub(crate) async fn take_foreign(world: &InRedis, key: &str) {
    call(world, &["DEL", key]).await;
    if exists(world, "elsewhere").await {
        call(world, &["RENAME", "elsewhere", key]).await;
    }
}

/// All that the store tells, but for the time of what happened just now.
pub(crate) async fn told(world: &InRedis) -> String {
    let store = &world.store;
    let (first, last) = (at(NOON).micros(), at(NOON).micros() + 3_599_999_999);
    let mut summaries = Vec::new();
    // Days, hours, seconds, and single payments.
    for to in [i64::MAX, last, first + 999_999, first] {
        let from = if to < last { first } else { 0 };
        let to = RequestedAt::from_micros(to);
        let window = Window::new(Some(micros(from)), to).unwrap();
        let Summary(totals) = store.summary(window).await.unwrap();
        // A name that is left of a step that failed has nothing.
        let totals = totals
            .into_iter()
            .filter(|(_, total)| *total != Total::default());
        summaries.push(totals.collect::<BTreeMap<_, _>>());
    }
    let mut lists = Vec::new();
    for listed in [
        Listed::Settled,
        Listed::Conflict,
        Listed::Open,
        Listed::Rejected,
    ] {
        let listing = Listing {
            listed,
            window: Window::default(),
            after: None,
            limit: 100,
        };
        let page = store.list(&listing).await.unwrap();
        let states = page.lines.into_iter().map(|line| line.state);
        lists.push(states.collect::<Vec<_>>());
    }
    let mut cases = Vec::new();
    for number in 0..5 {
        let case = store.case(id(number)).await.unwrap();
        cases.push(case.map(|Case { lines, custody }| {
            let states: Vec<_> = lines.into_iter().map(|line| line.state).collect();
            let entry = custody.map(|custody| custody.entry);
            (
                states,
                entry.map(|entry| (entry.owner, entry.moves, entry.processor)),
            )
        }));
    }
    let resolutions = store.resolutions().await.unwrap().into_iter();
    let resolutions: Vec<_> = resolutions.map(|one| (one.id, one.decided)).collect();
    let runs = store.runs().await.unwrap().into_iter();
    let runs: Vec<_> = runs
        .map(|run| (run.total, run.kept, run.undone.map(|undone| undone.total)))
        .collect();
    let payments = store.run_payments(ONE, None).await.unwrap().payments;
    let rejected = keys(world, "{0}:rejected:*").await;
    format!(
        "{summaries:?}\n{lists:?}\n{cases:?}\n{resolutions:?}\n{runs:?}\n{payments:?}\n{rejected:?}"
    )
}

/// Takes a step with something else in the place of each of these keys, in a Redis that was
/// prepared. Nothing happens then, and an error line has the id; once the key is free, the step
/// is taken as if nothing had been.
pub(crate) async fn never_half(
    keys: &[&str],
    prepare: impl AsyncFn(&InRedis),
    step: impl AsyncFn(&InRedis) -> Result<(), StoreFault>,
) {
    let world = InRedis::new(100).await;
    prepare(&world).await;
    assert_eq!(step(&world).await, Ok(()));
    let done = told(&world).await;
    for key in keys {
        let world = InRedis::new(100).await;
        prepare(&world).await;
        let before = told(&world).await;
        assert_ne!(before, done);
        put_foreign(&world, key).await;
        let log = CaughtLog::start();
        assert_eq!(step(&world).await, Err(StoreFault::Unknown), "{key}");
        let lines = log.lines("ERROR", &id(1).to_string());
        assert!(!lines.is_empty(), "{key}: {}", log.text());
        assert!(lines[0].contains("WRONGTYPE"), "{key}: {}", lines[0]);
        take_foreign(&world, key).await;
        assert_eq!(told(&world).await, before, "{key}");
        assert_eq!(step(&world).await, Ok(()), "{key}");
        assert_eq!(told(&world).await, done, "{key}");
    }
}

/// A payment that is open, with its front.
pub(crate) async fn one_open(world: &InRedis) -> Hold {
    let hold = enlist(&world.store, "front-1.a").await;
    keep(&world.store, &hold, 1, Some("default")).await;
    hold
}

/// The same without its front.
pub(crate) async fn one_left(world: &InRedis) {
    let hold = one_open(world).await;
    world.store.resign(&hold).await.unwrap();
}

pub(crate) async fn settle(world: &InRedis, done: &Settlement) -> Result<(), StoreFault> {
    world.store.settle(done).await.map(|_| ())
}
