//! The program itself: its exit codes, what it says where, and what it never says.

use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

use crate::running::Running;

const SECRET: &str = "Bearer-6f1c-hush-hush";

/// Runs it to its end, in a folder with the secret as a file.
async fn certify(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), SECRET).unwrap();
    let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
    let run = spawn_blocking(move || {
        Command::new(env!("CARGO_BIN_EXE_feeway-certify"))
            .args(arguments)
            .current_dir(folder.path())
            .env_remove("FEEWAY_REDIS")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    });
    let output = run.await.unwrap();
    let said = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(!said.concat().contains(SECRET), "{said:?}");
    output
}

#[tokio::test]
async fn the_exit_code_tells_how_it_went() {
    let faithful = Running::start("{}").await;
    let dead = Running::start(r#"{"preset":"deadProxy"}"#).await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nowhere = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let (url, dead) = (faithful.url.as_str(), dead.url.as_str());
    for (arguments, code, told) in [
        (&[url, "--yes", "--only=post,lag"][..], 0, "verdict: fits"),
        (
            &[url, "--yes", "--authorization-file=secret", "--only=health"],
            0,
            "verdict: fits",
        ),
        // Without a payment nobody has to agree.
        (&[url, "--only=unknown,malformed-id"], 0, "verdict: fits"),
        (
            &[dead, "--only=unknown"],
            1,
            "verdict: does not fit: unknown",
        ),
        (&[&nowhere, "--yes"], 2, "no connection to http://127"),
        (&[url], 64, "up to 6 payments of 0.01"),
        (&[url, "--only=malformed"], 64, "--yes is needed"),
        (&["ftp://a", "--yes"], 64, "must begin with http://"),
        (
            &[url, "--yes", "--authorization-file=nowhere"],
            64,
            "authorization file nowhere",
        ),
        (&[url, "--yes", "--only=admin"], 64, "admin"),
        (&["--help"], 0, "--absence-after"),
    ] {
        let output = certify(arguments).await;
        let text = if code < 2 {
            &output.stdout
        } else {
            &output.stderr
        };
        let text = String::from_utf8_lossy(text);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(told), "{arguments:?}: {text}");
    }
    assert_eq!(faithful.control.posts(), 1);
}

#[tokio::test]
async fn a_faithful_processor_fits_in_a_table_and_in_json() {
    for (amount, cents) in [("0.01", 1), ("12.34", 1234)] {
        // Of its own each: it answers one question for its health in 5 s.
        let simulator = Running::start("{}").await;
        let as_json = cents > 1;
        let amount = format!("--amount={amount}");
        let mut arguments = vec![simulator.url.as_str(), "--yes", &amount];
        arguments.extend(as_json.then_some("--json"));
        let output = certify(&arguments).await;
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{text}");
        if as_json {
            let report: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(report["fits"], true);
            assert_eq!(report["lagMs"], 0);
            let checks = report["checks"].as_array().unwrap();
            assert!(
                checks.iter().all(|check| check["rating"] == "fits"),
                "{report}"
            );
            assert_eq!(checks.len(), 14);
        } else {
            assert!(text.starts_with("check "), "{text}");
            let end = "look-up lag: none; recommended: --absence-after 15s\nverdict: fits\n";
            assert!(text.ends_with(end), "{text}");
        }
        let total = simulator.control.total(feeway_domain::Window::default());
        assert_eq!((total.count, total.cents), (6, 6 * cents));
    }
}
