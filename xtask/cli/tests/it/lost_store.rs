//! A Redis that has lost data under living fronts, and what an operator does then.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::stack::{Stack, eventually, new_id, payment, signal};

const FRONTS: [&str; 2] = ["front-1", "front-2"];

fn accept(stack: &Stack, count: usize) -> Vec<String> {
    let mut connection = stack.connect();
    let ids: Vec<String> = (0..count).map(|_| new_id()).collect();
    for id in &ids {
        let answer = connection.request("POST", "/payments", &payment(id, "19.90"));
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    ids
}

/// A stack with so many payments settled, some of them at each processor, and others that are in
/// hand because both processors fail. All of it is older than what a killed Redis may forget.
fn with_a_past(settled: usize, in_hand: usize) -> (Stack, Vec<String>, Vec<String>) {
    let stack = Stack::up(&["--patience", "1s", "--absence-after", "1s"]);
    let first = accept(&stack, settled);
    eventually(Duration::from_secs(10), "they are settled", || {
        let (default, fallback) = stack.summary("");
        usize::try_from(default.0 + fallback.0) == Ok(settled)
    });
    (0..2).for_each(|processor| stack.set_failing(processor, true));
    let open = accept(&stack, in_hand);
    std::thread::sleep(Duration::from_secs(5));
    (stack, first, open)
}

/// Both fronts stand back, for this reason, and say so everywhere.
fn check_stand_back(stack: &Stack, why: &str) {
    eventually(Duration::from_secs(15), "both fronts stand back", || {
        FRONTS.iter().all(|front| {
            let (status, body) = stack.readyz(front);
            let reason = body["reason"].as_str().unwrap_or_default();
            status == 503 && body["accepting"] == false && reason.contains(why)
        })
    });
    for _ in 0..4 {
        let refused = stack.ask("POST", "/payments", &payment(&new_id(), "19.90"));
        refused.assert_problem(503);
        let problem = refused.json();
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(why), "{detail}");
    }
    // Books that lack something are not read out.
    let summary = stack.ask("GET", "/payments-summary", "");
    summary.assert_problem(503);
    for front in FRONTS {
        let log = fs::read_to_string(stack.dir.join(format!("logs/{front}.log"))).expect("a log");
        let lines = log
            .lines()
            .filter(|line| line.contains("Redis has lost data") && line.contains("ERROR"));
        assert_eq!(lines.count(), 1, "{log}");
    }
}

fn export(stack: &Stack, processor: u16) -> String {
    let lines = stack.admin(processor, "GET", "/admin/dump", "").body;
    let file = stack.dir.join(format!("export-{processor}.jsonl"));
    fs::write(&file, lines).expect("room for a file");
    file.to_str().expect("a name in UTF-8").to_owned()
}

#[track_caller]
fn ctl(stack: &Stack, arguments: &[&str]) -> (bool, String) {
    let output = stack.ctl(arguments);
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{arguments:?} {}",
        stack.describe(&output)
    );
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into());
    let [out, err]: [String; 2] = said;
    (output.status.success(), out + &err)
}

/// What an operator does: compares each processor with the ledger until nothing differs, and
/// adopts the store.
fn adopt(stack: &Stack) {
    let (adopted, said) = ctl(stack, &["adopt-store", "--yes"]);
    assert!(!adopted, "nothing was compared: {said}");
    for (processor, name, fee) in [(0, "default", "0.05"), (1, "fallback", "0.15")] {
        let file = export(stack, processor);
        let about = ["reconcile", &file, "--processor", name];
        let fee = format!("--settle-with-fee={fee}");
        let settle = [&about[..], &[&fee, "--fee-differs", "--yes"]].concat();
        ctl(stack, &settle);
        let (equal, said) = ctl(stack, &about);
        assert!(equal, "{said}");
    }
    let (adopted, said) = ctl(stack, &["adopt-store", "--yes"]);
    assert!(adopted, "{said}");
}

