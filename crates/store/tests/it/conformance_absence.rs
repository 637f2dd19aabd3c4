use std::time::Duration;

use feeway_domain::{
    Adopt, CorrelationId, Freed, Hold, Incarnation, Ledger as _, Listed, Listing, MAX_FREED, Note,
    Proof, Purge, Reject, Rename, Resolutions, Resolve, Settle, Store, Verdict, Window,
};
use futures_util::stream::{self, StreamExt};

use crate::world::{World, at, enlist, id, keep, payment, processor, settlement};

const NOON: &str = "2025-07-15T12:00:00Z";
const SECOND: Duration = Duration::from_secs(1);

async fn note(store: &impl Store, hold: &Hold, number: u64, moves: u32) -> Note {
    store.note_answered(hold, id(number), moves).await.unwrap()
}

async fn answered(store: &impl Store, hold: &Hold, numbers: &[u64]) -> Vec<Option<u32>> {
    let ids: Vec<CorrelationId> = numbers.iter().map(|&number| id(number)).collect();
    store.answered(&hold.owner, &ids).await.unwrap()
}

async fn adopt(store: &impl Store, owner: &Incarnation, holder: &str) -> Hold {
    let adopted = store.adopt(owner, &Incarnation::new(holder)).await.unwrap();
    let Adopt::Adopted(hold) = adopted else {
        panic!("nobody lives who holds it");
    };
    hold
}

pub(crate) async fn a_note_is_of_the_moves_that_the_entry_has(world: &impl World) {
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    assert_eq!(note(store, &hold, 1, 0).await, Note::Stale, "not open");
    keep(store, &hold, 1, Some("default")).await;
    for (moves, expected) in [(1, Note::Stale), (0, Note::Noted), (0, Note::Noted)] {
        assert_eq!(note(store, &hold, 1, moves).await, expected, "{moves}");
    }
    assert_eq!(answered(store, &hold, &[1]).await, [Some(0)]);
    for (moves, name) in [(0, "default"), (1, "fallback"), (2, "default")] {
        let named = store.rename(&hold, id(1), moves, &processor(name)).await;
        assert_eq!(named, Ok(Rename::Named));
        let entry = store.queued(&hold.owner, None, 1).await.unwrap().remove(0);
        let noted = answered(store, &hold, &[1]).await;
        assert_ne!(noted, [Some(entry.moves)], "a renaming voids it");
        assert_eq!(note(store, &hold, 1, moves).await, Note::Stale);
        assert_eq!(note(store, &hold, 1, moves + 1).await, Note::Noted);
        assert_eq!(answered(store, &hold, &[1]).await, [Some(moves + 1)]);
    }
}

pub(crate) async fn a_note_needs_a_good_hold(world: &impl World) {
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    let other = enlist(store, "front-2.b").await;
    keep(store, &hold, 1, Some("default")).await;
    let strangers = [
        Hold {
            epoch: hold.epoch + 1,
            ..hold.clone()
        },
        Hold {
            holder: other.holder.clone(),
            ..hold.clone()
        },
    ];
    for stranger in &strangers {
        for moves in [0, 1] {
            let fenced = note(store, stranger, 1, moves).await;
            assert_eq!(fenced, Note::Fenced, "{stranger:?}");
        }
        assert_eq!(answered(store, stranger, &[1]).await, [None]);
    }
    // A good hold is not lost by an entry of somebody else.
    assert_eq!(note(store, &other, 1, 0).await, Note::Stale);
    assert_eq!(answered(store, &other, &[1]).await, [None]);
}

pub(crate) async fn who_adopts_reads_the_notes_and_goes_on(world: &impl World) {
    let store = world.store();
    let old = enlist(store, "front-1.a").await;
    for number in 1..=2 {
        keep(store, &old, number, Some("default")).await;
    }
    assert_eq!(note(store, &old, 1, 0).await, Note::Noted);
    world.owners_fall_silent().await;
    let new = adopt(store, &old.owner, "front-2.b").await;
    assert_eq!(answered(store, &new, &[1, 2]).await, [Some(0), None]);
    assert_eq!(note(store, &old, 2, 0).await, Note::Fenced);
    assert_eq!(note(store, &new, 2, 0).await, Note::Noted);
    assert_eq!(answered(store, &new, &[1, 2]).await, [Some(0), Some(0)]);
}

