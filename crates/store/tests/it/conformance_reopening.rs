//! Rejections that are taken back, and payments that are booked at a time of ours.

use feeway_domain::{
    Accept, Adopt, Decided, Hold, Incarnation, JournalTime, Ledger as _, Listed, Listing,
    MAX_RESTAMPED, Purge, Reject, Rename, Reopen, RequestedAt, Resolution, Resolutions, Restamp,
    Settle, Status, Store, Window,
};

use crate::world::{World, at, enlist, id, keep, payment, processor, settlement};

const NOON: &str = "2025-07-15T12:00:00Z";
const WHY: &str = "default answered 402, fallback answered 400";

fn desk(number: u8) -> Incarnation {
    Incarnation::new(&format!("feeway-ctl.{number:012x}"))
}

async fn reopen(store: &impl Resolutions, number: u64, owner: &Incarnation) -> Reopen {
    store.reopen(id(number), owner, "ann@desk").await.unwrap()
}

/// Rejects a payment that was renamed twice; returns when it was accepted.
async fn rejected(store: &impl Store, hold: &Hold, number: u64) -> JournalTime {
    keep(store, hold, number, None).await;
    for (moves, name) in [(0, "default"), (1, "fallback")] {
        let named = store
            .rename(hold, id(number), moves, &processor(name))
            .await;
        assert_eq!(named, Ok(Rename::Named));
    }
    let entries = store.queued(&hold.owner, None, 100).await.unwrap();
    let entry = entries.iter().find(|entry| entry.payment.id == id(number));
    let rejected = store.reject(hold, &payment(number), WHY).await;
    assert_eq!(rejected, Ok(Reject::Rejected));
    entry.unwrap().accepted_at
}

async fn adopt(store: &impl Store, owner: &Incarnation) -> Hold {
    let beat = store.beat(&[]).await.unwrap();
    assert!(beat.lapsed.contains(owner), "{:?}", beat.lapsed);
    match store.adopt(owner, &Incarnation::new("front-2.b")).await {
        Ok(Adopt::Adopted(hold)) => hold,
        other => panic!("nobody lives who holds it: {other:?}"),
    }
}

pub(crate) async fn what_is_reopened_is_open_for_the_next_front_and_recorded<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    let accepted_at = rejected(store, &hold, 1).await;
    let ended = store.accept(&hold, &payment(1), None).await;
    assert_eq!(ended, Ok(Accept::Ended));
    assert_eq!(reopen(store, 1, &desk(1)).await, Reopen::Reopened);
    assert_eq!(reopen(store, 1, &desk(1)).await, Reopen::Reopened, "lost");
    assert_eq!(reopen(store, 1, &desk(2)).await, Reopen::Open);
    let state = store.find(id(1)).await.unwrap().unwrap();
    assert_eq!(state.status, Status::Open { processor: None });
    assert_eq!(state.amount, payment(1).amount);
    let known = store.accept(&hold, &payment(1), None).await;
    assert_eq!(known, Ok(Accept::Known));
    let listing = Listing {
        listed: Listed::Rejected,
        window: Window::default(),
        after: None,
        limit: 10,
    };
    assert_eq!(store.list(&listing).await.unwrap().lines, []);

    let adopted = adopt(store, &desk(1)).await;
    let entries = store.queued(&desk(1), None, 10).await.unwrap();
    let [entry] = &entries[..] else {
        panic!("{entries:?}");
    };
    assert_eq!((entry.payment, entry.moves), (payment(1), 3));
    assert_eq!(entry.accepted_at, accepted_at);
    // An answer that was lost is asked for again. The hold is as good as before.
    let again = store.reject(&hold, &payment(1), WHY).await;
    assert_eq!(again, Ok(Reject::Gone));
    let beat = store.beat(std::slice::from_ref(&hold)).await.unwrap();
    assert_eq!(beat.queued, [Some(0)]);
    let named = store.rename(&adopted, id(1), 3, &processor("third")).await;
    assert_eq!(named, Ok(Rename::Named));
    // The tool asks once more, since it never heard the answer.
    assert_eq!(reopen(store, 1, &desk(1)).await, Reopen::Reopened);
    let records = store.resolutions().await.unwrap();
    let expected = Resolution {
        at: records[0].at,
        id: id(1),
        amount: payment(1).amount,
        decided: Decided::Reopened {
            reason: WHY.to_owned(),
        },
        by: "ann@desk".to_owned(),
    };
    assert_eq!(records, [expected]);
}

