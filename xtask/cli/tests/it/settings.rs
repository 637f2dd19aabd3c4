//! A Redis whose settings break a promise, and one whose user has the documented rights.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use feeway_machine::files::repository;
use serde_json::json;

use crate::answers::{fate, set_document};
use crate::by_hand::ByHand;
use crate::own_process::OwnProcess;
use crate::refusing::{assert_reads, assert_refused, post, settled};
use crate::scrape::sum;
use crate::stack::{Stack, eventually, new_id, redis_cli};

const FRONTS: [&str; 2] = ["front-1", "front-2"];
const LEADERS: [&str; 2] = ["leader-1", "leader-2"];

const BREAKS: &str = "a setting of Redis is unsafe";

/// A minute, and what it takes to look.
const LOOK: Duration = Duration::from_secs(70);

/// While something is wrong it is looked at every few seconds.
const HEALS: Duration = Duration::from_secs(8);

fn log(stack: &Stack, name: &str) -> String {
    let log = stack.dir.join(format!("logs/{name}.log"));
    fs::read_to_string(log).unwrap_or_default()
}

/// That what `up` starts has nothing that any process would say of its Redis.
#[track_caller]
fn assert_nothing_is_said(stack: &Stack) {
    for name in FRONTS.iter().chain(&LEADERS) {
        let log = log(stack, name);
        for line in [BREAKS, "check Redis", "NOPERM"] {
            assert!(!log.contains(line), "{name}: {log}");
        }
    }
}

/// Whether both fronts accept nothing for a reason that says all of this.
fn stand_still(stack: &Stack, because: &[&str]) -> bool {
    FRONTS.iter().all(|front| {
        let (status, body) = stack.readyz(front);
        let reason = body["reason"].as_str().unwrap_or_default();
        status == 503
            && body["accepting"] == false
            && because.iter().all(|words| reason.contains(words))
    })
}

fn accept(stack: &Stack) -> bool {
    FRONTS.iter().all(|front| stack.readyz(front).0 == 200)
}

