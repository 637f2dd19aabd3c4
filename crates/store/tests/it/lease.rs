use std::time::Duration;

use feeway_domain::HealthReport;
use feeway_store::{Ask, Lease};

use crate::world::{InRedis, processor};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn one_token_at_a_time_holds_the_lease() {
    let world = InRedis::new(10).await;
    let (one, two) = (&world.store, world.another().await);
    assert_eq!(one.claim_lease("one", LONG).await, Ok(Lease::Ours));
    assert_eq!(
        one.claim_lease("one", LONG).await,
        Ok(Lease::Ours),
        "renewed"
    );
    let Ok(Lease::Others { left }) = two.claim_lease("two", LONG).await else {
        panic!("one lease for two tokens");
    };
    assert!(left > LONG / 2 && left <= LONG, "{left:?}");
    two.vacate_lease("two").await.unwrap();
    let others = two.claim_lease("two", LONG).await;
    assert!(
        matches!(others, Ok(Lease::Others { .. })),
        "only its holder can vacate it"
    );
    one.vacate_lease("one").await.unwrap();
    assert_eq!(two.claim_lease("two", LONG).await, Ok(Lease::Ours));
}

#[tokio::test]
async fn a_lease_that_is_not_renewed_runs_out() {
    let world = InRedis::new(10).await;
    let store = &world.store;
    let short = Duration::from_millis(80);
    assert_eq!(store.claim_lease("one", short).await, Ok(Lease::Ours));
    let taken = async {
        while store.claim_lease("two", LONG).await != Ok(Lease::Ours) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), taken)
        .await
        .unwrap();
    let lost = store.claim_ask("one", &processor("default"), LONG).await;
    assert_eq!(lost, Ok(Ask::NotHolder));
}

#[tokio::test]
async fn asks_of_one_processor_are_a_gap_apart_whoever_asks() {
    let world = InRedis::new(10).await;
    let store = &world.store;
    let (default, fallback) = (processor("default"), processor("fallback"));
    let nobody = store.claim_ask("one", &default, LONG).await;
    assert_eq!(nobody, Ok(Ask::NotHolder));
    store.claim_lease("one", LONG).await.unwrap();
    assert_eq!(store.claim_ask("one", &default, LONG).await, Ok(Ask::Go));
    assert_eq!(store.claim_ask("one", &fallback, LONG).await, Ok(Ask::Go));
    store.vacate_lease("one").await.unwrap();
    store.claim_lease("two", LONG).await.unwrap();
    let Ok(Ask::Wait(left)) = store.claim_ask("two", &default, LONG).await else {
        panic!("the last ask was only just");
    };
    assert!(left > LONG / 2 && left <= LONG, "{left:?}");
    // The gap is a matter of who asks next: none at all lets anybody go.
    let now = store.claim_ask("two", &default, Duration::ZERO).await;
    assert_eq!(now, Ok(Ask::Go));
}

#[tokio::test]
async fn the_gap_counts_from_the_answer() {
    let world = InRedis::new(10).await;
    let store = &world.store;
    let default = processor("default");
    let gap = Duration::from_millis(150);
    store.claim_lease("one", LONG).await.unwrap();
    assert_eq!(store.claim_ask("one", &default, gap).await, Ok(Ask::Go));
    tokio::time::sleep(gap).await;
    store.asked("one", &default).await.unwrap();
    let wait = store.claim_ask("one", &default, gap).await;
    assert!(
        matches!(wait, Ok(Ask::Wait(left)) if left > gap / 2),
        "{wait:?}"
    );
}

#[tokio::test]
async fn a_clock_that_was_set_back_delays_an_ask_by_one_gap() {
    let world = InRedis::new(10).await;
    let store = &world.store;
    let default = processor("default");
    let gap = Duration::from_millis(50);
    store.claim_lease("one", LONG).await.unwrap();
    redis::cmd("SET")
        .arg("feeway:health:default")
        .arg("9000000000000000|")
        .exec_async(&mut world.raw().await)
        .await
        .unwrap();
    let wait = store.claim_ask("one", &default, gap).await;
    assert_eq!(wait, Ok(Ask::Wait(gap)));
    tokio::time::sleep(gap).await;
    assert_eq!(store.claim_ask("one", &default, gap).await, Ok(Ask::Go));
}

#[tokio::test]
async fn the_last_report_is_kept_beside_the_last_ask() {
    let world = InRedis::new(10).await;
    let store = &world.store;
    let default = processor("default");
    assert_eq!(store.last_report(&default).await, Ok(None));
    store.claim_lease("one", LONG).await.unwrap();
    store.claim_ask("one", &default, LONG).await.unwrap();
    assert_eq!(store.last_report(&default).await, Ok(None));
    for failing in [true, false] {
        let report = HealthReport {
            processor: default.clone(),
            failing,
            min_response_time: Duration::from_millis(103),
            asked_ago: Duration::from_millis(20),
        };
        store.publish_report(&report).await.unwrap();
        let (last, age) = store.last_report(&default).await.unwrap().unwrap();
        let expected = HealthReport {
            asked_ago: Duration::ZERO,
            ..report
        };
        assert_eq!(last, expected);
        assert!(age < Duration::from_secs(5), "{age:?}");
    }
    store.asked("one", &default).await.unwrap();
    assert!(store.last_report(&default).await.unwrap().is_some());
    let wait = store.claim_ask("one", &default, LONG).await;
    assert!(matches!(wait, Ok(Ask::Wait(_))), "a report is no ask");
}
