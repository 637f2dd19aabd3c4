//! Where fronts find their processors, and who is let in with which URL.

use std::collections::BTreeMap;

use feeway_domain::{
    Accept, Adopt, Enlist, Hold, Incarnation, Known, Ledger as _, MAX_URLS, ProcessorName, Purge,
    Relocation, Rename, Site, Store,
};

use crate::world::{World, at, enlist, id, keep, payment, processor, settlement};

const OLD: &str = "http://old";
const NEW: &str = "http://new";

fn site(name: &str, url: &str) -> Site {
    Site {
        processor: processor(name),
        url: url.to_owned(),
        is_vouched: false,
    }
}

fn vouched(name: &str, url: &str) -> Site {
    Site {
        is_vouched: true,
        ..site(name, url)
    }
}

fn known(name: &str, urls: &[&str]) -> Known {
    Known {
        processor: processor(name),
        urls: urls.iter().map(|&url| url.to_owned()).collect(),
    }
}

async fn come(store: &impl Store, name: &str, sites: &[Site], seen: Option<&Relocation>) -> Enlist {
    let incarnation = Incarnation::new(name);
    store.enlist_at(&incarnation, sites, seen).await.unwrap()
}

/// Comes and is let in at once.
async fn enter(store: &impl Store, name: &str, sites: &[Site]) -> Hold {
    let reply = come(store, name, sites, None).await;
    let Enlist::Enlisted(hold) = reply else {
        panic!("{name}: {reply:?}");
    };
    hold
}

/// Comes, and is to come again with the reply.
async fn relocation(store: &impl Store, name: &str, sites: &[Site]) -> Relocation {
    let reply = come(store, name, sites, None).await;
    let Enlist::Relocated(relocation) = reply else {
        panic!("{name}: {reply:?}");
    };
    relocation
}

/// Comes with another URL, and again as it is told to.
async fn move_in(store: &impl Store, name: &str, sites: &[Site]) -> Hold {
    let seen = relocation(store, name, sites).await;
    let reply = come(store, name, sites, Some(&seen)).await;
    let Enlist::Enlisted(hold) = reply else {
        panic!("{name}: {reply:?}");
    };
    hold
}

async fn named(store: &impl Store) -> BTreeMap<ProcessorName, u64> {
    let (mut all, mut from) = (BTreeMap::new(), None);
    loop {
        let page = store.census(from).await.unwrap();
        for (name, count) in page.named {
            *all.entry(name).or_default() += count;
        }
        from = page.next;
        if from.is_none() {
            return all;
        }
    }
}

pub(crate) async fn who_comes_first_enters_its_processors(world: &impl World) {
    let store = world.store();
    let sites = [site("default", OLD), site("fallback", "http://other")];
    let hold = enter(store, "front-1.a", &sites).await;
    assert_eq!(hold.owner, hold.holder);
    keep(store, &hold, 1, Some("default")).await;
    // The same again is one owner, and others with the same URLs are let in.
    assert_eq!(enter(store, "front-1.a", &sites).await, hold);
    let other = enter(store, "front-2.b", &sites).await;
    assert_ne!(other.epoch, hold.epoch);
    // One with a further processor, or without one.
    enter(store, "front-3.c", &[site("third", "http://third")]).await;
    let beat = store.beat(&[hold, other]).await.unwrap();
    assert_eq!(beat.queued, [Some(1), Some(0)]);
}

pub(crate) async fn another_url_waits_for_those_that_live_with_the_known_one(world: &impl World) {
    let store = world.store();
    let hold = enter(store, "front-1.a", &[site("default", OLD)]).await;
    enter(store, "front-2.b", &[site("fallback", "http://other")]).await;
    let expected = Enlist::InUse {
        known: known("default", &[OLD]),
        by: hold.holder.clone(),
    };
    let sites = [site("fallback", "http://other"), site("default", NEW)];
    assert_eq!(come(store, "front-3.c", &sites, None).await, expected);
    store.resign(&hold).await.unwrap();
    // Who lives has no such processor.
    let seen = relocation(store, "front-3.c", &sites).await;
    assert_eq!(seen.processors, [known("default", &[OLD])]);
    let again = come(store, "front-3.c", &sites, Some(&seen)).await;
    assert!(matches!(again, Enlist::Enlisted(_)), "{again:?}");
    // The known one is another now.
    let back = [site("default", OLD)];
    let refused = come(store, "front-4.d", &back, None).await;
    let expected = Enlist::InUse {
        known: known("default", &[NEW]),
        by: Incarnation::new("front-3.c"),
    };
    assert_eq!(refused, expected);
}

