use feeway_domain::{
    Accept, Adopt, Entry, Hold, Incarnation, Ledger as _, Payment, PaymentState, Reject, Rename,
    Settle, Status, Store,
};

use crate::conformance::MAX_OPEN;
use crate::world::{World, at, cents, enlist, id, keep, payment, processor, settlement};

async fn queued(store: &impl Store, owner: &Incarnation) -> Vec<Entry> {
    store.queued(owner, None, 1_000).await.unwrap()
}

async fn adopt(store: &impl Store, owner: &Hold, holder: &str) -> Option<Hold> {
    let holder = Incarnation::new(holder);
    match store.adopt(&owner.owner, &holder).await.unwrap() {
        Adopt::Adopted(hold) => Some(hold),
        Adopt::Refused => None,
    }
}

pub(crate) async fn a_payment_is_kept_once(world: &impl World) {
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    let default = processor("default");
    let Ok(Accept::Kept { accepted_at }) = store.accept(&hold, &payment(1), Some(&default)).await
    else {
        panic!("it is not known yet");
    };
    let again = store.accept(&hold, &payment(1), None).await;
    assert_eq!(again, Ok(Accept::Known));
    let dearer = Payment {
        amount: cents(1_991),
        ..payment(1)
    };
    let other = store.accept(&hold, &dearer, None).await;
    assert_eq!(other, Ok(Accept::AmountDiffers));
    let entry = Entry {
        payment: payment(1),
        owner: hold.owner.clone(),
        processor: Some(default.clone()),
        moves: 0,
        accepted_at,
    };
    assert_eq!(queued(store, &hold.owner).await, [entry]);
    let state = PaymentState {
        id: id(1),
        amount: cents(1_990),
        status: Status::Open {
            processor: Some(default),
        },
    };
    assert_eq!(store.find(id(1)).await, Ok(Some(state)));
    assert_eq!(store.find(id(2)).await, Ok(None));
}

pub(crate) async fn a_known_payment_is_known_also_when_full_or_fenced(world: &impl World) {
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    for number in 0..MAX_OPEN {
        keep(store, &hold, number, None).await;
    }
    let stranger = Hold {
        epoch: hold.epoch + 1,
        ..hold.clone()
    };
    for hold in [&hold, &stranger] {
        let again = store.accept(hold, &payment(7), None).await;
        assert_eq!(again, Ok(Accept::Known));
        let dearer = Payment {
            amount: cents(1),
            ..payment(7)
        };
        let other = store.accept(hold, &dearer, None).await;
        assert_eq!(other, Ok(Accept::AmountDiffers));
    }
}

pub(crate) async fn intake_ends_at_the_limit(world: &impl World) {
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    for number in 0..MAX_OPEN {
        keep(store, &hold, number, None).await;
    }
    let over = payment(MAX_OPEN);
    assert_eq!(store.accept(&hold, &over, None).await, Ok(Accept::Full));
    assert_eq!(store.find(over.id).await, Ok(None));
    let done = settlement(0, "default", at("2025-07-15T12:00:00Z"));
    assert_eq!(store.settle(&done).await, Ok(Settle::Settled));
    keep(store, &hold, MAX_OPEN, None).await;
}

pub(crate) async fn a_stranger_may_not_accept(world: &impl World) {
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    let strangers = [
        Hold {
            epoch: hold.epoch + 1,
            ..hold.clone()
        },
        Hold {
            holder: Incarnation::new("front-2.b"),
            ..hold.clone()
        },
        Hold {
            owner: Incarnation::new("front-2.b"),
            ..hold
        },
    ];
    for hold in strangers {
        let refused = store.accept(&hold, &payment(1), None).await;
        assert_eq!(refused, Ok(Accept::Fenced), "{hold:?}");
    }
    assert_eq!(store.find(id(1)).await, Ok(None));
}

pub(crate) async fn an_entry_names_where_it_may_go(world: &impl World) {
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    let (default, fallback) = (processor("default"), processor("fallback"));
    keep(store, &hold, 1, None).await;
    for (moves, to) in [(0, &default), (1, &fallback), (2, &default)] {
        let named = store.rename(&hold, id(1), moves, to).await;
        assert_eq!(named, Ok(Rename::Named));
        let entry = queued(store, &hold.owner).await.remove(0);
        assert_eq!(
            (entry.processor, entry.moves),
            (Some(to.clone()), moves + 1)
        );
    }
}

