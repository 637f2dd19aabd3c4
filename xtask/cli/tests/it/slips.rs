//! Slips of an operator: what the tool refuses, and what it does while the fronts live.

use std::fs;
use std::time::Duration;

use jiff::Timestamp;

use crate::stack::{Stack, eventually, new_id, payment, signal};

/// What the tool says, and whether all is well.
#[track_caller]
fn ctl(stack: &Stack, arguments: &[&str]) -> (bool, String) {
    let output = stack.ctl(arguments);
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{}",
        stack.describe(&output)
    );
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into());
    let [out, err]: [String; 2] = said;
    (output.status.success(), out + &err)
}

/// A stack with five settled payments, and one that only the first processor has.
fn with_a_stranger() -> (Stack, String) {
    let stack = Stack::up(&[]);
    let mut connection = stack.connect();
    for _ in 0..5 {
        stack.pay(&mut connection);
    }
    eventually(Duration::from_secs(10), "they are settled", || {
        stack.summary("").0.0 == 5
    });
    let stranger = new_id();
    let body = payment(&stranger, "7.77");
    let at = format!("{:.6}", Timestamp::now());
    let body = body.replace('}', &format!(r#","requestedAt":"{at}"}}"#));
    stack.admin(0, "POST", "/payments", &body);
    (stack, stranger)
}

/// What a process has logged.
fn log(stack: &Stack, process: &str) -> String {
    let log = stack.dir.join("logs").join(format!("{process}.log"));
    fs::read_to_string(log).unwrap_or_default()
}

/// A processor's export, as a file.
fn export(stack: &Stack, processor: u16) -> String {
    let lines = stack.admin(processor, "GET", "/admin/dump", "").body;
    let file = stack.dir.join(format!("export-{processor}.jsonl"));
    fs::write(&file, lines).expect("room for a file");
    file.to_str().expect("a name in UTF-8").to_owned()
}

#[test]
fn an_export_is_settled_only_if_nothing_speaks_against_it() {
    let (stack, stranger) = with_a_stranger();
    let file = export(&stack, 0);
    let reconcile = |processor: &str, more: &[&str]| {
        let about = ["reconcile", &file, "--processor", processor];
        let (_, said) = ctl(&stack, &[&about[..], more].concat());
        said
    };
    for (processor, more, why) in [
        (
            "fallback",
            &["--settle-with-fee=0.15", "--yes"][..],
            "this may be the wrong file",
        ),
        (
            "default",
            &["--settle-with-fee=0.07", "--yes"],
            "configured with the fee 0.05",
        ),
        ("default", &["--settle-with-fee=0.05"], "give --yes"),
        (
            "default",
            &["--settle-with-fee=0.05", "--dry-run"],
            "1 payment to settle at default, 7.77",
        ),
    ] {
        let said = reconcile(processor, more);
        assert!(said.contains(why), "{said}");
        assert_eq!(stack.summary(""), ((5, 5 * 1990), (0, 0)), "{said}");
    }
    let said = reconcile("default", &["--settle-with-fee=0.05", "--yes"]);
    assert!(said.contains("here unknown  now settled"), "{said}");
    assert!(
        said.contains("settled 1 payment, 7.77 in all, as run "),
        "{said}"
    );
    stack.assert_books_agree();
    let found = stack
        .ask("GET", &format!("/payments/{stranger}"), "")
        .json();
    assert_eq!(found["status"], "settled", "{found}");
    // The fronts stood back for that, and go on.
    assert_eq!(ctl(&stack, &["stand-back"]), (true, String::new()));
    let (equal, said) = ctl(&stack, &["reconcile", &file, "--processor", "default"]);
    assert!(equal, "{said}");
    stack.pay(&mut stack.connect());
    eventually(Duration::from_secs(10), "the next is settled", || {
        let (default, fallback) = stack.summary("");
        default.0 + fallback.0 == 7
    });
}

/// Both fronts still remember what they settled when Redis forgets the purge.
#[test]
fn a_purge_stays_a_purge_when_redis_dies_right_after_it() {
    let stack = Stack::up(&["--allow-purge"]);
    let mut connections = [stack.connect(), stack.connect()];
    let ids: Vec<String> = (0..200).map(|_| new_id()).collect();
    for (at, id) in ids.iter().enumerate() {
        let connection = &mut connections[at % 2];
        let answer = connection.request("POST", "/payments", &payment(id, "19.90"));
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    eventually(Duration::from_secs(10), "they are settled", || {
        stack.summary("").0.0 == 200
    });
    let purged = stack.ask("POST", "/purge-payments", "");
    assert_eq!(purged.status, 200, "{purged:?}");
    // Long enough that the purge itself is on the disk, or nearly so, and both fronts remember.
    std::thread::sleep(Duration::from_millis(1_200));
    signal(stack.pid("redis"), "KILL");
    eventually(Duration::from_secs(20), "both have repeated", || {
        let repeated = "repeated the last writes";
        ["front-1", "front-2"]
            .iter()
            .all(|front| log(&stack, front).contains(repeated))
    });
    eventually(Duration::from_secs(20), "the fronts answer", || {
        stack.ask("GET", "/payments-summary", "").status == 200
    });
    assert_eq!(stack.summary(""), ((0, 0), (0, 0)));
    for id in &ids {
        let answer = stack.ask("GET", &format!("/payments/{id}"), "");
        assert_eq!(answer.status, 404, "{answer:?}");
    }
    // What comes now is settled as ever.
    stack.pay(&mut stack.connect());
    eventually(Duration::from_secs(10), "the next is settled", || {
        stack.summary("").0.0 == 1
    });
}

#[test]
fn a_run_is_taken_back_exactly_unless_the_processor_was_heard_since() {
    let (stack, stranger) = with_a_stranger();
    let file = export(&stack, 0);
    let settle = [
        "reconcile",
        &file,
        "--processor=default",
        "--settle-with-fee=0.05",
    ];
    let more = ["--yes", "--by", "ann"];
    ctl(&stack, &[&settle[..], &more].concat());
    assert_eq!(stack.summary("").0, (6, 5 * 1990 + 777));
    let (_, runs) = ctl(&stack, &["runs", "--json"]);
    let run: serde_json::Value = serde_json::from_str(&runs).expect("one line of JSON");
    assert_eq!(
        (&run["payments"], &run["by"]),
        (&1.into(), &"ann".into()),
        "{run}"
    );
    let id = run["run"].as_str().expect("an id").to_owned();
    // Nobody was asked.
    let (done, said) = ctl(&stack, &["undo", &id]);
    assert!(!done && said.contains("give --yes"), "{said}");
    let (done, said) = ctl(&stack, &["undo", &id, "--yes"]);
    assert!(
        done && said.contains("taken back 1 payment, 7.77 in all"),
        "{said}"
    );
    assert_eq!(stack.summary("").0, (5, 5 * 1990));
    assert_eq!(
        stack
            .ask("GET", &format!("/payments/{stranger}"), "")
            .status,
        404
    );

    // The shop knew the payment after all, and sends it.
    ctl(&stack, &[&settle[..], &more].concat());
    let (_, runs) = ctl(&stack, &["runs"]);
    let last = runs.lines().last().expect("two runs");
    let id = last.split_whitespace().nth(1).expect("its id").to_owned();
    let (done, _) = ctl(&stack, &["undo", &id, "--yes"]);
    assert!(done);
    // Until they have heard that the order is over, fronts would send it elsewhere.
    eventually(Duration::from_secs(10), "no front stands back", || {
        ["front-1", "front-2"].iter().all(|front| {
            let log = log(&stack, front);
            let last = log
                .lines()
                .rfind(|line| line.contains("the operator's order to stand back has changed"));
            last.is_some_and(|line| line.contains(r#""stands_back":false"#))
        })
    });
    let answer = stack.ask("POST", "/payments", &payment(&stranger, "7.77"));
    assert_eq!(answer.status, 202, "{answer:?}");
    eventually(Duration::from_secs(10), "the processor has it", || {
        stack.summary("").0.0 == 6
    });
    let (_, said) = ctl(&stack, &["undo", &id, "--yes"]);
    assert!(said.contains("already taken back 1"), "{said}");
    stack.assert_books_agree();
}
