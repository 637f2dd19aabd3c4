//! What a run of `reconcile` settled is taken back.

use feeway_ctl::Ending;
use feeway_domain::{Ledger as _, Status, Window};

use crate::desk::{Desk, id, payment};
use crate::reconcile::{later, reconcile, same};

/// Settles these by an export and returns the id of the run.
async fn settle(desk: &Desk, lines: &[String]) -> String {
    let options = [
        "--settle-with-fee=0.07",
        "--fee-differs",
        "--yes",
        "--by=ann",
    ];
    reconcile(desk, lines, &options).await;
    let (_, said) = desk.ctl(&["runs", "--json"]).await.unwrap();
    let last = said.lines().last().unwrap();
    let (_, rest) = last.split_once(r#""run":""#).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

async fn undo(desk: &Desk, run: &str, more: &[&str]) -> (Ending, String) {
    let arguments = [&["undo", run, "--by=ben"], more].concat();
    desk.ctl(&arguments).await.unwrap()
}

async fn count(desk: &Desk) -> u64 {
    let summary = desk.store.summary(Window::default()).await.unwrap();
    summary.of(&"default".parse().unwrap()).count
}

#[tokio::test]
async fn a_run_is_listed_and_taken_back_but_for_what_something_else_has_touched() {
    let desk = Desk::new().await;
    let hold = desk.enlist("front-1.a").await;
    desk.keep(&hold, 1, Some("default")).await;
    let front = desk.obedient(&hold);
    let now = desk.now().await;
    let lines = [
        same(1, now),
        same(2, later(2)),
        same(3, later(3)),
        same(4, later(4)),
    ];
    let run = settle(&desk, &lines).await;
    let (_, listed) = desk.ctl(&["runs"]).await.unwrap();
    let expected = format!("{run}  4 payments at default, 40.10, fee 0.07, from /");
    assert!(listed.contains(&expected), "{listed}");
    assert!(listed.trim_end().ends_with("; by ann"), "{listed}");
    // One processor more holds this, and that one's has answered since.
    desk.settle(3, "fallback", later(3)).await;
    desk.settle(4, "default", later(4)).await;

    let (ending, said) = undo(&desk, &run, &["--dry-run"]).await;
    assert_eq!(ending, Ending::Not);
    assert!(
        said.contains("2 payments to take back from default, 20.03 in all"),
        "{said}"
    );
    for (number, why) in [
        (3, "another processor holds it as well"),
        (4, "its processor has confirmed since then that it holds it"),
    ] {
        assert!(said.contains(&format!("{}  {why}", id(number))), "{said}");
    }
    assert_eq!(count(&desk).await, 4);

    let (ending, said) = undo(&desk, &run, &["--yes"]).await;
    assert_eq!(ending, Ending::Not);
    assert_eq!(
        said,
        "taken back 2 payments, 20.03 in all; already taken back 0, not done 2\n"
    );
    assert_eq!(count(&desk).await, 2);
    let (_, again) = undo(&desk, &run, &["--yes"]).await;
    assert_eq!(
        again,
        "taken back 0 payments, 0.00 in all; already taken back 2, not done 2\n"
    );
    assert_eq!(desk.store.find(id(2)).await, Ok(None));
    let open = desk.store.find(id(1)).await.unwrap().unwrap();
    let expected = Status::Open {
        processor: Some("default".parse().unwrap()),
    };
    assert_eq!((open.amount, open.status), (payment(1).amount, expected));
    let (_, listed) = desk.ctl(&["runs"]).await.unwrap();
    assert!(listed.contains("; taken back 2, 20.03, at 20"), "{listed}");
    assert!(listed.trim_end().ends_with(", by ben"), "{listed}");
    let (_, listed) = desk.ctl(&["runs", "--json"]).await.unwrap();
    assert!(
        listed.contains(r#""by":"ben","payments":2,"amount":20.03}}"#),
        "{listed}"
    );
    front.abort();
}

#[tokio::test]
async fn only_a_run_that_is_kept_is_taken_back() {
    let desk = Desk::new().await;
    let (ending, said) = undo(&desk, "00a1", &["--yes"]).await;
    assert_eq!((ending, &said[..]), (Ending::Not, ""));
    let hold = desk.enlist("front-1.a").await;
    let front = desk.obedient(&hold);
    let run = settle(&desk, &[same(1, later(1))]).await;
    desk.store.purge().await.unwrap();
    let (ending, said) = undo(&desk, &run, &["--dry-run"]).await;
    assert_eq!(ending, Ending::Not);
    assert!(said.contains("1 more are no longer recorded"), "{said}");
    front.abort();
}