/// A front of an earlier release, or a tool, does not say where it sends.
pub(crate) async fn who_says_nothing_of_its_processors_may_send_anywhere(world: &impl World) {
    let store = world.store();
    let old = enter(store, "front-1.a", &[site("default", OLD)]).await;
    store.resign(&old).await.unwrap();
    let silent = enlist(store, "front-2.b").await;
    let sites = [site("default", NEW)];
    let expected = Enlist::InUse {
        known: known("default", &[OLD]),
        by: silent.holder.clone(),
    };
    assert_eq!(come(store, "front-3.c", &sites, None).await, expected);
    store.resign(&silent).await.unwrap();
    move_in(store, "front-3.c", &sites).await;
}

/// Its own record is silent, but it holds another's.
pub(crate) async fn who_holds_an_adopted_owner_sends_with_its_own_urls(world: &impl World) {
    let store = world.store();
    let sites = [site("default", OLD)];
    let one = enter(store, "front-1.a", &sites).await;
    let two = enter(store, "front-2.b", &sites).await;
    keep(store, &one, 1, None).await;
    store.resign(&one).await.unwrap();
    let adopted = store.adopt(&one.owner, &two.holder).await.unwrap();
    let Adopt::Adopted(adopted) = adopted else {
        panic!("nobody lives who holds it");
    };
    store.resign(&two).await.unwrap();
    let moved = [site("default", NEW)];
    let expected = Enlist::InUse {
        known: known("default", &[OLD]),
        by: two.holder.clone(),
    };
    assert_eq!(come(store, "front-3.c", &moved, None).await, expected);
    store.resign(&adopted).await.unwrap();
    move_in(store, "front-3.c", &moved).await;
    let rename = store
        .rename(&adopted, id(1), 0, &processor("default"))
        .await;
    assert_eq!(rename, Ok(Rename::Fenced));
}

pub(crate) async fn who_was_silent_can_do_nothing_before_it_comes_again(world: &impl World) {
    let store = world.store();
    let sites = [site("default", OLD)];
    let sleeper = enter(store, "front-1.a", &sites).await;
    keep(store, &sleeper, 1, None).await;
    world.owners_fall_silent().await;
    let moved = [site("default", NEW)];
    let seen = relocation(store, "front-2.b", &moved).await;
    let accepted = store.accept(&sleeper, &payment(2), None).await;
    assert_eq!(accepted, Ok(Accept::Fenced));
    let rename = store
        .rename(&sleeper, id(1), 0, &processor("default"))
        .await;
    assert_eq!(rename, Ok(Rename::Fenced));
    let beat = store.beat(std::slice::from_ref(&sleeper)).await.unwrap();
    assert_eq!(
        (beat.queued, beat.lapsed),
        (vec![None], vec![sleeper.owner.clone()])
    );
    // It wakes up and comes again, as it was: then the other one has to begin again.
    let woken = enter(store, "front-1.b", &sites).await;
    keep(store, &woken, 3, Some("default")).await;
    let expected = Enlist::InUse {
        known: known("default", &[OLD]),
        by: woken.holder.clone(),
    };
    let again = come(store, "front-2.b", &moved, Some(&seen)).await;
    assert_eq!(again, expected);
    store.resign(&woken).await.unwrap();
    let again = come(store, "front-2.b", &moved, Some(&seen)).await;
    assert!(matches!(again, Enlist::Relocated(_)), "{again:?}");
    assert_eq!(
        named(store).await,
        BTreeMap::from([(processor("default"), 1)])
    );
    // What it left is adopted at once.
    let own = enter(store, "front-3.c", &sites).await;
    let adopted = store.adopt(&sleeper.owner, &own.holder).await;
    assert!(matches!(adopted, Ok(Adopt::Adopted(_))), "{adopted:?}");
}

