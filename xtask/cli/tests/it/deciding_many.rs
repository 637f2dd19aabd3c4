//! A processor is gone for good, with many payments pinned to it, and an operator decides all of
//! them with one command.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::load::Load;
use crate::own_process::OwnProcess;
use crate::scrape::sum;
use crate::stack::{Stack, eventually, new_id, payment};

/// Payments a second that come in meanwhile.
const RATE: u32 = 100;

/// Of all payments at the first processor a part is stored, and none is answered.
const SILENT: &str = r#"{"rules":[
    {"share":0.3,"post":{"ends":"hang","stores":true,"storesAfterMs":0}},
    {"post":{"ends":"hang","stores":false}}
]}"#;

/// A stack with payments pinned to `default`, which does not run any longer.
struct Scene {
    stack: Stack,
    ids: Vec<String>,
    /// What `default` had in its books in the end: a line for each payment, by its id.
    books: BTreeMap<String, String>,
    _fallback: OwnProcess,
}

impl Scene {
    fn begin(count: usize) -> Self {
        let stack = Stack::reserve();
        let ports = [stack.simulator_port, stack.simulator_port + 1];
        let default = format!("default=http://127.0.0.1:{},fee=0.05", ports[0]);
        let fallback = format!("fallback=http://127.0.0.1:{},fee=0.15", ports[1]);
        let processors = ["--processor", &default, "--processor", &fallback];
        // Nothing is slow, so that all of them are sent to the cheaper one.
        let calm = ["--max-latency", "60s", "--max-in-flight", "1000"];
        let patience = ["--patience", "2s", "--attempt-timeout", "120s"];
        stack.start(&[&processors[..], &calm, &patience].concat());
        let silent = OwnProcess::simulator(&stack, "default", ports[0]);
        let fallback = OwnProcess::simulator(&stack, "fallback", ports[1]);
        stack.admin(0, "PUT", "/admin/rules", SILENT);
        let ids: Vec<String> = (0..count).map(|_| new_id()).collect();
        let mut connection = stack.connect();
        for id in &ids {
            let answer = connection.request("POST", "/payments", &payment(id, "19.90"));
            assert_eq!(answer.status, 202, "{answer:?}");
        }
        let asked = || {
            let told = stack.admin(0, "GET", "/admin/payments", "");
            told.body.lines().count()
        };
        eventually(Duration::from_secs(60), "all are there", || {
            asked() == count
        });
        let dump = stack.admin(0, "GET", "/admin/dump", "").body;
        let books = dump.lines().map(|line| {
            let read: Value = serde_json::from_str(line).expect("JSON");
            let id = read["correlationId"].as_str().expect("an id");
            (id.to_owned(), line.to_owned())
        });
        let books: BTreeMap<String, String> = books.collect();
        assert!(
            books.len() > count / 5 && books.len() < count / 2,
            "{}",
            books.len()
        );
        drop(silent);
        Self {
            stack,
            ids,
            books,
            _fallback: fallback,
        }
    }

    fn statement(&self) -> PathBuf {
        let file = self.stack.dir.join("statement.jsonl");
        let lines: Vec<&str> = self.books.values().map(String::as_str).collect();
        fs::write(&file, lines.join("\n")).expect("room for a file");
        file
    }

