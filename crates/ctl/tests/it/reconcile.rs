use std::collections::BTreeMap;
use std::io::Write;

use feeway_ctl::Ending;
use feeway_domain::{Money, RequestedAt, Retire, Store};

use crate::desk::{Desk, at, id, payment};

pub(crate) const NOON: &str = "2025-07-15T12:00:00Z";
const HOUR: i64 = 3_600_000_000;

pub(crate) fn line(number: u8, amount: Money, at: RequestedAt) -> String {
    let id = id(number);
    // As the contest's processor writes it.
    let at = at.to_string();
    let at = at.trim_end_matches('Z');
    format!(r#"{{"correlationId":"{id}","amount":{amount},"requestedAt":"{at}"}}"#)
}

pub(crate) fn same(number: u8, at: RequestedAt) -> String {
    line(number, payment(number).amount, at)
}

pub(crate) fn file(lines: &[String]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "{}", lines.join("\n")).unwrap();
    file
}

pub(crate) async fn reconcile(desk: &Desk, lines: &[String], options: &[&str]) -> (Ending, String) {
    let file = file(lines);
    let path = file.path().to_str().unwrap();
    let arguments = [&["reconcile", path, "--processor", "default"], options].concat();
    desk.ctl(&arguments).await.unwrap()
}

pub(crate) fn later(minutes: i64) -> RequestedAt {
    RequestedAt::from_micros(at(NOON).micros() + minutes * 60_000_000).unwrap()
}

#[tokio::test]
async fn equal_books_are_equal_in_any_order() {
    let desk = Desk::new().await;
    for number in 1..=100 {
        desk.settle(number, "default", later(i64::from(number)))
            .await;
    }
    desk.settle(200, "fallback", later(1)).await;
    let lines: Vec<String> = (1..=100_u8)
        .rev()
        .map(|number| same(number, later(i64::from(number))))
        .collect();
    let (ending, said) = reconcile(&desk, &lines, &[]).await;
    assert_eq!(ending, Ending::Fine, "{said}");
    assert!(said.contains("ours    100 payments, 1050.50"), "{said}");
    assert!(said.contains("theirs  100 payments, 1050.50"), "{said}");
    // Only a part of both, its edges inclusive.
    let (from, to) = (later(10).to_string(), later(20).to_string());
    let part = ["--json", "--from", &from, "--to", &to];
    let (ending, said) = reconcile(&desk, &lines, &part).await;
    assert_eq!((ending, said.lines().count()), (Ending::Fine, 1));
    let side = r#"{"amount":"111.65","payments":11}"#;
    assert_eq!(said.matches(side).count(), 2, "{said}");
}

#[tokio::test]
async fn every_difference_is_listed_once() {
    let desk = Desk::new().await;
    let hold = desk.enlist("front-1.a").await;
    for number in 1..=5 {
        desk.settle(number, "default", later(i64::from(number)))
            .await;
    }
    desk.settle(6, "fallback", later(6)).await;
    desk.keep(&hold, 7, Some("default")).await;
    desk.settle(9, "default", later(-60)).await;
    let lines = [
        same(1, later(1)),
        // 2 is not there.
        line(3, Money::from_cents(5).unwrap(), later(3)),
        same(4, RequestedAt::from_micros(later(4).micros() + 1).unwrap()),
        same(5, later(5)),
        same(5, later(5)),
        same(6, later(6)),
        same(7, later(7)),
        same(8, later(8)),
        // Outside of the window for us, inside for them.
        same(9, later(9)),
    ];
    let (ending, said) = reconcile(&desk, &lines, &["--from", NOON]).await;
    assert_eq!(ending, Ending::Not);
    let found: Vec<(&str, &str)> = said
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?))
        })
        .take_while(|(kind, _)| *kind != "window")
        .collect();
    let mut found: Vec<_> = found
        .into_iter()
        .map(|(kind, id)| (kind.to_owned(), id.to_owned()))
        .collect();
    found.sort();
    let mut expected = [
        ("twice", 5),
        ("ours-not-theirs", 2),
        ("amount", 3),
        ("requestedAt", 4),
        ("theirs-not-ours", 6),
        ("theirs-not-ours", 7),
        ("theirs-not-ours", 8),
        ("requestedAt", 9),
    ]
    .map(|(kind, number)| (kind.to_owned(), id(number).to_string()));
    expected.sort();
    assert_eq!(found, expected, "{said}");
    for known in [
        "here settled at fallback",
        "here open at default",
        "here unknown",
        "ours    5 payments, 50.15",
        "theirs  9 payments, ",
        "differences: ours-not-theirs 1, theirs-not-ours 3, amount 1, requestedAt 2, twice 1",
    ] {
        assert!(said.contains(known), "{known}:\n{said}");
    }
}

