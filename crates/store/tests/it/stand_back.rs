//! Standing back, and a Redis that is started again in the middle.

use feeway_domain::{Confirm, Proof, Resolutions, Resolve, Store, Verdict};
use feeway_testing::{Persistence, PrivateRedis};

use crate::world::{InRedis, enlist, id, keep, processor};

/// What was confirmed is still there, and counts no more: the order may have been at an end in
/// between, and that may be forgotten.
#[tokio::test]
async fn a_confirmation_counts_in_the_run_in_which_it_was_made() {
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let mut world = InRedis::on(redis, 100).await;
    let hold = enlist(&world.store, "front-1.a").await;
    keep(&world.store, &hold, 1, Some("default")).await;
    let default = processor("default");
    let before = world.store.stand_back(&default, None, "t1", "ann").await;
    let before = before.unwrap().unwrap();
    let confirm = async |world: &InRedis, token: &str| {
        let confirm = world.store.confirm_stand_back(&hold, &default, token);
        confirm.await.unwrap()
    };
    let decide = async |world: &InRedis, token: &str| {
        let case = world.store.case(id(1)).await.unwrap().unwrap();
        let (seen, not_held) = (case.custody.unwrap(), Verdict::NotHeld);
        let proof = Proof::StoodBack(token.to_owned());
        let decided = world.store.resolve(&seen, &not_held, &proof, "ann");
        decided.await.unwrap()
    };
    assert_eq!(confirm(&world, &before.token).await, Confirm::Confirmed);

    world.restart().await;

    let orders = world.store.stand_backs().await.unwrap();
    let [after] = &orders[..] else {
        panic!("{orders:?}");
    };
    assert_eq!((after.at, &after.by), (before.at, &before.by));
    assert_ne!(after.token, before.token);
    for token in [&before.token, &after.token] {
        assert_eq!(decide(&world, token).await, Resolve::Changed);
    }
    assert_eq!(confirm(&world, &before.token).await, Confirm::Stale);
    assert_eq!(confirm(&world, &after.token).await, Confirm::Confirmed);
    assert_eq!(decide(&world, &after.token).await, Resolve::Released);
}

/// Whoever waits for confirmations or decides may be in the middle of it.
#[tokio::test]
async fn an_order_of_before_a_restart_is_given_anew_and_ended() {
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let mut world = InRedis::on(redis, 100).await;
    let default = processor("default");
    let order = async |world: &InRedis, after: Option<&str>, token: &str| {
        let order = world.store.stand_back(&default, after, token, "ann");
        order.await.unwrap()
    };
    let first = order(&world, None, "t1").await.unwrap();
    let last = world.store.last_stand_back(&default).await.unwrap();

    world.restart().await;

    assert_eq!(
        world.store.last_stand_back(&default).await,
        Ok(last.clone())
    );
    let again = order(&world, None, "t1").await.unwrap();
    assert_ne!(again.token, first.token);
    let anew = order(&world, last.as_deref(), "t2").await.unwrap();
    assert_eq!(world.store.stand_backs().await, Ok(vec![anew.clone()]));

    world.restart().await;

    // The tool knows its order by what it read before.
    for _ in 0..2 {
        let ended = world.store.end_stand_back(&default, &anew.token).await;
        assert_eq!(ended, Ok(true));
    }
    assert_eq!(world.store.stand_backs().await, Ok(Vec::new()));

    world.restart().await;

    assert_eq!(order(&world, last.as_deref(), "t2").await, None);
    let last = world.store.last_stand_back(&default).await.unwrap();
    let next = order(&world, last.as_deref(), "t3").await;
    assert_eq!(world.store.stand_backs().await, Ok(vec![next.unwrap()]));
}
