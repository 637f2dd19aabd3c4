use std::time::Duration;

use feeway_ctl::Ending;
use feeway_domain::{Adopt, Incarnation, Ledger as _, Rename, RequestedAt, Status, Store, Window};
use feeway_testing::{Persistence, PrivateRedis};
use tokio::time::Instant;

use crate::desk::{Desk, ctl, id};

async fn resolve(desk: &Desk, number: u8, verdict: &[&str]) -> (Ending, String) {
    let id = id(number).to_string();
    let arguments = [&["resolve", &id, "--by=ann", "--wait=1s"], verdict].concat();
    desk.ctl(&arguments).await.unwrap()
}

#[tokio::test]
async fn what_a_processor_holds_is_settled_with_the_fee_of_its_neighbours_and_recorded() {
    let desk = Desk::new().await;
    let hold = desk.enlist("front-1.a").await;
    desk.keep(&hold, 1, Some("default")).await;
    desk.store.resign(&hold).await.unwrap();
    let at = desk.now().await;
    let text = at.to_string();
    let held = ["--held", "default", "--requested-at", &text];
    let (ending, said) = resolve(&desk, 1, &held).await;
    assert_eq!((ending, &said[..]), (Ending::Not, ""), "no fee is known");
    let neighbour = RequestedAt::from_micros(at.micros() - 60_000_000).unwrap();
    desk.settle(2, "fallback", neighbour).await;
    desk.settle(3, "default", neighbour).await;
    let (ending, said) = resolve(&desk, 1, &held).await;
    assert_eq!((ending, &said[..]), (Ending::Fine, "settled\n"));
    let status = desk.store.find(id(1)).await.unwrap().unwrap().status;
    let expected = Status::Settled {
        processor: "default".parse().unwrap(),
        requested_at: at,
    };
    assert_eq!(status, expected);
    let (ending, said) = resolve(&desk, 1, &held).await;
    assert_eq!(ending, Ending::Fine);
    assert!(said.contains("already"), "{said}");
    let summary = desk.store.summary(Window::default()).await.unwrap();
    assert_eq!(summary.of(&"default".parse().unwrap()).count, 2);
    let (_, record) = desk.ctl(&["resolutions"]).await.unwrap();
    assert_eq!(record.lines().count(), 1);
    let expected = format!("default: held, requestedAt {at}, fee 0.05; by ann");
    assert!(record.contains(&expected), "{record}");
    assert!(record.contains(&id(1).to_string()), "{record}");
}

#[tokio::test]
async fn what_is_not_held_goes_elsewhere_when_a_front_starts() {
    let desk = Desk::new().await;
    let hold = desk.enlist("front-1.a").await;
    desk.keep(&hold, 1, Some("default")).await;
    desk.store.resign(&hold).await.unwrap();
    let (ending, said) = resolve(&desk, 1, &["--not-held"]).await;
    assert_eq!(ending, Ending::Fine);
    assert!(said.starts_with("released"), "{said}");
    let next = Incarnation::new("front-1.b");
    let adopted = desk.store.adopt(&hold.owner, &next).await.unwrap();
    let Adopt::Adopted(hold) = adopted else {
        panic!("nobody lives who holds it");
    };
    let fallback = "fallback".parse().unwrap();
    let named = desk.store.rename(&hold, id(1), 1, &fallback).await;
    assert_eq!(named, Ok(Rename::Named));
    let (_, record) = desk.ctl(&["resolutions", "--json"]).await.unwrap();
    let expected =
        r#""processor":"default","held":false,"requestedAt":null,"fee":null,"by":"ann"}"#;
    assert!(record.trim_end().ends_with(expected), "{record}");
}