pub(crate) async fn a_rename_names_the_moves_it_builds_on(world: &impl World) {
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    let (default, fallback) = (processor("default"), processor("fallback"));
    keep(store, &hold, 1, Some("default")).await;
    let rename = |moves, to| store.rename(&hold, id(1), moves, to);
    assert_eq!(rename(0, &fallback).await, Ok(Rename::Named));
    assert_eq!(rename(0, &fallback).await, Ok(Rename::Named), "repeated");
    let on_fallback = Ok(Rename::Differs(Some(fallback.clone())));
    assert_eq!(rename(0, &default).await, on_fallback);
    assert_eq!(rename(2, &default).await, on_fallback);
    assert_eq!(rename(1, &default).await, Ok(Rename::Named));
    let on_default = Ok(Rename::Differs(Some(default.clone())));
    assert_eq!(rename(0, &fallback).await, on_default, "carried out late");
    keep(store, &hold, 2, None).await;
    let differs = store.rename(&hold, id(2), 1, &default).await;
    assert_eq!(differs, Ok(Rename::Differs(None)));
}

pub(crate) async fn a_rename_needs_an_open_entry_and_a_good_hold(world: &impl World) {
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    let other = enlist(store, "front-2.b").await;
    let default = processor("default");
    let gone = store.rename(&hold, id(1), 0, &default).await;
    assert_eq!(gone, Ok(Rename::Gone));
    keep(store, &hold, 1, None).await;
    let stale = Hold {
        epoch: hold.epoch + 100,
        ..hold.clone()
    };
    let fenced = store.rename(&stale, id(1), 0, &default).await;
    assert_eq!(fenced, Ok(Rename::Fenced));
    // A good hold is not lost by an entry of somebody else.
    let gone = store.rename(&other, id(1), 0, &default).await;
    assert_eq!(gone, Ok(Rename::Gone));
    assert_eq!(queued(store, &hold.owner).await[0].processor, None);
}

pub(crate) async fn a_rejected_payment_is_over_and_remembered(world: &impl World) {
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    let other = enlist(store, "front-2.b").await;
    let reject = |hold| {
        let store = store.clone();
        async move { store.reject(hold, &payment(1), "400 | everywhere").await }
    };
    assert_eq!(reject(&hold).await, Ok(Reject::Gone));
    keep(store, &hold, 1, None).await;
    assert_eq!(reject(&other).await, Ok(Reject::Gone));
    assert_eq!(reject(&hold).await, Ok(Reject::Rejected));
    assert_eq!(reject(&hold).await, Ok(Reject::Gone));
    assert_eq!(queued(store, &hold.owner).await, []);
    let state = PaymentState {
        id: id(1),
        amount: cents(1_990),
        status: Status::Rejected {
            reason: "400 | everywhere".to_owned(),
        },
    };
    assert_eq!(store.find(id(1)).await, Ok(Some(state)));
    let again = store.accept(&hold, &payment(1), None).await;
    assert_eq!(again, Ok(Accept::Ended));
    let dearer = Payment {
        amount: cents(1),
        ..payment(1)
    };
    let other = store.accept(&hold, &dearer, None).await;
    assert_eq!(other, Ok(Accept::AmountDiffers));
}

pub(crate) async fn the_queue_is_in_order_of_acceptance(world: &impl World) {
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    let other = enlist(store, "front-2.b").await;
    for number in 0..20 {
        keep(store, &hold, number, None).await;
        keep(store, &other, 100 + number, None).await;
    }
    let entries = queued(store, &hold.owner).await;
    assert_eq!(entries.len(), 20);
    let order = |entry: &Entry| (entry.accepted_at, entry.payment.id);
    assert!(entries.is_sorted_by_key(order), "{entries:?}");
    assert!(entries.iter().all(|entry| entry.owner == hold.owner));
}

pub(crate) async fn the_queue_is_read_page_by_page_while_entries_end(world: &impl World) {
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    for number in 0..700 {
        keep(store, &hold, number, None).await;
    }
    let all = queued(store, &hold.owner).await;
    assert_eq!(all.len(), 700);
    for limit in [1, 7, 600] {
        let mut read: Vec<Entry> = Vec::new();
        for page in 0.. {
            let next = store.queued(&hold.owner, read.last(), limit).await.unwrap();
            assert!(next.len() <= limit);
            if next.is_empty() || (limit == 1 && page == 10) {
                break;
            }
            read.extend(next);
        }
        assert_eq!(read, all[..read.len()], "pages of {limit}");
        assert!(limit == 1 || read.len() == all.len());
    }
    // What was read may end meanwhile.
    let default = at("2025-07-15T12:00:00Z");
    let mut done = settlement(0, "default", default);
    done.payment = all[99].payment;
    store.settle(&done).await.unwrap();
    let next = store.queued(&hold.owner, Some(&all[99]), 3).await.unwrap();
    assert_eq!(next, all[100..103]);
    let after_the_last = store.queued(&hold.owner, all.last(), 3).await.unwrap();
    assert_eq!(after_the_last, []);
}

