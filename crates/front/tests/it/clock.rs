//! A front on a machine whose clock is wrong, by a library that tells it another time.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::process::Started;
use crate::wire::payment;

/// The library of the package `faketime`, which `cargo xtask test` installs.
fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?;
    let libraries =
        folders.filter_map(|folder| Some(folder.ok()?.path().join("faketime/libfaketime.so.1")));
    libraries.into_iter().find(|library| library.is_file())
}

/// Another address of nobody: the payment stays open.
const UNREACHABLE: &str = "http://127.0.0.1:9";

#[tokio::test]
async fn a_clock_that_is_far_off_refuses_new_payments_and_readiness_until_it_is_right() {
    let Some(library) = library() else {
        eprintln!("skipped: the package faketime is not installed");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let offset = folder.path().join("offset");
    fs::write(&offset, "-10d").unwrap();
    let started = Started::changed(UNREACHABLE, |command| {
        command
            .env("LD_PRELOAD", &library)
            .env("FAKETIME_TIMESTAMP_FILE", &offset)
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("FAKETIME_CACHE_DURATION", "1");
    });
    let _redis = started.start_redis_with(&[]);
    let mut operator = started.operator().await;
    let told = async {
        loop {
            let reply = operator.ask("GET", "/readyz").await;
            if reply.body.contains("more than a minute behind Redis's") {
                return reply.status;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let status = timeout(Duration::from_secs(20), told).await.unwrap();
    assert_eq!(status, 503);
    // As HAProxy asks, so that others get the payments.
    started.until_ready(503).await;
    let mut client = started.client().await;
    let refused = client.post(&payment("19.90")).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.body.contains("behind Redis's"), "{refused:?}");
    assert_eq!(started.logged("new payments are refused"), 1);
    fs::write(&offset, "+0").unwrap();
    started.until_ready(200).await;
    assert_eq!(client.post(&payment("19.90")).await.status, 202);
}