/// The front was only slow: its heartbeat comes while the tool watches.
#[tokio::test]
async fn a_front_that_appears_while_watching_keeps_its_payment() {
    let desk = Desk::new().await;
    let hold = desk.enlist("front-1.a").await;
    desk.keep(&hold, 1, Some("default")).await;
    let (ending, _) = resolve(&desk, 1, &["--not-held"]).await;
    assert_eq!(ending, Ending::Not, "it lives");
    let url = format!("unix://{}", desk.redis.socket().display());
    let client = redis::Client::open(url).unwrap();
    let mut raw = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("HINCRBY")
        .arg("{0}:owner:front-1.a")
        .arg(&["beat", "-60000000"])
        .exec_async(&mut raw)
        .await
        .unwrap();
    let late_beat = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        desk.store.beat(std::slice::from_ref(&hold)).await.unwrap();
    };
    let verdict = ["--not-held"];
    let ((ending, _), ()) = tokio::join!(resolve(&desk, 1, &verdict), late_beat);
    assert_eq!(ending, Ending::Not);
    let entries = desk.store.queued(&hold.owner, None, 10).await.unwrap();
    assert_eq!(entries[0].processor, Some("default".parse().unwrap()));
    let (_, record) = desk.ctl(&["resolutions"]).await.unwrap();
    assert_eq!(record, "");
}

#[tokio::test]
async fn payments_that_do_not_match_the_verdict_are_not_resolved() {
    let desk = Desk::new().await;
    let hold = desk.enlist("front-1.a").await;
    desk.keep(&hold, 1, None).await;
    desk.keep(&hold, 2, Some("default")).await;
    desk.settle(3, "fallback", desk.now().await).await;
    desk.store.resign(&hold).await.unwrap();
    let now = desk.now().await.to_string();
    for (number, verdict) in [
        (1, &["--not-held"][..]),
        (
            2,
            &["--held", "fallback", "--requested-at", &now, "--fee=0.05"],
        ),
        (
            2,
            &[
                "--held",
                "default",
                "--requested-at",
                "2025-07-15T12:00:00Z",
                "--fee=0.05",
            ],
        ),
        (
            2,
            &[
                "--held",
                "default",
                "--requested-at",
                "2250-07-15T12:00:00Z",
                "--fee=0.05",
            ],
        ),
        (3, &["--not-held"]),
        (
            3,
            &["--held", "default", "--requested-at", &now, "--fee=0.05"],
        ),
        (4, &["--not-held"]),
    ] {
        let (ending, said) = resolve(&desk, number, verdict).await;
        assert_eq!(
            (ending, &said[..]),
            (Ending::Not, ""),
            "{number} {verdict:?}"
        );
    }
    let (_, record) = desk.ctl(&["resolutions"]).await.unwrap();
    assert_eq!(record, "");
}

/// While Redis is away no front can beat, so the silence before it came back says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_watch_starts_again_when_redis_comes_back() {
    let redis = PrivateRedis::start_with(Persistence::AppendOnly, &[]);
    let desk = Desk::on(redis).await;
    let hold = desk.enlist("front-1.a").await;
    desk.keep(&hold, 1, Some("default")).await;
    desk.store.resign(&hold).await.unwrap();
    let Desk { mut redis, store } = desk;
    drop(store);
    let (url, id) = (redis.url(), id(1).to_string());
    let restart = tokio::task::spawn_blocking(move || {
        std::thread::sleep(Duration::from_secs(3));
        redis.kill();
        // The tool looks three times a second.
        std::thread::sleep(Duration::from_secs(1));
        redis.restart();
        (redis, Instant::now())
    });
    let arguments = ["resolve", &id, "--not-held"];
    let (ending, said) = ctl(&url, &arguments).await.unwrap();
    let resolved = Instant::now();
    let (redis, back) = restart.await.unwrap();
    assert_eq!(ending, Ending::Fine);
    assert!(said.starts_with("released"), "{said}");
    let watched = resolved.saturating_duration_since(back);
    assert!(watched > Duration::from_millis(5_500), "{watched:?}");
    drop(redis);
}
