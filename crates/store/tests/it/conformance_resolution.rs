use feeway_domain::{
    Adopt, Case, Confirm, Custody, Decided, Fee, Hold, Incarnation, Ledger as _, MAX_RESOLUTIONS,
    Proof, Reject, Rename, RequestedAt, Resolution, Resolutions, Resolve, Settle, Status, Store,
    Verdict, Window,
};

use crate::world::{World, at, enlist, id, keep, payment, processor, settlement};

const NOON: &str = "2025-07-15T12:00:00Z";

fn held() -> Verdict {
    Verdict::Held {
        requested_at: at(NOON),
        fee: Fee::from_millionths(50_000).unwrap(),
    }
}

async fn case(store: &impl Resolutions, number: u64) -> Case {
    store.case(id(number)).await.unwrap().unwrap()
}

async fn custody(store: &impl Resolutions, number: u64) -> Custody {
    case(store, number).await.custody.unwrap()
}

/// A payment pinned to `default`, whose front has fallen silent.
async fn abandoned<W: World>(world: &W, number: u64) -> (Hold, Custody)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    keep(store, &hold, number, Some("default")).await;
    world.owners_fall_silent().await;
    (hold, custody(store, number).await)
}

async fn resolve(store: &impl Resolutions, seen: &Custody, verdict: &Verdict) -> Resolve {
    let resolve = store.resolve(seen, verdict, &Proof::Silence, "ann@desk");
    resolve.await.unwrap()
}

pub(crate) async fn a_case_says_who_has_an_open_payment_in_hand<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    assert_eq!(store.case(id(1)).await, Ok(None));
    let hold = enlist(store, "front-1.a").await;
    keep(store, &hold, 1, Some("default")).await;
    let case = case(store, 1).await;
    let custody = case.custody.unwrap();
    assert_eq!(custody.hold, Some(hold.clone()));
    assert_eq!(custody.entry.owner, hold.owner);
    assert_eq!(custody.entry.processor, Some(processor("default")));
    assert!(!custody.is_lapsed());
    assert_eq!(case.lines.len(), 1);
    assert_eq!(case.lines[0].at, custody.entry.accepted_at);
    world.owners_fall_silent().await;
    let lapsed = self::custody(store, 1).await;
    assert!(lapsed.is_lapsed());
    store.resign(&hold).await.unwrap();
    let resigned = self::custody(store, 1).await;
    assert_eq!((resigned.beat, resigned.is_lapsed()), (None, true));
}

pub(crate) async fn a_case_tells_the_end_of_a_payment<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    for name in ["default", "fallback"] {
        store.settle(&settlement(1, name, at(NOON))).await.unwrap();
    }
    let conflict = case(store, 1).await;
    assert_eq!((conflict.lines.len(), conflict.custody), (2, None));
    for (line, name) in conflict.lines.iter().zip(["default", "fallback"]) {
        assert!(matches!(line.state.status, Status::Conflict { .. }));
        assert_eq!(line.state.status.processor(), Some(&processor(name)));
        assert_eq!(line.fee, Fee::from_millionths(50_000));
    }
    store
        .settle(&settlement(2, "default", at(NOON)))
        .await
        .unwrap();
    let settled = case(store, 2).await;
    assert_eq!(settled.lines.len(), 1);
    assert!(matches!(
        settled.lines[0].state.status,
        Status::Settled { .. }
    ));
    keep(store, &hold, 3, None).await;
    store.reject(&hold, &payment(3), "400").await.unwrap();
    let rejected = case(store, 3).await;
    assert_eq!(rejected.lines[0].state.status.reason(), Some("400"));
}

pub(crate) async fn an_operators_yes_is_settled_once_and_recorded<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let (hold, seen) = abandoned(world, 1).await;
    let settled = Resolve::Settled(Settle::Settled);
    assert_eq!(resolve(store, &seen, &held()).await, settled);
    // The answer was lost, and the front wakes up and hears the same from the processor.
    let known = Resolve::Settled(Settle::Known);
    assert_eq!(resolve(store, &seen, &held()).await, known);
    let again = store.settle(&settlement(1, "default", at(NOON))).await;
    assert_eq!(again, Ok(Settle::Known));
    assert_eq!(
        resolve(store, &seen, &Verdict::NotHeld).await,
        Resolve::Gone
    );
    let summary = store.summary(Window::default()).await.unwrap();
    assert_eq!(summary.of(&processor("default")).count, 1);
    let state = store.find(id(1)).await.unwrap().unwrap();
    let expected = Status::Settled {
        processor: processor("default"),
        requested_at: at(NOON),
    };
    assert_eq!(state.status, expected);
    let beat = store.beat(&[hold]).await.unwrap();
    assert_eq!(beat.queued, [Some(0)], "its entry has ended");
    let records = store.resolutions().await.unwrap();
    let expected = Resolution {
        at: records[0].at,
        id: id(1),
        amount: payment(1).amount,
        decided: Decided::Resolved {
            processor: processor("default"),
            verdict: held(),
        },
        by: "ann@desk".to_owned(),
    };
    assert_eq!(records, [expected]);
    assert!(records[0].at >= seen.now);
}

