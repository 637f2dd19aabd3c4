//! Many payments are resolved with one command, while fronts live and without any.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use feeway_ctl::Ending;
use feeway_domain::{Hold, Ledger as _, RequestedAt, Status, Store, Window};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::desk::{Desk, id, payment};

/// Payments 1 to 20 are pinned to `default`, 21 and 22 to `fallback`, 23 to nobody.
async fn many() -> (Desk, Hold) {
    let desk = Desk::new().await;
    let hold = desk.enlist("front-1.a").await;
    for number in 1..=20 {
        desk.keep(&hold, number, Some("default")).await;
    }
    for number in 21..=22 {
        desk.keep(&hold, number, Some("fallback")).await;
    }
    desk.keep(&hold, 23, None).await;
    (desk, hold)
}

async fn all_not_held(desk: &Desk, more: &[&str]) -> (Ending, String) {
    let all = ["resolve", "--all", "--processor=default", "--not-held"];
    let arguments = [&all[..], &["--yes", "--by=ann"], more].concat();
    desk.ctl(&arguments).await.unwrap()
}

async fn open_at(desk: &Desk, processor: &str) -> usize {
    let mut count = 0;
    for number in 1..=23 {
        let state = desk.store.find(id(number)).await.unwrap();
        let status = state.map(|state| state.status);
        let Some(Status::Open { processor: named }) = status else {
            continue;
        };
        count += usize::from(named.is_some_and(|named| named.as_str() == processor));
    }
    count
}

/// A file of lines, in a folder that goes with it.
fn file(lines: &[String]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("statement.jsonl");
    fs::write(&path, lines.join("\n")).unwrap();
    (folder, path)
}

fn held_line(number: u8, amount: &str, at: RequestedAt) -> String {
    let id = id(number);
    format!(r#"{{"correlationId":"{id}","amount":{amount},"requestedAt":"{at}"}}"#)
}

fn amount(number: u8) -> String {
    payment(number).amount.to_string()
}

#[tokio::test]
async fn all_that_is_pinned_is_released_while_its_front_lives() {
    let (desk, hold) = many().await;
    let front = desk.obedient(&hold);
    let began = Instant::now();
    let (ending, said) = all_not_held(&desk, &[]).await;
    assert_eq!(ending, Ending::Fine);
    assert_eq!(
        said,
        "settled 0, released 20, already settled 0, ended by themselves 0, not done 0\n"
    );
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "nobody is watched"
    );
    assert_eq!(open_at(&desk, "default").await, 0);
    assert_eq!(open_at(&desk, "fallback").await, 2);
    let (_, record) = desk.ctl(&["resolutions"]).await.unwrap();
    assert_eq!(record.lines().count(), 20);
    let beat = desk.store.beat(std::slice::from_ref(&hold)).await.unwrap();
    assert_eq!(beat.queued, [Some(23)], "its front keeps them");
    let orders = desk.store.stand_backs().await.unwrap();
    assert_eq!(orders.len(), 1, "or they would be pinned there again");
    let (ending, said) = all_not_held(&desk, &[]).await;
    assert_eq!(ending, Ending::Fine);
    assert!(said.starts_with("settled 0, released 0,"), "{said}");
    front.abort();
}