pub(crate) async fn a_url_that_somebody_vouches_for_is_known_from_then_on(world: &impl World) {
    let store = world.store();
    let hold = enter(store, "front-1.a", &[site("default", OLD)]).await;
    keep(store, &hold, 1, Some("default")).await;
    let seen = relocation(store, "front-2.b", &[vouched("default", NEW)]).await;
    assert_eq!(seen.processors, [known("default", &[OLD])]);
    // Whoever lives stays, and is fenced by nothing.
    let hold_is_good = store.beat(std::slice::from_ref(&hold)).await.unwrap();
    assert_eq!(hold_is_good.queued, [Some(1)]);
    let moved = [vouched("default", NEW)];
    let entered = come(store, "front-2.b", &moved, Some(&seen)).await;
    assert!(matches!(entered, Enlist::Enlisted(_)), "{entered:?}");
    for (name, url) in [("front-3.c", OLD), ("front-4.d", NEW)] {
        enter(store, name, &[site("default", url)]).await;
    }
    // What was vouched for others does not count for this one.
    let stale = come(
        store,
        "front-5.e",
        &[vouched("default", "http://x")],
        Some(&seen),
    )
    .await;
    let Enlist::Relocated(seen) = stale else {
        panic!("{stale:?}");
    };
    assert_eq!(seen.processors, [known("default", &[NEW, OLD])]);
}

pub(crate) async fn of_the_urls_of_a_processor_the_newest_are_known(world: &impl World) {
    let store = world.store();
    let urls: Vec<String> = (0..MAX_URLS + 3).map(|n| format!("http://p-{n}")).collect();
    enter(store, "front-1.a", &[site("default", &urls[0])]).await;
    for url in &urls[1..] {
        move_in(store, "front-1.a", &[vouched("default", url)]).await;
    }
    let mut newest: Vec<&str> = urls.iter().rev().map(String::as_str).collect();
    newest.truncate(MAX_URLS);
    let seen = relocation(store, "front-1.a", &[vouched("default", "http://q")]).await;
    assert_eq!(seen.processors, [known("default", &newest)]);
    // The rest are strangers again, though they begin like known ones.
    let begun = relocation(store, "front-1.a", &[vouched("default", "http://p-")]).await;
    assert_eq!(begun.processors, seen.processors);
}

pub(crate) async fn open_entries_are_counted_by_the_processor_that_they_name(world: &impl World) {
    let store = world.store();
    assert_eq!(named(store).await, BTreeMap::new());
    let hold = enlist(store, "front-1.a").await;
    let other = enlist(store, "front-2.b").await;
    for number in 0..20 {
        let name = match number % 4 {
            0 => None,
            1 => Some("fallback"),
            _ => Some("default"),
        };
        let hold = if number < 10 { &hold } else { &other };
        keep(store, hold, number, name).await;
    }
    let expected = BTreeMap::from([(processor("default"), 10), (processor("fallback"), 5)]);
    assert_eq!(named(store).await, expected);
    let noon = at("2025-07-15T12:00:00Z");
    store.settle(&settlement(2, "default", noon)).await.unwrap();
    let expected = BTreeMap::from([(processor("default"), 9), (processor("fallback"), 5)]);
    assert_eq!(named(store).await, expected);
}

pub(crate) async fn a_purge_forgets_no_url(world: &impl World) {
    let store = world.store();
    let hold = enter(store, "front-1.a", &[site("default", OLD)]).await;
    assert_eq!(store.purge().await, Ok(Purge::Purged));
    let moved = [site("default", NEW)];
    let refused = come(store, "front-2.b", &moved, None).await;
    assert!(matches!(refused, Enlist::InUse { .. }), "{refused:?}");
    store.resign(&hold).await.unwrap();
    move_in(store, "front-2.b", &moved).await;
}