pub(crate) async fn the_end_of_a_payment_ends_its_note<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    for number in 1..=5 {
        keep(store, &hold, number, Some("default")).await;
        assert_eq!(note(store, &hold, number, 0).await, Note::Noted);
    }
    let here = settlement(1, "default", at(NOON));
    assert_eq!(store.settle(&here).await, Ok(Settle::Settled));
    let elsewhere = settlement(2, "fallback", at(NOON));
    assert_eq!(store.settle(&elsewhere).await, Ok(Settle::Settled));
    let rejected = store.reject(&hold, &payment(3), "402").await;
    assert_eq!(rejected, Ok(Reject::Rejected));
    world.owners_fall_silent().await;
    let case = store.case(id(4)).await.unwrap().unwrap();
    let held = Verdict::Held {
        requested_at: at(NOON),
        fee: here.fee,
    };
    let resolved = store
        .resolve(&case.custody.unwrap(), &held, &Proof::Silence, "ann")
        .await;
    assert_eq!(resolved, Ok(Resolve::Settled(Settle::Settled)));
    let left = answered(store, &hold, &[1, 2, 3, 4, 5]).await;
    assert_eq!(left, [None, None, None, None, Some(0)]);
}

pub(crate) async fn an_operators_no_voids_a_note<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    keep(store, &hold, 1, Some("default")).await;
    assert_eq!(note(store, &hold, 1, 0).await, Note::Noted);
    world.owners_fall_silent().await;
    let case = store.case(id(1)).await.unwrap().unwrap();
    let seen = case.custody.unwrap();
    let resolved = store
        .resolve(&seen, &Verdict::NotHeld, &Proof::Silence, "ann")
        .await;
    assert_eq!(resolved, Ok(Resolve::Released));
    assert_eq!(note(store, &hold, 1, 0).await, Note::Fenced);
    let entry = store.queued(&hold.owner, None, 1).await.unwrap().remove(0);
    assert_ne!(answered(store, &hold, &[1]).await, [Some(entry.moves)]);
}

pub(crate) async fn notes_are_read_in_the_order_of_the_ids(world: &impl World) {
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    let other = enlist(store, "front-2.b").await;
    for number in 1..=4 {
        let owner = if number < 4 { &hold } else { &other };
        keep(store, owner, number, Some("default")).await;
    }
    let default = processor("default");
    store.rename(&hold, id(1), 0, &default).await.unwrap();
    for (hold, number, moves) in [(&hold, 1, 1), (&hold, 3, 0), (&other, 4, 0)] {
        assert_eq!(note(store, hold, number, moves).await, Note::Noted);
    }
    for (numbers, expected) in [
        (&[][..], &[][..]),
        (&[1], &[Some(1)]),
        (
            &[4, 3, 2, 1, 9, 3],
            &[None, Some(0), None, Some(1), None, Some(0)],
        ),
    ] {
        let read = answered(store, &hold, numbers).await;
        assert_eq!(read, expected, "{numbers:?}");
    }
    assert_eq!(answered(store, &other, &[1, 4]).await, [None, Some(0)]);
}

async fn free(store: &impl Store, number: u64, name: &str) {
    let freed = store.note_freed(&payment(number), &processor(name)).await;
    assert_eq!(freed, Ok(()));
}

async fn freed(store: &impl Store, age: Duration, limit: usize) -> Vec<Freed> {
    let freed = store.freed(age, limit).await.unwrap();
    assert!(freed.is_sorted_by_key(|freed| freed.at), "{freed:?}");
    freed
}

fn names(freed: &[Freed]) -> Vec<(CorrelationId, &str)> {
    let names = freed.iter();
    names
        .map(|freed| (freed.payment.id, freed.processor.as_str()))
        .collect()
}

pub(crate) async fn who_left_long_ago_is_told_first(world: &impl World) {
    let store = world.store();
    assert_eq!(freed(store, Duration::ZERO, 10).await, []);
    for (number, name) in [(1, "default"), (2, "default"), (1, "fallback")] {
        free(store, number, name).await;
        world.freed_grow_old(10 * SECOND).await;
    }
    let all = [(id(1), "default"), (id(2), "default"), (id(1), "fallback")];
    for (age_s, limit, expected) in [
        (0, 10, &all[..]),
        (10, 3, &all),
        (0, 2, &all[..2]),
        (15, 10, &all[..2]),
        (20, 1, &all[..1]),
        (25, 10, &all[..1]),
        (30, 10, &all[..1]),
        (3_600, 10, &[]),
        (0, 0, &[]),
    ] {
        let found = freed(store, SECOND * age_s, limit).await;
        assert_eq!(names(&found), expected, "{age_s} s, {limit}");
    }
    let found = freed(store, Duration::ZERO, usize::MAX).await;
    assert!(
        found
            .iter()
            .all(|one| one.payment == payment(1) || one.payment == payment(2))
    );
    assert_eq!(freed(store, Duration::MAX, 10).await, []);
}

