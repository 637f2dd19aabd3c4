use std::io::Write as _;
use std::process::{Command, Stdio};

use feeway_ctl::Ending;
use feeway_domain::{Adopt, CorrelationId, Hold, Incarnation, Ledger as _, Restamp, Status, Store};

use crate::desk::{Desk, at, id, payment};

const WHY: &str = "default answered 402, fallback answered 400";
const NOON: &str = "2025-07-15T12:00:00Z";

async fn rejected(desk: &Desk, hold: &Hold, number: u8) {
    desk.keep(hold, number, Some("default")).await;
    let rejected = desk.store.reject(hold, &payment(number), WHY).await;
    rejected.unwrap();
}

async fn is_open(desk: &Desk, number: u8) -> bool {
    let state = desk.store.find(id(number)).await.unwrap().unwrap();
    state.status == Status::Open { processor: None }
}

/// The owners whom nobody holds.
async fn abandoned(desk: &Desk) -> Vec<Incarnation> {
    desk.store.beat(&[]).await.unwrap().lapsed
}

#[tokio::test]
async fn what_is_reopened_belongs_to_nobody_and_is_recorded() {
    let desk = Desk::new().await;
    let hold = desk.enlist("front-1.a").await;
    for number in 1..=3 {
        rejected(&desk, &hold, number).await;
    }
    let (one, two) = (id(1).to_string(), id(2).to_string());
    let arguments = ["reopen", &one, &two, "--by", "ann"];
    let (ending, said) = desk.ctl(&arguments).await.unwrap();
    assert_eq!(ending, Ending::Fine);
    assert_eq!(said, format!("{one} reopened\n{two} reopened\n"));
    assert!(is_open(&desk, 1).await && is_open(&desk, 2).await);
    assert!(!is_open(&desk, 3).await);
    let owners = abandoned(&desk).await;
    let [owner] = &owners[..] else {
        panic!("one for both: {owners:?}");
    };
    assert!(owner.as_str().starts_with("feeway-ctl."), "{owner}");
    let adopted = desk.store.adopt(owner, &hold.holder).await.unwrap();
    assert!(matches!(adopted, Adopt::Adopted(_)));
    let entries = desk.store.queued(owner, None, 10).await.unwrap();
    assert_eq!(entries.len(), 2);
    // Another command is another decision.
    let (ending, said) = desk.ctl(&arguments).await.unwrap();
    assert_eq!((ending, &said[..]), (Ending::Not, ""));
    let (_, record) = desk.ctl(&["resolutions"]).await.unwrap();
    assert_eq!(record.lines().count(), 2, "{record}");
    let expected = format!("{one}  10.01  reopened: {WHY}; by ann");
    assert!(record.contains(&expected), "{record}");
    let (_, record) = desk.ctl(&["resolutions", "--json"]).await.unwrap();
    let expected = format!(r#""amount":10.01,"reopened":true,"reason":"{WHY}","by":"ann"}}"#);
    assert!(record.contains(&expected), "{record}");
}

#[tokio::test]
async fn what_is_not_rejected_is_refused_and_the_others_are_reopened() {
    let desk = Desk::new().await;
    let hold = desk.enlist("front-1.a").await;
    rejected(&desk, &hold, 1).await;
    desk.keep(&hold, 2, None).await;
    desk.settle(3, "default", at(NOON)).await;
    let ids: Vec<String> = [2, 3, 4, 1].map(|number| id(number).to_string()).into();
    let arguments: Vec<&str> = std::iter::once("reopen")
        .chain(ids.iter().map(String::as_str))
        .collect();
    let (ending, said) = desk.ctl(&arguments).await.unwrap();
    assert_eq!(ending, Ending::Not);
    assert_eq!(said, format!("{} reopened\n", ids[3]));
}

#[tokio::test]
async fn all_of_a_time_are_reopened_and_of_none_nothing_happens() {
    let desk = Desk::new().await;
    let all = ["reopen", "--all", "--yes"];
    assert_eq!(desk.ctl(&all).await.unwrap(), (Ending::Fine, String::new()));
    assert_eq!(abandoned(&desk).await, []);
    let hold = desk.enlist("front-1.a").await;
    rejected(&desk, &hold, 1).await;
    let after_first = desk.now().await.to_string();
    rejected(&desk, &hold, 2).await;
    let since = ["reopen", "--all", "--yes", "--from", &after_first];
    let (_, said) = desk.ctl(&since).await.unwrap();
    assert_eq!(said, format!("{} reopened\n", id(2)));
    let (_, said) = desk.ctl(&all).await.unwrap();
    assert_eq!(said, format!("{} reopened\n", id(1)));
}

#[tokio::test]
async fn reopening_all_needs_a_confirmation() {
    let desk = Desk::new().await;
    let hold = desk.enlist("front-1.a").await;
    rejected(&desk, &hold, 1).await;
    // What is piped in is no word of a person's.
    let mut tool = Command::new(env!("CARGO_BIN_EXE_feeway-ctl"))
        .env("FEEWAY_REDIS", desk.redis.url())
        .args(["reopen", "--all"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have ended before it could read.
    drop(tool.stdin.take().unwrap().write_all(b"yes\n"));
    let output = tool.wait_with_output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    let expected = "nothing was done: rejected payments: 1, 10.01 in all; give --yes";
    assert!(errors.contains(expected), "{errors}");
    assert!(!is_open(&desk, 1).await);
}

#[tokio::test]
async fn a_restamped_payment_is_listed_and_shown() {
    let desk = Desk::new().await;
    let restamp = |number: u8| Restamp {
        id: id(number),
        processor: "default".parse().unwrap(),
        theirs: at("1999-12-31T00:00:00Z"),
        ours: at(NOON),
    };
    desk.settle(1, "default", at(NOON)).await;
    for number in [1, 2] {
        desk.store.note_restamp(&restamp(number)).await.unwrap();
    }
    let (_, listed) = desk.ctl(&["restamped"]).await.unwrap();
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let said = "default says 1999-12-31T00:00:00.000000Z, booked at 2025-07-15T12:00:00.000000Z";
    assert!(listed.lines().all(|line| line.ends_with(said)), "{listed}");
    let (_, listed) = desk.ctl(&["restamped", "--json"]).await.unwrap();
    let read: Vec<serde_json::Value> = listed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ids: Vec<CorrelationId> = read
        .iter()
        .map(|line| line["correlationId"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(ids, [id(1), id(2)]);
    let shown = id(1).to_string();
    let (_, text) = desk.ctl(&["show", &shown]).await.unwrap();
    let said = "restamped    default says 1999-12-31T00:00:00.000000Z, noted 20";
    assert!(text.contains(said), "{text}");
    let (_, text) = desk.ctl(&["show", &shown, "--json"]).await.unwrap();
    assert_eq!(text.matches(r#""theirs":"1999-12-31"#).count(), 1, "{text}");
    desk.settle(3, "default", at(NOON)).await;
    let other = id(3).to_string();
    let (_, text) = desk.ctl(&["show", &other]).await.unwrap();
    assert!(!text.contains("restamped"), "{text}");
}
