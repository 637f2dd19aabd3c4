//! What a Redis that was killed has to be told again of URLs, and large journals.

use feeway_domain::{Enlist, Incarnation, Ledger as _, Site, Store};
use feeway_store::RedisStore;
use feeway_testing::{Persistence, PrivateRedis};

use crate::world::{InRedis, World, enlist, keep, processor};

const OLD: &str = "http://old";
const NEW: &str = "http://new";

fn site(url: &str, is_vouched: bool) -> [Site; 1] {
    [Site {
        processor: processor("default"),
        url: url.to_owned(),
        is_vouched,
    }]
}

/// Comes, once more if it is told to.
async fn come(store: &RedisStore, name: &str, sites: &[Site]) -> Enlist {
    let incarnation = Incarnation::new(name);
    let first = store.enlist_at(&incarnation, sites, None).await.unwrap();
    let Enlist::Relocated(seen) = first else {
        return first;
    };
    let again = store.enlist_at(&incarnation, sites, Some(&seen)).await;
    again.unwrap()
}

async fn urls(world: &InRedis) -> Option<String> {
    let mut raw = world.raw().await;
    let read = redis::cmd("HGET").arg("{0}:urls").arg("default").take();
    read.query_async(&mut raw).await.unwrap()
}

#[tokio::test]
async fn the_urls_that_redis_forgot_are_repeated_with_the_hold() {
    let mut world = InRedis::new(100).await;
    let entered = come(&world.store, "front-1.a", &site(OLD, false)).await;
    assert!(matches!(entered, Enlist::Enlisted(_)));
    let entered = come(&world.store, "front-2.b", &site(NEW, true)).await;
    let Enlist::Enlisted(hold) = entered else {
        panic!("{entered:?}");
    };
    world.store.purge().await.unwrap();
    world.restart().await;
    assert_eq!(urls(&world).await.as_deref(), Some("http://new http://old"));
    let beat = world.store.beat(std::slice::from_ref(&hold)).await.unwrap();
    assert_eq!(beat.queued, [Some(0)], "the hold is still good");
    // It is known again with which URL they live.
    let stranger = come(&world.store, "front-3.c", &site("http://x", false)).await;
    assert!(matches!(stranger, Enlist::InUse { .. }), "{stranger:?}");
}

/// A repetition brings back nothing that was replaced since.
#[tokio::test]
async fn what_is_known_by_now_stands() {
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let mut world = InRedis::on(redis, 100).await;
    come(&world.store, "front-1.a", &site(OLD, false)).await;
    come(&world.store, "front-1.a", &site(NEW, true)).await;
    world.restart().await;
    assert_eq!(urls(&world).await.as_deref(), Some("http://new http://old"));
}

/// Redis packs small hashes and hands them out in one piece; large ones it does not.
#[tokio::test]
async fn a_large_journal_is_counted_in_pages() {
    const PAYMENTS: u64 = 9_000;
    let world = InRedis::new(PAYMENTS).await;
    let hold = enlist(&world.store, "front-1.a").await;
    for number in 0..PAYMENTS {
        keep(
            &world.store,
            &hold,
            number,
            (number % 3 == 0).then_some("default"),
        )
        .await;
    }
    let (mut pages, mut count, mut from) = (0, 0, None);
    loop {
        let page = world.store().census(from).await.unwrap();
        pages += 1;
        count += page.named.get(&processor("default")).copied().unwrap_or(0);
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert!(pages > 2, "{pages}");
    assert_eq!(count, PAYMENTS / 3);
}
