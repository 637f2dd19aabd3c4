//! The program itself: its exit codes, and where it says what.

use std::process::{Command, Output, Stdio};

use feeway_domain::{Ledger as _, Resolutions as _, Store as _};

use crate::desk::{Desk, at, id};
use crate::reconcile::{file, same};

fn ctl(redis: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_feeway-ctl"))
        .env("FEEWAY_REDIS", redis)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[tokio::test]
async fn the_exit_code_tells_how_it_went() {
    let desk = Desk::new().await;
    desk.settle(1, "default", at("2025-07-15T12:00:00Z")).await;
    let redis = desk.redis.url();
    let (known, unknown) = (id(1).to_string(), id(2).to_string());
    for (arguments, code, said) in [
        (&["list", "settled", "--json"][..], 0, ""),
        (&["show", &known], 0, ""),
        (&["show", &unknown], 1, "is not known"),
        (&["resolve", &unknown, "--not-held"], 1, "nothing was done"),
        (&["reopen", &unknown], 1, "is not known"),
        (&["reopen"], 64, "<ID>"),
        (&["runs"], 0, "no run of reconcile has settled anything"),
        (&["undo", "00a1", "--yes"], 1, "there is no run 00a1"),
        (&["undo"], 64, "<RUN>"),
        (
            &["stand-back", "default", "--end"],
            1,
            "there is no order to",
        ),
        (
            &["reconcile", "/nowhere.json", "--processor=default"],
            2,
            "/nowhere.json",
        ),
        (&["reconcile", "/dev/null", "--processor=default"], 1, ""),
        (&["reconcile", "/dev/null", "--processor=other"], 0, ""),
        (&["list", "lost"], 64, "lost"),
        (&["--redis=http://x", "list", "open"], 64, "--redis"),
        (&["--help"], 0, ""),
    ] {
        let output = ctl(&redis, arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        assert!(errors.contains(said), "{arguments:?}: {errors}");
        assert_eq!(
            errors.is_empty(),
            said.is_empty(),
            "{arguments:?}: {errors}"
        );
        assert_eq!(output.stdout.is_empty(), code == 64 || !said.is_empty());
    }
}

#[test]
fn a_redis_that_is_not_there_is_an_error() {
    let output = ctl("unix:///nowhere/redis.sock", &["list", "open"]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(
        errors.contains("cannot connect to Redis at unix:///nowhere/redis.sock"),
        "{errors}"
    );
}

/// Without somebody at a terminal only --yes will do.
#[tokio::test]
async fn several_payments_are_decided_only_by_somebody_who_was_asked() {
    let desk = Desk::new().await;
    let hold = desk.enlist("front-1.a").await;
    for number in 1..=2 {
        desk.keep(&hold, number, Some("default")).await;
    }
    desk.store.resign(&hold).await.unwrap();
    let redis = desk.redis.url();
    let all = ["resolve", "--all", "--processor=default", "--not-held"];
    let output = ctl(&redis, &all);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("2 payments to resolve"), "{errors}");
    assert!(errors.contains("give --yes"), "{errors}");
    assert!(desk.store.resolutions().await.unwrap().is_empty());
}

/// A file of the processor's is no agreement either.
#[tokio::test]
async fn what_only_an_export_has_is_settled_only_by_somebody_who_was_asked() {
    let desk = Desk::new().await;
    let file = file(&[same(1, at("2025-07-15T12:00:00Z"))]);
    let path = file.path().to_str().unwrap();
    let settle = [
        "reconcile",
        path,
        "--processor=default",
        "--settle-with-fee=0.05",
    ];
    let output = ctl(
        &desk.redis.url(),
        &[&settle[..], &["--fee-differs"]].concat(),
    );
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(
        errors.contains("1 payment to settle at default"),
        "{errors}"
    );
    assert!(errors.contains("give --yes"), "{errors}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("here unknown\n"), "{said}");
    assert_eq!(desk.store.find(id(1)).await, Ok(None));
}