pub(crate) async fn a_silent_owner_is_adopted_once_and_fenced(world: &impl World) {
    let store = world.store();
    let old = enlist(store, "front-1.a").await;
    keep(store, &old, 1, None).await;
    assert_eq!(adopt(store, &old, "front-2.b").await, None, "it lives");
    world.owners_fall_silent().await;
    let new = adopt(store, &old, "front-2.b").await.unwrap();
    assert_eq!(new.owner, old.owner);
    assert!(new.epoch > old.epoch);
    assert_eq!(adopt(store, &old, "front-3.c").await, None, "taken");
    let fenced = store.accept(&old, &payment(2), None).await;
    assert_eq!(fenced, Ok(Accept::Fenced));
    let default = processor("default");
    let rename = store.rename(&old, id(1), 0, &default).await;
    assert_eq!(rename, Ok(Rename::Fenced));
    let reject = store.reject(&old, &payment(1), "400").await;
    assert_eq!(reject, Ok(Reject::Fenced));
    let rename = store.rename(&new, id(1), 0, &default).await;
    assert_eq!(rename, Ok(Rename::Named));
    let unknown = Hold {
        owner: Incarnation::new("nobody"),
        ..old
    };
    assert_eq!(adopt(store, &unknown, "front-2.b").await, None);
}

pub(crate) async fn a_beat_keeps_an_owner_and_counts_its_payments(world: &impl World) {
    let store = world.store();
    let (one, two) = (
        enlist(store, "front-1.a").await,
        enlist(store, "front-2.b").await,
    );
    keep(store, &one, 1, None).await;
    world.owners_fall_silent().await;
    let stale = Hold {
        epoch: two.epoch + 100,
        ..two.clone()
    };
    let beat = store.beat(&[one.clone(), stale]).await.unwrap();
    assert_eq!(beat.queued, [Some(1), None]);
    assert_eq!(beat.lapsed, std::slice::from_ref(&two.owner));
    assert_eq!(adopt(store, &one, "front-3.c").await, None, "it has beaten");
    let beat = store.beat(&[two]).await.unwrap();
    assert_eq!((beat.queued, beat.lapsed), (vec![Some(0)], vec![]));
    let later = store.beat(&[]).await.unwrap();
    assert!(later.now >= beat.now);
}

pub(crate) async fn who_resigns_is_adopted_at_once(world: &impl World) {
    let store = world.store();
    let (one, two) = (
        enlist(store, "front-1.a").await,
        enlist(store, "front-2.b").await,
    );
    let stale = Hold {
        epoch: one.epoch + 100,
        ..one.clone()
    };
    store.resign(&stale).await.unwrap();
    let beat = store.beat(std::slice::from_ref(&two)).await.unwrap();
    assert_eq!(beat.lapsed, [], "only a good hold can be resigned");
    store.resign(&one).await.unwrap();
    let beat = store.beat(&[two]).await.unwrap();
    assert_eq!(beat.lapsed, std::slice::from_ref(&one.owner));
    assert!(adopt(store, &one, "front-2.b").await.is_some());
}

pub(crate) async fn only_an_owner_without_payments_is_discharged(world: &impl World) {
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    keep(store, &hold, 1, None).await;
    assert_eq!(store.discharge(&hold).await, Ok(false), "it has payments");
    let done = settlement(1, "default", at("2025-07-15T12:00:00Z"));
    store.settle(&done).await.unwrap();
    let stale = Hold {
        epoch: hold.epoch + 1,
        ..hold.clone()
    };
    assert_eq!(store.discharge(&stale).await, Ok(false));
    assert_eq!(store.discharge(&hold).await, Ok(true));
    assert_eq!(store.discharge(&hold).await, Ok(true), "repeated");
    let beat = store.beat(std::slice::from_ref(&hold)).await.unwrap();
    assert_eq!((beat.queued, beat.lapsed), (vec![None], vec![]));
    assert_eq!(adopt(store, &hold, "front-2.b").await, None, "it is gone");
    let fenced = store.accept(&hold, &payment(2), None).await;
    assert_eq!(fenced, Ok(Accept::Fenced));
}

pub(crate) async fn enlisting_twice_is_one_owner(world: &impl World) {
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    assert_eq!(enlist(store, "front-1.a").await, hold);
    let other = enlist(store, "front-2.b").await;
    assert_ne!(other.epoch, hold.epoch);
    keep(store, &hold, 1, None).await;
}