pub(crate) async fn only_what_is_rejected_is_reopened<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    assert_eq!(reopen(store, 1, &desk(1)).await, Reopen::Unknown);
    keep(store, &hold, 1, Some("default")).await;
    assert_eq!(reopen(store, 1, &desk(1)).await, Reopen::Open);
    for name in ["default", "fallback"] {
        store.settle(&settlement(1, name, at(NOON))).await.unwrap();
        assert_eq!(reopen(store, 1, &desk(1)).await, Reopen::Settled);
    }
    // One of those who said no has it after all.
    rejected(store, &hold, 2).await;
    let held = store.settle(&settlement(2, "default", at(NOON))).await;
    assert_eq!(held, Ok(Settle::Settled));
    assert_eq!(reopen(store, 2, &desk(1)).await, Reopen::Settled);
    rejected(store, &hold, 3).await;
    world.rejections_grow_old().await;
    assert_eq!(reopen(store, 3, &desk(1)).await, Reopen::Unknown);
    assert_eq!(store.resolutions().await, Ok(Vec::new()));
    let beat = store.beat(std::slice::from_ref(&hold)).await.unwrap();
    assert!(!beat.lapsed.contains(&desk(1)), "nobody was made an owner");
}

pub(crate) async fn what_is_reopened_together_has_one_owner_whoever_holds_it<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    for number in 1..=4 {
        rejected(store, &hold, number).await;
    }
    for number in 1..=2 {
        assert_eq!(reopen(store, number, &desk(1)).await, Reopen::Reopened);
    }
    // A front adopts the first two before the third is there.
    let adopted = adopt(store, &desk(1)).await;
    assert_eq!(reopen(store, 3, &desk(1)).await, Reopen::Reopened);
    let beat = store.beat(std::slice::from_ref(&adopted)).await.unwrap();
    assert_eq!(beat.queued, [Some(3)], "its hold is good for all of them");
    for number in 1..=3 {
        let settled = store.settle(&settlement(number, "default", at(NOON))).await;
        assert_eq!(settled, Ok(Settle::Settled));
    }
    assert_eq!(store.discharge(&adopted).await, Ok(true));
    // The owner is gone before the fourth comes.
    assert_eq!(reopen(store, 4, &desk(1)).await, Reopen::Reopened);
    let again = adopt(store, &desk(1)).await;
    assert!(again.epoch > adopted.epoch);
    assert_eq!(store.queued(&desk(1), None, 10).await.unwrap().len(), 1);
}

pub(crate) async fn what_was_reopened_may_be_rejected_and_reopened_again<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    let accepted_at = rejected(store, &hold, 1).await;
    for (turn, moves) in [(1, 3), (2, 4)] {
        assert_eq!(reopen(store, 1, &desk(turn)).await, Reopen::Reopened);
        let hold = adopt(store, &desk(turn)).await;
        let entries = store.queued(&desk(turn), None, 10).await.unwrap();
        assert_eq!(entries[0].moves, moves);
        assert_eq!(entries[0].accepted_at, accepted_at);
        let rejected = store.reject(&hold, &payment(1), WHY).await;
        assert_eq!(rejected, Ok(Reject::Rejected));
    }
    assert_eq!(store.resolutions().await.unwrap().len(), 2);
}

fn restamp(number: u64) -> Restamp {
    let micros = |micros: u64| RequestedAt::from_micros(i64::try_from(micros).unwrap()).unwrap();
    Restamp {
        id: id(number),
        processor: processor("default"),
        theirs: micros(number),
        ours: micros(number + 1),
    }
}

pub(crate) async fn restamps_are_noted_once_and_the_newest_are_kept<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    assert_eq!(store.restamped().await, Ok(Vec::new()));
    for number in [1, 2, 1] {
        store.note_restamp(&restamp(number)).await.unwrap();
    }
    let noted = store.restamped().await.unwrap();
    let restamps: Vec<Restamp> = noted.iter().map(|noted| noted.restamp.clone()).collect();
    assert_eq!(restamps, [restamp(1), restamp(2)]);
    let now = store.beat(&[]).await.unwrap().now;
    assert!(noted.iter().all(|noted| noted.at <= now));
    let total = u64::try_from(MAX_RESTAMPED).unwrap() + 1;
    for number in 3..=total {
        store.note_restamp(&restamp(number)).await.unwrap();
    }
    let noted = store.restamped().await.unwrap();
    assert_eq!(noted.len(), MAX_RESTAMPED);
    let has = |number| noted.iter().any(|noted| noted.restamp == restamp(number));
    assert!(!has(1) && has(2) && has(total));
    assert_eq!(store.purge().await, Ok(Purge::Purged));
    assert_eq!(store.restamped().await, Ok(Vec::new()));
}