    fn pinned(&self) -> usize {
        let output = self.stack.ctl(&["list", "pinned", "--json"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let default = said.lines().filter(|line| line.contains(r#""default""#));
        default.count()
    }

    /// Decides everything by the processor's whole statement. Returns what the tool says.
    #[track_caller]
    fn resolve_all(&self) -> String {
        let file = self.statement();
        let file = file.to_str().expect("a name in UTF-8");
        let all = ["resolve", "--all", "--processor", "default", "--not-held"];
        let more = ["--file", file, "--fee", "0.05", "--yes", "--by", "ann"];
        let output = self.stack.ctl(&[&all[..], &more].concat());
        assert!(output.status.success(), "{}", self.stack.describe(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What all of these are in the end, held at `default` or gone elsewhere.
    #[track_caller]
    fn check_ends(&self) {
        let mut connection = self.stack.connect();
        for id in &self.ids {
            let answer = connection.request("GET", &format!("/payments/{id}"), "");
            let found = answer.json();
            assert_eq!(found["status"], "settled", "{found}");
            let is_held = self.books.contains_key(id);
            let expected = if is_held { "default" } else { "fallback" };
            assert_eq!(found["processor"], expected, "{found}");
        }
    }

    fn held(&self) -> (i64, i64) {
        let held = i64::try_from(self.books.len()).expect("a few");
        (held, held * 1990)
    }
}

#[test]
fn a_thousand_pinned_payments_are_decided_while_the_fronts_take_a_hundred_a_second() {
    const COUNT: usize = 1_000;
    let scene = Scene::begin(COUNT);
    let stack = &scene.stack;
    let load = Load::start(stack.port, RATE);
    eventually(Duration::from_secs(60), "all are pinned", || {
        scene.pinned() >= COUNT
    });
    sleep(Duration::from_secs(3));

    let began = SystemTime::now();
    let said = scene.resolve_all();
    let took = began.elapsed().unwrap_or_default();
    println!("{said}in {:.1} s", took.as_secs_f64());
    assert!(took < Duration::from_secs(30), "{took:?}");
    let settled = format!("settled {}, released ", scene.books.len());
    assert!(
        said.starts_with(&settled) && said.ends_with("not done 0\n"),
        "{said}"
    );

    sleep(Duration::from_secs(3));
    let sent = load.end();
    assert_eq!(sent.failed, Vec::<String>::new());
    let all = sent.accepted + i64::try_from(COUNT).expect("a few");
    let elsewhere = all - scene.held().0;
    eventually(Duration::from_secs(30), "everything settles", || {
        stack.summary("") == (scene.held(), (elsewhere, elsewhere * 1990))
    });
    assert_eq!(stack.books(1, ""), (elsewhere, elsewhere * 1990));
    scene.check_ends();
    assert_eq!(sum(stack, "feeway_conflicts_total", ""), 0.0);
    let (_, record) = ctl(stack, &["resolutions"]);
    assert!(record.lines().count() >= COUNT, "{record}");

    // The order is in force, and everybody can see that, until somebody ends it.
    assert_eq!(sum(stack, "feeway_standing_back", r#""default""#), 2.0);
    let (_, listed) = ctl(stack, &["stand-back"]);
    assert!(
        listed.contains("by ann; 2 of 2 fronts stand back"),
        "{listed}"
    );
    let _default = OwnProcess::simulator(stack, "default", stack.simulator_port);
    stack.pay(&mut stack.connect());
    eventually(Duration::from_secs(10), "it goes elsewhere", || {
        stack.summary("").1.0 == elsewhere + 1
    });
    assert!(ctl(stack, &["stand-back", "default", "--end"]).0);
    let mut connection = stack.connect();
    eventually(Duration::from_secs(20), "it gets payments again", || {
        stack.pay(&mut connection);
        sleep(Duration::from_millis(200));
        stack.books(0, "").0 > 0
    });
}

#[test]
fn without_a_front_they_are_decided_with_one_watch() {
    const COUNT: usize = 200;
    let scene = Scene::begin(COUNT);
    let stack = &scene.stack;
    eventually(Duration::from_secs(60), "all are pinned", || {
        scene.pinned() == COUNT
    });
    let stop = stack.xtask("stop", &["front-1", "front-2"]);
    assert!(stop.status.success(), "{}", stack.describe(&stop));
    let began = SystemTime::now();
    let said = scene.resolve_all();
    let took = began.elapsed().unwrap_or_default();
    assert!(took < Duration::from_secs(15), "{took:?}");
    assert!(said.ends_with("not done 0\n"), "{said}");
    assert_eq!(ctl(stack, &["stand-back"]).1, "");
    let start = stack.xtask("start", &["front-1", "front-2"]);
    assert!(start.status.success(), "{}", stack.describe(&start));
    let elsewhere = i64::try_from(COUNT).expect("a few") - scene.held().0;
    eventually(Duration::from_secs(60), "everything settles", || {
        let answer = stack.ask("GET", "/payments-summary", "");
        answer.status == 200 && stack.summary("") == (scene.held(), (elsewhere, elsewhere * 1990))
    });
    scene.check_ends();
}

/// Whether the tool ended well, and what it said.
fn ctl(stack: &Stack, arguments: &[&str]) -> (bool, String) {
    let output = stack.ctl(arguments);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), said)
}