#[tokio::test]
async fn without_fronts_one_watch_is_enough_for_all() {
    let (desk, hold) = many().await;
    desk.store.resign(&hold).await.unwrap();
    let began = Instant::now();
    let (ending, said) = all_not_held(&desk, &[]).await;
    assert_eq!(ending, Ending::Fine);
    assert_eq!(
        said,
        "settled 0, released 20, already settled 0, ended by themselves 0, not done 0\n"
    );
    let took = began.elapsed();
    assert!((Duration::from_secs(6)..Duration::from_secs(9)).contains(&took));
    assert_eq!(desk.store.stand_backs().await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_front_that_does_not_stand_back_keeps_everything() {
    let (desk, _) = many().await;
    let (ending, said) = all_not_held(&desk, &["--wait=1s"]).await;
    assert_eq!(ending, Ending::Not);
    assert!(said.ends_with("not done 20\n"), "{said}");
    assert_eq!(open_at(&desk, "default").await, 20);
    assert_eq!(
        desk.store.stand_backs().await,
        Ok(Vec::new()),
        "it is ended"
    );
}

#[tokio::test]
async fn a_file_says_line_by_line_what_is_held_and_what_is_not() {
    let (desk, hold) = many().await;
    let front = desk.obedient(&hold);
    let now = desk.now().await;
    let lines = [
        held_line(1, &amount(1), now),
        held_line(2, "0.01", now),
        format!(r#"{{"correlationId":"{}","held":false}}"#, id(3)),
        held_line(21, &amount(21), now),
        held_line(23, &amount(23), now),
        held_line(99, "1", now),
    ];
    let (_folder, path) = file(&lines);
    let path = path.to_str().unwrap();
    let arguments = ["resolve", "--file", path, "--processor=default"];
    let more = ["--fee=0.05", "--yes", "--by=ann"];
    let dry = [&arguments[..], &more, &["--dry-run"]].concat();
    let (ending, preview) = desk.ctl(&dry).await.unwrap();
    assert_eq!(ending, Ending::Not, "some cannot be");
    let first = "2 payments to resolve, 20.04 in all: 1 held, 1 not held\n";
    assert!(preview.starts_with(first), "{preview}");
    for why in [
        "the file says 0.01",
        "pinned to fallback",
        "is not pinned to a processor",
        "not known",
    ] {
        assert!(preview.contains(why), "{why}: {preview}");
    }
    assert_eq!(open_at(&desk, "default").await, 20);
    let (ending, said) = desk.ctl(&[&arguments[..], &more].concat()).await.unwrap();
    assert_eq!(ending, Ending::Not);
    assert_eq!(
        said,
        "settled 1, released 1, already settled 0, ended by themselves 0, not done 4\n"
    );
    let state = desk.store.find(id(1)).await.unwrap().unwrap();
    let expected = Status::Settled {
        processor: "default".parse().unwrap(),
        requested_at: now,
    };
    assert_eq!(state.status, expected);
    // The second time the first line is so already.
    let (_, said) = desk.ctl(&[&arguments[..], &more].concat()).await.unwrap();
    assert!(said.contains("already settled 1"), "{said}");
    front.abort();
}

/// What the processor does not list was never taken.
#[tokio::test]
async fn a_whole_statement_decides_everything_that_is_pinned() {
    let (desk, hold) = many().await;
    let front = desk.obedient(&hold);
    let now = desk.now().await;
    desk.settle(50, "default", now).await;
    let numbers = (5..=8).chain([50]);
    let lines: Vec<String> = numbers.map(|n| held_line(n, &amount(n), now)).collect();
    let (_folder, path) = file(&lines);
    let file = ["--file", path.to_str().unwrap()];
    // The fee is that of payment 50.
    let (ending, said) = all_not_held(&desk, &file).await;
    assert_eq!(ending, Ending::Fine);
    assert_eq!(
        said,
        "settled 4, released 16, already settled 0, ended by themselves 0, not done 0\n"
    );
    let summary = desk.store.summary(Window::default()).await.unwrap();
    assert_eq!(summary.of(&"default".parse().unwrap()).count, 5);
    front.abort();
}

/// Only what is held: nothing is pinned there again by ending the order.
#[tokio::test]
async fn an_order_that_the_tool_gave_ends_when_nothing_was_released() {
    let (desk, hold) = many().await;
    let front = desk.obedient(&hold);
    let now = desk.now().await;
    let lines: Vec<String> = (1..=3).map(|n| held_line(n, &amount(n), now)).collect();
    let (_folder, path) = file(&lines);
    let path = path.to_str().unwrap();
    let arguments = ["resolve", "--file", path, "--processor=default"];
    let arguments = [&arguments[..], &["--fee=0.05", "--yes"]].concat();
    let (ending, _) = desk.ctl(&arguments).await.unwrap();
    assert_eq!(ending, Ending::Fine);
    assert_eq!(desk.store.stand_backs().await, Ok(Vec::new()));
    // One that was in force before goes on, and is given anew.
    desk.ctl(&["stand-back", "default"]).await.unwrap();
    let before = desk.store.stand_backs().await.unwrap().remove(0);
    let lines = [held_line(4, &amount(4), now)];
    fs::write(path, lines.join("\n")).unwrap();
    let (ending, _) = desk.ctl(&arguments).await.unwrap();
    assert_eq!(ending, Ending::Fine);
    let after = desk.store.stand_backs().await.unwrap().remove(0);
    assert_ne!(after.token, before.token);
    front.abort();
}

#[tokio::test]
async fn several_ids_of_several_processors_are_one_command() {
    let (desk, hold) = many().await;
    let front = desk.obedient(&hold);
    let ids = [1, 2, 21].map(|number| id(number).to_string());
    let ids = ids.each_ref().map(String::as_str);
    let arguments = [&["resolve"], &ids[..], &["--not-held", "--yes"]].concat();
    let (ending, said) = desk.ctl(&arguments).await.unwrap();
    assert_eq!(ending, Ending::Fine);
    assert!(said.starts_with("settled 0, released 3,"), "{said}");
    assert_eq!(desk.store.stand_backs().await.unwrap().len(), 2);
    front.abort();
}