/// Both sides of a conflict are in the books of both.
#[tokio::test]
async fn a_conflict_is_in_order_for_each_holder() {
    let desk = Desk::new().await;
    desk.settle(1, "fallback", later(1)).await;
    desk.settle(1, "default", later(2)).await;
    let (ending, said) = reconcile(&desk, &[same(1, later(2))], &[]).await;
    assert_eq!(ending, Ending::Fine, "{said}");
}

#[tokio::test]
async fn closed_books_are_left_out_or_refused() {
    let desk = Desk::new().await;
    let now = desk.now().await.micros();
    let old = RequestedAt::from_micros(now - 30 * 24 * HOUR).unwrap();
    let new = RequestedAt::from_micros(now - HOUR).unwrap();
    desk.settle(1, "default", old).await;
    desk.settle(2, "default", new).await;
    while desk.store.retire().await.unwrap() != Retire::Done {}
    let lines = [same(1, old), same(2, new)];
    let (ending, said) = reconcile(&desk, &lines, &[]).await;
    assert_eq!(ending, Ending::Fine, "{said}");
    assert!(said.contains("ours    1 payments, 10.02"), "{said}");
    let file = file(&lines);
    let path = file.path().to_str().unwrap();
    let from = old.to_string();
    let asked = ["reconcile", path, "--processor=default", "--from", &from];
    let error = desk.ctl(&asked).await.unwrap_err();
    assert!(
        format!("{error:#}").contains("kept only since"),
        "{error:#}"
    );
}

/// Random books on both sides; a naive count says how many differences of each kind there are.
#[tokio::test]
async fn random_books_agree_with_a_naive_count() {
    let mut rng = fastrand::Rng::with_seed(7);
    for _ in 0..20 {
        let desk = Desk::new().await;
        let mut ours = BTreeMap::new();
        let mut theirs = BTreeMap::new();
        let mut lines = Vec::new();
        for number in 0..60 {
            let minute = rng.i64(0..60);
            if rng.u8(..10) < 8 {
                desk.settle(number, "default", later(minute)).await;
                ours.insert(number, (payment(number).amount, later(minute)));
            }
            if rng.u8(..10) < 8 {
                let cents = if rng.u8(..10) == 0 {
                    7
                } else {
                    payment(number).amount.cents()
                };
                let slip = i64::from(rng.u8(..10) == 0);
                let at = RequestedAt::from_micros(later(minute).micros() + slip).unwrap();
                let amount = Money::from_cents(cents).unwrap();
                theirs.insert(number, (amount, at));
                lines.push(line(number, amount, at));
            }
        }
        rng.shuffle(&mut lines);
        let both = || {
            ours.iter()
                .filter_map(|(id, one)| Some((one, theirs.get(id)?)))
        };
        let expected = [
            ours.keys().filter(|id| !theirs.contains_key(id)).count(),
            theirs.keys().filter(|id| !ours.contains_key(id)).count(),
            both().filter(|(one, other)| one.0 != other.0).count(),
            both().filter(|(one, other)| one.1 != other.1).count(),
        ];
        let [only_ours, only_theirs, amount, time] = expected;
        let (ending, said) = reconcile(&desk, &lines, &[]).await;
        let counts = format!(
            "differences: ours-not-theirs {only_ours}, theirs-not-ours {only_theirs}, \
             amount {amount}, requestedAt {time}, twice 0"
        );
        assert!(said.contains(&counts), "{counts}:\n{said}");
        let equal = expected == [0; 4];
        assert_eq!(ending, if equal { Ending::Fine } else { Ending::Not });
    }
}