/// The fronts go on: what they had in hand settles, and so does what comes next.
fn check_goes_on(stack: &Stack, settled: &[String], open: &[String]) {
    eventually(Duration::from_secs(10), "both fronts accept again", || {
        FRONTS
            .iter()
            .all(|front| stack.readyz(front).1["accepting"] == true)
    });
    (0..2).for_each(|processor| stack.set_failing(processor, false));
    // The shop sends again what it knows to be settled: nobody is charged twice.
    let mut connection = stack.connect();
    for id in settled.iter().chain(open) {
        let answer = connection.request("POST", "/payments", &payment(id, "19.90"));
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    let more = accept(stack, 20);
    let all = settled.len() + open.len() + more.len();
    eventually(Duration::from_secs(60), "all are settled", || {
        let (default, fallback) = stack.summary("");
        usize::try_from(default.0 + fallback.0) == Ok(all)
    });
    stack.assert_books_agree();
    for (processor, name) in [(0, "default"), (1, "fallback")] {
        let file = export(stack, processor);
        let (equal, said) = ctl(stack, &["reconcile", &file, "--processor", name]);
        assert!(equal, "{said}");
    }
    let conflicts = stack.ask("GET", "/payments?status=conflict", "");
    assert_eq!(conflicts.json()["payments"], Value::Array(Vec::new()));
}

fn data(stack: &Stack) -> PathBuf {
    let folder = stack.redis_cli(&["CONFIG", "GET", "dir"]);
    PathBuf::from(folder.lines().nth(1).expect("a folder").trim())
}

/// Kills Redis and puts this in the place of its files before it is started again.
fn replace_data(stack: &Stack, replace: impl FnOnce(&Path)) {
    let folder = data(stack);
    let stopped = stack.xtask("stop", &["redis"]);
    assert!(stopped.status.success(), "{}", stack.describe(&stopped));
    replace(&folder);
    let started = stack.xtask("start", &["redis"]);
    assert!(started.status.success(), "{}", stack.describe(&started));
}

#[test]
fn a_redis_that_comes_back_empty_loses_nothing_that_fronts_have_in_hand() {
    let (stack, settled, open) = with_a_past(30, 50);
    replace_data(&stack, |folder| {
        fs::remove_dir_all(folder).expect("its files");
        fs::create_dir(folder).expect("an empty folder");
    });
    check_stand_back(&stack, "lost all its data");
    assert_eq!(stack.redis_cli(&["DBSIZE"]).trim(), "0");
    adopt(&stack);
    check_goes_on(&stack, &settled, &open);
}

#[test]
fn a_flushed_redis_is_noticed_and_loses_nothing_that_fronts_have_in_hand() {
    let (stack, settled, open) = with_a_past(10, 30);
    stack.redis_cli(&["FLUSHALL"]);
    check_stand_back(&stack, "lost all its data");
    adopt(&stack);
    check_goes_on(&stack, &settled, &open);
}

#[test]
fn an_older_copy_is_noticed_and_brought_up_to_date() {
    let (stack, mut settled, mut open) = with_a_past(10, 10);
    let folder = data(&stack);
    let copy = stack.dir.join("copy");
    copy_folder(&folder, &copy);
    (0..2).for_each(|processor| stack.set_failing(processor, false));
    eventually(Duration::from_secs(30), "what was open is settled", || {
        let (default, fallback) = stack.summary("");
        default.0 + fallback.0 == 20
    });
    settled.append(&mut open);
    settled.extend(accept(&stack, 10));
    eventually(Duration::from_secs(10), "these as well", || {
        let (default, fallback) = stack.summary("");
        default.0 + fallback.0 == 30
    });
    (0..2).for_each(|processor| stack.set_failing(processor, true));
    let open = accept(&stack, 10);
    std::thread::sleep(Duration::from_secs(5));
    replace_data(&stack, |folder| {
        fs::remove_dir_all(folder).expect("its files");
        copy_folder(&copy, folder);
    });
    check_stand_back(&stack, "an older copy");
    adopt(&stack);
    check_goes_on(&stack, &settled, &open);
}

#[test]
fn a_restart_of_redis_is_no_loss() {
    let (stack, settled, open) = with_a_past(5, 5);
    for _ in 0..3 {
        signal(stack.pid("redis"), "KILL");
        eventually(Duration::from_secs(15), "it is back", || {
            let answer = stack.ask("POST", "/payments", &payment(&settled[0], "19.90"));
            answer.status == 202
        });
        std::thread::sleep(Duration::from_secs(2));
    }
    let log = fs::read_to_string(stack.dir.join("logs/front-1.log")).expect("a log");
    assert!(!log.contains("Redis has lost data"), "{log}");
    check_goes_on(&stack, &settled, &open);
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for file in fs::read_dir(from).expect("a folder") {
        let file = file.expect("a file");
        let target = to.join(file.file_name());
        if file.path().is_dir() {
            copy_folder(&file.path(), &target);
        } else {
            fs::copy(file.path(), target).expect("room for a copy");
        }
    }
}