#[test]
fn unsafe_settings_stop_fronts_and_are_logged_by_leaders() {
    let stack = Stack::up(&[]);
    let known = settled(&stack);
    assert_nothing_is_said(&stack);
    let policy = "its maxmemory-policy is allkeys-lru";
    let file = "it has no append-only file";
    stack.redis_cli(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    stack.redis_cli(&["CONFIG", "SET", "appendonly", "no"]);
    eventually(LOOK, "both fronts see it", || {
        stand_still(&stack, &[policy, file])
    });
    for _ in 0..4 {
        assert_refused(&post(&stack, &new_id()), policy);
    }
    assert_reads(&stack, &known);
    for setting in ["eviction", "appendonly"] {
        let labels = format!(r#"setting="{setting}""#);
        assert_eq!(
            sum(&stack, "feeway_store_breach", &labels),
            2.0,
            "{setting}"
        );
    }
    assert_eq!(sum(&stack, "feeway_store_breach", "rights"), 0.0);
    assert_eq!(
        sum(&stack, "feeway_not_accepting", r#"cause="settings""#),
        2.0
    );
    eventually(LOOK, "leaders see it", || {
        LEADERS
            .iter()
            .all(|leader| log(&stack, leader).contains(BREAKS))
    });
    assert_eq!(sum(&stack, "feeway_leader_lease_held", ""), 1.0);

    stack.redis_cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    eventually(HEALS, "one reason is left", || {
        stand_still(&stack, &[file])
            && FRONTS.iter().all(|front| {
                let reason = stack.readyz(front).1["reason"].to_string();
                !reason.contains("maxmemory-policy")
            })
    });
    assert_refused(&post(&stack, &new_id()), file);
    stack.redis_cli(&["CONFIG", "SET", "appendonly", "yes"]);
    eventually(HEALS, "all is right", || accept(&stack));
    stack.pay(&mut stack.connect());
    eventually(Duration::from_secs(10), "it settles", || {
        stack.summary("").0.0 == 2
    });
    stack.assert_books_agree();
    for front in FRONTS {
        let log = log(&stack, front);
        // One for both or for each, and one when one was left.
        let said = log.matches(BREAKS).count();
        assert!((2..=3).contains(&said), "{said}: {log}");
    }
}

/// Rights are known at once: the next step that lacks one says so.
#[test]
fn rights_that_are_taken_away_stop_fronts_at_once_and_with_one_line() {
    let stack = Stack::up(&[]);
    settled(&stack);
    stack.redis_cli(&["ACL", "SETUSER", "default", "-fcall"]);
    eventually(Duration::from_secs(8), "both fronts know", || {
        stand_still(&stack, &["NOPERM", "lacks rights: FCALL"])
    });
    assert_refused(&post(&stack, &new_id()), "NOPERM");
    // Heartbeats and what is read would take turns meanwhile.
    std::thread::sleep(Duration::from_secs(5));
    for front in FRONTS {
        let log = log(&stack, front);
        for line in ["Redis refuses writes", BREAKS] {
            assert_eq!(log.matches(line).count(), 1, "{line} {log}");
        }
    }
    stack.redis_cli(&["ACL", "SETUSER", "default", "+fcall"]);
    eventually(Duration::from_secs(25), "all is right", || accept(&stack));
    stack.pay(&mut stack.connect());
    eventually(Duration::from_secs(10), "it settles", || {
        stack.summary("").0.0 == 2
    });
}

#[test]
fn with_trust_store_a_front_goes_on_and_logs_once_a_minute() {
    let stack = Stack::up(&[]);
    let redis = stack.redis();
    let by_hand = ByHand::take_over(&stack);
    by_hand.afresh();
    let wrong = ["--maxmemory-policy", "allkeys-lru"];
    let _redis = by_hand.start_with("redis", &wrong);
    eventually(Duration::from_secs(10), "redis", || {
        by_hand.listens("redis")
    });
    let _others: Vec<OwnProcess> = [
        "nats",
        "simulator-default",
        "simulator-fallback",
        "leader-1",
        "haproxy",
    ]
    .into_iter()
    .map(|name| by_hand.start(name))
    .collect();
    let begin = SystemTime::now();
    let _trusting = by_hand.start_with("front-1", &["--trust-store"]);
    eventually(Duration::from_secs(10), "it is ready", || {
        by_hand.listens("haproxy") && by_hand.logged("front-1", r#""ready""#) == 1
    });
    eventually(Duration::from_secs(10), "it accepts", || {
        post(&stack, &new_id()).status == 202
    });
    eventually(LOOK, "it says it again", || {
        by_hand.logged("front-1", BREAKS) == 2
    });
    let passed = begin.elapsed().expect("no clock is set back");
    assert!(passed >= Duration::from_secs(60), "not before");
    eventually(Duration::from_secs(10), "it settles", || {
        stack.summary("").0.0 >= 1
    });
    let (status, body) = stack.readyz("front-1");
    assert_eq!((status, &body["accepting"]), (200, &json!(true)), "{body}");
    redis_cli(&redis, &["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    eventually(HEALS, "it says that it is right", || {
        by_hand.logged("front-1", "the settings of Redis are safe") == 1
    });
}

/// The rules of the line in the document, with this password.
fn documented_user(password: &str) -> Vec<String> {
    let document =
        fs::read_to_string(repository().join("docs/operations.md")).expect("it is there");
    let mut lines = document.lines().map(str::trim);
    let line = lines.find(|line| line.starts_with("ACL SETUSER feeway "));
    let line = line
        .expect("the document has it")
        .replace("PASSWORD", password);
    line.split_whitespace().map(str::to_owned).collect()
}

/// The operator's tool as this user.
struct Tool<'a> {
    stack: &'a Stack,
    redis: &'a str,
    password: &'a Path,
}

impl Tool<'_> {
    fn try_run(&self, arguments: &[&str]) -> Output {
        Command::new(self.stack.dir.join("bin/feeway-ctl"))
            .args(arguments)
            .env("FEEWAY_REDIS", self.redis)
            .env("FEEWAY_REDIS_USER", "feeway")
            .env("FEEWAY_REDIS_PASSWORD_FILE", self.password)
            .output()
            .expect("up built it")
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        let output = self.try_run(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            self.stack.describe(&output)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// Ids that begin so are declined by both processors.
const DECLINED: &str = "dec1";
/// The first processor says nothing about those.
const PINNED: &str = "a1a1";

fn id_with(prefix: &str) -> String {
    format!("{prefix}{}", &new_id()[prefix.len()..])
}

fn faults() -> [serde_json::Value; 2] {
    let declined =
        json!({ "prefix": DECLINED, "post": { "status": 402 }, "lookUp": { "status": 404 } });
    let silent =
        json!({ "prefix": PINNED, "post": { "ends": "close" }, "lookUp": { "status": 503 } });
    [
        json!({ "rules": [declined, silent] }),
        json!({ "rules": [declined] }),
    ]
}

/// A stack whose processors' declines are final, and that can be purged.
fn start() -> Stack {
    let stack = Stack::reserve();
    let processor = |name: &str, place: u16, fee: &str| {
        let port = stack.simulator_port + place;
        format!("{name}=http://127.0.0.1:{port},fee={fee},declines=final")
    };
    let (default, fallback) = (
        processor("default", 0, "0.05"),
        processor("fallback", 1, "0.15"),
    );
    stack.start(&[
        "--processor",
        &default,
        "--processor",
        &fallback,
        "--patience",
        "0s",
        "--fsync",
        "always",
        "--allow-purge",
    ]);
    stack
}

#[test]
fn the_documented_user_may_do_all_that_feeway_does_and_no_more() {
    let stack = start();
    assert_nothing_is_said(&stack);
    let redis = stack.redis();
    let by_hand = ByHand::take_over(&stack);
    by_hand.afresh();
    let password = stack.dir.join("redis-password");
    fs::write(&password, "hush\n").expect("room for a file");
    let _redis = by_hand.start("redis");
    eventually(Duration::from_secs(10), "redis", || {
        by_hand.listens("redis")
    });
    let user = documented_user("hush");
    let user: Vec<&str> = user.iter().map(String::as_str).collect();
    redis_cli(&redis, &user);
    // Whoever comes without a name is not let in.
    redis_cli(
        &redis,
        &["ACL", "SETUSER", "operator", "on", "nopass", "~*", "+@all"],
    );
    let admin = |words: &[&str]| {
        let named = ["--user", "operator", "--pass", "any"];
        redis_cli(&redis, &[&named[..], words].concat())
    };
    admin(&["ACL", "SETUSER", "default", "reset"]);

    let simulators = [("default", 0), ("fallback", 1)];
    let _simulators = simulators
        .map(|(name, place)| OwnProcess::simulator(&stack, name, stack.simulator_port + place));
    for (place, document) in (0..).zip(faults()) {
        set_document(&stack, place, &document);
    }
    let as_user = [
        "--redis-user",
        "feeway",
        "--redis-password-file",
        password.to_str().expect("a name in UTF-8"),
    ];
    let _servers = ["nats", "haproxy"].map(|name| by_hand.start(name));
    let processes = [FRONTS, LEADERS].concat();
    let _ours: Vec<OwnProcess> = processes
        .iter()
        .map(|name| by_hand.start_with(name, &as_user))
        .collect();
    eventually(Duration::from_secs(20), "both are ready", || {
        by_hand.listens("haproxy")
            && FRONTS.map(|front| by_hand.logged(front, r#""ready""#)) == [1, 1]
    });

    use_everything(
        &stack,
        &Tool {
            stack: &stack,
            redis: &redis,
            password: &password,
        },
    );

    assert_eq!(admin(&["ACL", "LOG"]).trim(), "", "what was denied");
    assert_nothing_is_said(&stack);
    every_rule_is_needed(&admin, &user);
}

/// Accepts, settles, rejects and pins payments, lists them, and decides about them.
fn use_everything(stack: &Stack, tool: &Tool<'_>) {
    let known = settled(stack);
    let (declined, pinned) = (id_with(DECLINED), id_with(PINNED));
    assert_eq!(post(stack, &declined).status, 202);
    eventually(Duration::from_secs(40), "it is rejected", || {
        fate(stack, &declined) == "rejected"
    });
    assert_eq!(post(stack, &pinned).status, 202);
    eventually(Duration::from_secs(10), "it is pinned", || {
        tool.run(&["list", "pinned"]).contains(&pinned)
    });
    for status in ["settled", "open", "pinned", "rejected", "conflict"] {
        let answer = stack.ask("GET", &format!("/payments?status={status}"), "");
        assert_eq!(answer.status, 200, "{status}: {answer:?}");
        tool.run(&["list", status]);
    }
    for id in [&known, &declined, &pinned] {
        tool.run(&["show", id]);
    }
    let at = format!("{:.6}", jiff::Timestamp::now());
    let held = [
        "resolve",
        &pinned,
        "--held",
        "default",
        "--requested-at",
        &at,
    ];
    let said = tool.run(&[&held[..], &["--fee", "0.05", "--by", "ann"]].concat());
    assert!(said.contains("settled"), "{said}");
    // The next attempt is held.
    (0..2).for_each(|place| set_document(stack, place, &json!({})));
    tool.run(&["reopen", &declined]);
    eventually(Duration::from_secs(40), "it settles after all", || {
        fate(stack, &declined).starts_with("settled")
    });
    let decided = tool.run(&["resolutions"]);
    assert!(
        decided.contains(&pinned) && decided.contains(&declined),
        "{decided}"
    );
    tool.run(&["restamped"]);
    tool.run(&["stand-back", "fallback"]);
    tool.run(&["stand-back", "fallback", "--end"]);
    let export = stack.dir.join("export.jsonl");
    fs::write(&export, "").expect("room for a file");
    let compared = tool.try_run(&[
        "reconcile",
        export.to_str().expect("UTF-8"),
        "--processor",
        "fallback",
    ]);
    assert!(
        matches!(compared.status.code(), Some(0 | 1)),
        "{compared:?}"
    );
    let (default, fallback) = stack.summary("");
    assert_eq!(default.0 + fallback.0, 3);
    let purged = stack.ask("POST", "/purge-payments", "");
    assert_eq!(purged.status, 200, "{purged:?}");
    assert_eq!(stack.summary(""), ((0, 0), (0, 0)));
}

/// What a step or a program would miss without each of the rules, and what the user may not do.
fn every_rule_is_needed(admin: &dyn Fn(&[&str]) -> String, user: &[&str]) {
    let may = |without: &str, command: &[&str]| {
        let rules: Vec<&str> = user
            .iter()
            .copied()
            .filter(|rule| *rule != without)
            .collect();
        let rules = ["ACL", "SETUSER", "trial", "reset"]
            .iter()
            .chain(&rules[3..])
            .copied()
            .collect::<Vec<_>>();
        admin(&rules);
        let dry = [&["ACL", "DRYRUN", "trial"], command].concat();
        admin(&dry).trim() == "OK"
    };
    for (rule, command) in [
        ("~{0}:*", &["HSET", "{0}:open", "a", "b"][..]),
        ("~feeway:*", &["SET", "feeway:lease:health", "a"]),
        ("+@read", &["HGETALL", "{0}:fees"]),
        ("+@write", &["ZADD", "{0}:queue:a", "1", "a"]),
        ("+fcall", &["FCALL", "beat", "0"]),
        ("+time", &["TIME"]),
        ("+info", &["INFO"]),
        ("+function|list", &["FUNCTION", "LIST"]),
        ("+function|load", &["FUNCTION", "LOAD", "a"]),
        ("+config|get", &["CONFIG", "GET", "appendfsync"]),
    ] {
        assert!(user.contains(&rule), "{rule}");
        assert!(may("", command), "{command:?}");
        assert!(!may(rule, command), "{command:?} without {rule}");
    }
    for command in [
        &["GET", "other"][..],
        &["FLUSHALL"],
        &["KEYS", "*"],
        &["EVAL", "return 1", "0"],
        &["FUNCTION", "FLUSH"],
        &["FUNCTION", "DELETE", "feeway_v1"],
        &["CONFIG", "SET", "appendonly", "no"],
        &["SHUTDOWN"],
        &["ACL", "LIST"],
    ] {
        assert!(!may("", command), "{command:?}");
    }
    let denied = ["-@dangerous", "-@scripting"];
    for (rule, command) in denied
        .iter()
        .zip([&["FLUSHALL"][..], &["FUNCTION", "FLUSH"]])
    {
        assert!(may(rule, command), "{command:?} without {rule}");
    }
    let rules = user.len() - 3;
    assert_eq!(
        rules,
        10 + 2 + 2,
        "each rule but on and the password is looked at"
    );
}