pub(crate) async fn after_an_operators_no_the_next_front_may_send_it_anywhere<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let (old, seen) = abandoned(world, 1).await;
    assert_eq!(
        resolve(store, &seen, &Verdict::NotHeld).await,
        Resolve::Released
    );
    assert_eq!(
        resolve(store, &seen, &Verdict::NotHeld).await,
        Resolve::Released,
        "the answer was lost"
    );
    assert_eq!(resolve(store, &seen, &held()).await, Resolve::Unnamed);
    assert_eq!(store.resolutions().await.unwrap().len(), 1);
    // Whoever held it and wakes up late may do nothing with its entry.
    let beat = store.beat(std::slice::from_ref(&old)).await.unwrap();
    assert_eq!(beat.queued, [None]);
    assert_eq!(
        beat.lapsed,
        std::slice::from_ref(&old.owner),
        "adopted at once"
    );
    for moves in [0, 1] {
        let named = store.rename(&old, id(1), moves, &processor("third")).await;
        assert_eq!(named, Ok(Rename::Fenced));
    }
    let rejected = store.reject(&old, &payment(1), "400").await;
    assert_eq!(rejected, Ok(Reject::Fenced));
    let next = Incarnation::new("front-2.b");
    let Adopt::Adopted(hold) = store.adopt(&old.owner, &next).await.unwrap() else {
        panic!("nobody lives who holds it");
    };
    assert!(hold.epoch > old.epoch);
    let entries = store.queued(&old.owner, None, 10).await.unwrap();
    assert_eq!((entries.len(), entries[0].moves), (1, 1));
    assert_eq!(entries[0].processor, None);
    let named = store.rename(&hold, id(1), 1, &processor("fallback")).await;
    assert_eq!(named, Ok(Rename::Named));
}

pub(crate) async fn nothing_is_resolved_that_a_living_front_has_in_hand<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    keep(store, &hold, 1, Some("default")).await;
    let beating = custody(store, 1).await;
    for verdict in [held(), Verdict::NotHeld] {
        assert_eq!(resolve(store, &beating, &verdict).await, Resolve::Changed);
    }
    // It was only slow: it beats again between the look and the verdict.
    let (_, seen) = abandoned(world, 2).await;
    store.beat(std::slice::from_ref(&hold)).await.unwrap();
    for verdict in [held(), Verdict::NotHeld] {
        assert_eq!(resolve(store, &seen, &verdict).await, Resolve::Changed);
    }
    // Another front adopts it between the look and the verdict.
    world.owners_fall_silent().await;
    let seen = custody(store, 2).await;
    let next = Incarnation::new("front-2.b");
    store.adopt(&hold.owner, &next).await.unwrap();
    for verdict in [held(), Verdict::NotHeld] {
        assert_eq!(resolve(store, &seen, &verdict).await, Resolve::Changed);
    }
    assert_eq!(store.resolutions().await, Ok(Vec::new()));
    let entry = custody(store, 2).await.entry;
    assert_eq!(entry.processor, Some(processor("default")));
    assert_eq!(entry.moves, 0);
}

pub(crate) async fn a_verdict_speaks_of_the_processor_that_is_named<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let (hold, seen) = abandoned(world, 1).await;
    let named = store.rename(&hold, id(1), 0, &processor("fallback")).await;
    assert_eq!(named, Ok(Rename::Named));
    for verdict in [held(), Verdict::NotHeld] {
        assert_eq!(resolve(store, &seen, &verdict).await, Resolve::Changed);
    }
    keep(store, &hold, 2, None).await;
    world.owners_fall_silent().await;
    let unnamed = custody(store, 2).await;
    assert_eq!(resolve(store, &unnamed, &held()).await, Resolve::Unnamed);
    assert_eq!(store.resolutions().await, Ok(Vec::new()));
}

pub(crate) async fn a_verdict_is_not_of_a_later_payment_with_the_same_id<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let (hold, seen) = abandoned(world, 1).await;
    store
        .settle(&settlement(1, "default", at(NOON)))
        .await
        .unwrap();
    store.purge().await.unwrap();
    keep(store, &hold, 1, Some("default")).await;
    let default = processor("default");
    let order = store.stand_back(&default, None, "t1", "ann").await.unwrap();
    let token = order.unwrap().token;
    let confirm = store.confirm_stand_back(&hold, &default, &token).await;
    assert_eq!(confirm, Ok(Confirm::Confirmed));
    for proof in [Proof::Silence, Proof::StoodBack(token)] {
        for verdict in [held(), Verdict::NotHeld] {
            let resolve = store.resolve(&seen, &verdict, &proof, "ann@desk").await;
            assert_eq!(resolve, Ok(Resolve::Changed), "{proof:?} {verdict:?}");
        }
    }
    let later = custody(store, 1).await;
    let resolve = resolve(store, &later, &Verdict::NotHeld).await;
    assert_eq!(resolve, Resolve::Released);
}

pub(crate) async fn the_record_of_resolutions_is_bounded<W: World>(world: &W)
where
    W::Store: Resolutions,
{
    let store = world.store();
    let (hold, _) = abandoned(world, 1).await;
    let total = MAX_RESOLUTIONS + 3;
    for turn in 0..total {
        let number = u64::try_from(turn).unwrap() + 10;
        keep(store, &hold, number, Some("default")).await;
        let seen = custody(store, number).await;
        let verdict = Verdict::Held {
            requested_at: RequestedAt::from_micros(i64::try_from(turn).unwrap()).unwrap(),
            fee: Fee::from_millionths(0).unwrap(),
        };
        let resolved = resolve(store, &seen, &verdict).await;
        assert_eq!(resolved, Resolve::Settled(Settle::Settled));
    }
    let records = store.resolutions().await.unwrap();
    assert_eq!(records.len(), MAX_RESOLUTIONS);
    assert_eq!(records[0].id, id(13), "the oldest are gone");
}