pub(crate) async fn who_left_again_is_forgotten_only_as_seen(world: &impl World) {
    let store = world.store();
    for number in [1, 2] {
        free(store, number, "default").await;
        world.freed_grow_old(SECOND).await;
    }
    let before = freed(store, Duration::ZERO, 10).await;
    free(store, 1, "default").await;
    let after = freed(store, Duration::ZERO, 10).await;
    let again = [(id(2), "default"), (id(1), "default")];
    assert_eq!(names(&after), again, "the latest counts");
    assert!(after[1].at > before[0].at);
    store.forget_freed(&before[0]).await.unwrap();
    assert_eq!(freed(store, Duration::ZERO, 10).await, after);
    for (seen, left) in [
        (&after[1], &after[..1]),
        (&after[1], &after[..1]),
        (&after[0], &[]),
    ] {
        store.forget_freed(seen).await.unwrap();
        assert_eq!(freed(store, Duration::ZERO, 10).await, left);
    }
}

pub(crate) async fn of_those_who_left_the_newest_are_kept(world: &impl World) {
    let store = world.store();
    for number in 0..3 {
        free(store, number, "default").await;
        world.freed_grow_old(SECOND).await;
    }
    let most = u64::try_from(MAX_FREED).unwrap();
    stream::iter(3..=most)
        .map(|number| free(store, number, "default"))
        .buffer_unordered(64)
        .for_each(async |()| {})
        .await;
    let found = freed(store, Duration::ZERO, usize::MAX).await;
    assert_eq!(found.len(), MAX_FREED);
    assert_eq!(names(&found[..2]), [(id(1), "default"), (id(2), "default")]);
    free(store, 1, "default").await;
    free(store, most + 1, "default").await;
    let found = freed(store, Duration::ZERO, usize::MAX).await;
    assert_eq!(found.len(), MAX_FREED);
    assert!(found.iter().all(|freed| freed.payment.id != id(2)));
    assert!(found.iter().any(|freed| freed.payment.id == id(1)));
}

pub(crate) async fn a_look_up_is_trusted_by_name_and_url(world: &impl World) {
    let store = world.store();
    let trusted = async || {
        let trusted = store.trusted_look_ups().await.unwrap();
        let trusted = trusted.into_iter();
        trusted
            .map(|(name, url)| format!("{name} {url}"))
            .collect::<Vec<_>>()
    };
    assert!(trusted().await.is_empty());
    for (name, url, is_trusted, expected) in [
        ("fallback", "http://b", true, &["fallback http://b"][..]),
        (
            "default",
            "http://a",
            true,
            &["default http://a", "fallback http://b"],
        ),
        (
            "default",
            "http://a:8080",
            false,
            &["default http://a", "fallback http://b"],
        ),
        (
            "third",
            "http://b",
            false,
            &["default http://a", "fallback http://b"],
        ),
        (
            "default",
            "http://a2",
            true,
            &["default http://a2", "fallback http://b"],
        ),
        (
            "default",
            "http://a",
            false,
            &["default http://a2", "fallback http://b"],
        ),
        ("default", "http://a2", false, &["fallback http://b"]),
        ("default", "http://a2", false, &["fallback http://b"]),
    ] {
        let name = processor(name);
        store.trust_look_up(&name, url, is_trusted).await.unwrap();
        assert_eq!(trusted().await, expected, "{name} {url} {is_trusted}");
    }
}

pub(crate) async fn a_purge_forgets_who_left_and_not_who_is_trusted(world: &impl World) {
    let store = world.store();
    let default = processor("default");
    store
        .trust_look_up(&default, "http://a", true)
        .await
        .unwrap();
    free(store, 1, "default").await;
    store.retire().await.unwrap();
    assert_eq!(freed(store, Duration::ZERO, 10).await.len(), 1);
    assert_eq!(store.purge().await, Ok(Purge::Purged));
    assert_eq!(freed(store, Duration::ZERO, 10).await, []);
    let trusted = store.trusted_look_ups().await;
    assert_eq!(trusted, Ok(vec![(default, "http://a".to_owned())]));
}

/// What each of eight processors said, in their longest names.
pub(crate) fn refused_by_all() -> String {
    let refusals = (0..8).map(|number| format!("the-processor-{number:0>10} answered 402"));
    refusals.collect::<Vec<_>>().join(", ")
}

pub(crate) async fn a_rejection_keeps_what_each_processor_said<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    let whys = [
        "default answered 402, fallback answered 400".to_owned(),
        refused_by_all(),
    ];
    for (number, why) in (1..).zip(&whys) {
        keep(store, &hold, number, Some("default")).await;
        let rejected = store.reject(&hold, &payment(number), why).await;
        assert_eq!(rejected, Ok(Reject::Rejected));
        let case = store.case(id(number)).await.unwrap().unwrap();
        assert_eq!(case.lines[0].state.status.reason(), Some(&**why));
    }
    let listing = Listing {
        listed: Listed::Rejected,
        window: Window::default(),
        after: None,
        limit: 10,
    };
    let page = store.list(&listing).await.unwrap();
    let lines = page.lines.iter();
    let mut listed: Vec<_> = lines
        .filter_map(|line| line.state.status.reason())
        .collect();
    listed.sort_unstable();
    assert_eq!(listed, whys);
}
