//! What only a processor's export has is settled.

use feeway_ctl::Ending;
use feeway_domain::{Fee, Ledger as _, Money, RequestedAt, Status, Store as _};

use crate::desk::{Desk, id, payment};
use crate::reconcile::{later, line, reconcile, same};

const SETTLE: [&str; 3] = ["--settle-with-fee=0.07", "--fee-differs", "--yes"];

async fn settle(desk: &Desk, lines: &[String], more: &[&str]) -> (Ending, String) {
    reconcile(desk, lines, &[&SETTLE, more].concat()).await
}

/// The line of the report that is about one payment.
#[track_caller]
fn told(said: &str, number: u8) -> &str {
    let id = id(number).to_string();
    let line = said.lines().find(|line| line.contains(&id));
    line.unwrap_or_else(|| panic!("{number}:\n{said}"))
}

async fn is_settled(desk: &Desk, number: u8) -> bool {
    let found = desk.store.find(id(number)).await.unwrap();
    found.is_some_and(|found| matches!(found.status, Status::Settled { .. }))
}

/// As after a restore: the journal is older than the processors. Here fronts live, and stand
/// back as they are told.
#[tokio::test]
async fn what_only_the_processor_has_is_settled_while_the_fronts_stand_back() {
    let desk = Desk::new().await;
    let hold = desk.enlist("front-1.a").await;
    desk.keep(&hold, 1, None).await;
    desk.keep(&hold, 2, Some("fallback")).await;
    desk.keep(&hold, 4, Some("default")).await;
    let now = desk.now().await;
    let lines = [
        same(1, now),
        same(2, now),
        same(3, later(3)),
        line(4, Money::from_cents(5).unwrap(), now),
        same(5, later(5)),
        same(5, later(6)),
    ];
    let (_, before) = reconcile(&desk, &lines, &[]).await;
    assert_eq!(before.matches("theirs-not-ours  ").count(), 5, "{before}");
    assert!(!before.contains("  now "), "{before}");

    let front = desk.obedient(&hold);
    let (ending, said) = settle(&desk, &lines, &[]).await;
    assert_eq!(ending, Ending::Not);
    for (number, expected) in [
        (1, "here open  now settled"),
        (2, "here open at fallback  now settled"),
        (3, "here unknown  now settled"),
        (
            4,
            "here open at default  now not settled: its amount here is 10.04",
        ),
        (
            5,
            "here unknown  now not settled: the file contradicts itself about it",
        ),
    ] {
        let lines: Vec<&str> = said
            .lines()
            .filter(|line| !line.starts_with("twice"))
            .collect();
        let line = told(&lines.join("\n"), number).to_owned();
        assert!(line.ends_with(expected), "{line}");
    }
    assert_eq!(desk.store.stand_backs().await.unwrap(), [], "it has ended");
    let (_, after) = settle(&desk, &lines[..4], &["--json"]).await;
    assert_eq!(after.lines().count(), 2, "{after}");
    let expected = r#""now":"not settled: its amount here is 10.04""#;
    assert!(after.contains(expected), "{after}");
    front.abort();
    let open = desk.store.queued(&hold.owner, None, 10).await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].payment, payment(4));
    let (_, shown) = desk
        .ctl(&["show", &id(2).to_string(), "--json"])
        .await
        .unwrap();
    assert!(shown.contains(r#""fee":0.07"#), "{shown}");
    assert!(shown.contains(&now.to_string()), "{shown}");
}

#[tokio::test]
async fn without_a_running_front_it_watches_before_it_settles() {
    let desk = Desk::new().await;
    let began = tokio::time::Instant::now();
    let (_, said) = settle(&desk, &[same(1, later(1))], &[]).await;
    assert!(told(&said, 1).ends_with("now settled"), "{said}");
    assert!(
        began.elapsed().as_millis() >= 6_000,
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_front_that_does_not_stand_back_keeps_everything_as_it_is() {
    let desk = Desk::new().await;
    desk.enlist("front-1.a").await;
    let (ending, said) = settle(&desk, &[same(1, later(1))], &["--wait=1s"]).await;
    assert_eq!(ending, Ending::Not);
    let expected = "now not settled: front-1.a did not stand back from default in time";
    assert!(told(&said, 1).contains(expected), "{said}");
    assert!(!is_settled(&desk, 1).await);
    assert_eq!(desk.store.stand_backs().await.unwrap(), [], "it has ended");
}

/// The fallback's file, given for the default's, would book everything twice.
#[tokio::test]
async fn the_wrong_file_settles_nothing_at_all() {
    let desk = Desk::new().await;
    desk.settle(1, "fallback", later(1)).await;
    let lines = [same(1, later(1)), same(2, later(2))];
    let (ending, said) = settle(&desk, &lines, &[]).await;
    assert_eq!(ending, Ending::Not);
    let refused = "now not settled: it is settled at fallback";
    assert!(told(&said, 1).ends_with(refused), "{said}");
    assert!(told(&said, 2).ends_with("here unknown"), "{said}");
    assert!(!is_settled(&desk, 2).await);
    let (_, shown) = settle(&desk, &lines, &["--dry-run"]).await;
    let why = "nothing can be settled: 1 payment of this file is settled at another processor";
    assert!(shown.contains(why), "{shown}");
}

#[tokio::test]
async fn impossible_times_settle_nothing_at_all() {
    let desk = Desk::new().await;
    let hold = desk.enlist("front-1.a").await;
    desk.keep(&hold, 1, Some("default")).await;
    let now = desk.now().await.micros();
    let after = |seconds: i64| RequestedAt::from_micros(now + seconds * 1_000_000).unwrap();
    for (number, at) in [(1, after(-60)), (2, after(60))] {
        let lines = [same(number, at), same(3, later(3))];
        let (ending, said) = settle(&desk, &lines, &[]).await;
        assert_eq!(ending, Ending::Not);
        let refused = "now not settled: it can only have been taken between";
        assert!(told(&said, number).contains(refused), "{said}");
        assert!(!is_settled(&desk, number).await && !is_settled(&desk, 3).await);
    }
    // A processor whose clock is that far off.
    let front = desk.obedient(&hold);
    let (_, said) = settle(&desk, &[same(1, after(-50))], &["--clock-slip=1m"]).await;
    assert!(told(&said, 1).ends_with("now settled"), "{said}");
    front.abort();
}

#[tokio::test]
async fn a_dry_run_shows_what_would_be_settled_and_settles_nothing() {
    let desk = Desk::new().await;
    let lines: Vec<String> = (1..=12)
        .map(|number| same(number, later(i64::from(number))))
        .collect();
    let (ending, said) = settle(&desk, &lines, &["--dry-run"]).await;
    assert_eq!(ending, Ending::Not);
    let head = "12 payments to settle at default, 120.78 in all, with the fee 0.07";
    assert!(said.contains(head), "{said}");
    assert_eq!(said.matches(", here unknown").count(), 10, "{said}");
    assert!(said.contains("… and 2 more"), "{said}");
    assert!(!is_settled(&desk, 1).await);
}

/// Fronts tell their fees; else the ledger does; else nobody knows.
#[tokio::test]
async fn a_fee_that_differs_from_the_known_one_is_refused() {
    let desk = Desk::new().await;
    let show = async |fee: &str| {
        let options = [fee, "--dry-run"];
        let (_, said) = reconcile(&desk, &[same(1, later(1))], &options).await;
        let mut lines = said.lines();
        let objection = lines.find_map(|line| line.strip_prefix("nothing can be settled: "));
        objection.map(str::to_owned)
    };
    let (five, seven) = ("--settle-with-fee=0.05", "--settle-with-fee=0.07");
    let why = show(five).await.unwrap();
    assert!(why.contains("no payment of it near"), "{why}");
    desk.settle(2, "default", later(0)).await;
    assert_eq!(show(five).await, None);
    let why = show(seven).await.unwrap();
    assert!(
        why.contains("in the ledger have the fee 0.05, not 0.07"),
        "{why}"
    );
    let told = [(
        "default".parse().unwrap(),
        Fee::from_millionths(70_000).unwrap(),
    )];
    desk.store.tell_fees(&told).await.unwrap();
    assert_eq!(show(seven).await, None);
    let why = show(five).await.unwrap();
    assert!(why.contains("configured with the fee 0.07"), "{why}");
    // Without --fee-differs nothing is settled then.
    let options = [five, "--yes"];
    let (_, said) = reconcile(&desk, &[same(1, later(1))], &options).await;
    assert!(!said.contains("  now "), "{said}");
    assert!(!is_settled(&desk, 1).await);
}
