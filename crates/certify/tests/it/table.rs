//! Every switch of the simulator against every check: what breaks the contract is found, and by
//! the check that is for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use clap::ValueEnum;
use feeway_certify::{Check, Rating, certify};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::running::{Running, options};

/// How many processors are tried at the same time.
const AT_ONCE: usize = 12;

/// A document of rules, and the checks that do not simply fit, each as `name` when it differs,
/// `name?` when it cannot tell, and `name~` when it is tolerated. What cannot tell because of
/// another check that differs is left out.
type Row = (&'static str, &'static [&'static str]);

/// The documents of `docs/simulator.md`, in its order.
const KINDS: &[Row] = &[
    (r#"{"rules":[]}"#, &[]),
    (r#"{"rules":[{"post":{"status":400}}]}"#, &["post?"]),
    // One id, which is not ours.
    (
        r#"{"rules":[{"ids":["4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3"],"post":{"status":500}}]}"#,
        &[],
    ),
    (
        r#"{"rules":[{"post":{"status":500,"stores":true,"ifHeld":"sameRule"},"lookUp":{"lagMs":10000}}]}"#,
        &["post"],
    ),
    (
        r#"{"rules":[{"post":{"status":400,"stores":true}}]}"#,
        &["post"],
    ),
    (
        r#"{"rules":[{"post":{"status":500,"stores":true},"lookUp":{"status":404}}]}"#,
        &["post"],
    ),
    (
        r#"{"rules":[{"post":{"status":504,"stores":true,"storesAfterMs":5000}}]}"#,
        &["post"],
    ),
    (
        r#"{"rules":[{"post":{"delayMs":3000,"storesAfterMs":0}}]}"#,
        &["post", "latency"],
    ),
    (
        r#"{"rules":[{"post":{"status":503,"first":2}}]}"#,
        &["post"],
    ),
    (
        r#"{"rules":[{"post":{"body":{"status":"failed"},"stores":false}}]}"#,
        &["post"],
    ),
    (
        r#"{"rules":[{"post":{"body":"<html>Sign in</html>","contentType":"text/html","stores":false}}]}"#,
        &["post"],
    ),
    (
        r#"{"rules":[{"post":{"status":302,"headers":{"Location":"/login"}}}]}"#,
        &["post"],
    ),
    (r#"{"rules":[{"post":{"ifHeld":409}}]}"#, &[]),
    (
        r#"{"rules":[{"post":{"ifHeld":"sameRule"}}]}"#,
        &["duplicate~", "other-amount~"],
    ),
    (r#"{"rules":[{"post":{"ifHeld":404}}]}"#, &["duplicate"]),
    (
        r#"{"rules":[{"post":{"ifHeld":"replaces"}}]}"#,
        &["other-amount"],
    ),
    (r#"{"rules":[{"post":{"status":401}}]}"#, &["post"]),
    (
        r#"{"rules":[{"post":{"body":{"correlationId":"4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3"}}}]}"#,
        &["post~", "connections"],
    ),
    (
        r#"{"malformed":{"status":200}}"#,
        &["malformed-id", "malformed"],
    ),
    (
        r#"{"rules":[{"post":{"status":429,"headers":{"Retry-After":"2"}}}]}"#,
        &["post"],
    ),
    (
        r#"{"preset":"rateLimited"}"#,
        &["unknown", "post", "look-up"],
    ),
    (
        r#"{"preset":"deadProxy"}"#,
        &["unknown", "post", "look-up", "health~"],
    ),
    (r#"{"rules":[{"post":{"ends":"close"}}]}"#, &["post"]),
    (
        r#"{"rules":[{"post":{"ends":"reset","stores":false}}]}"#,
        &["post"],
    ),
    (
        r#"{"rules":[{"post":{"ends":"hang","stores":false},"lookUp":{"ends":"hang"}}],"health":{"ends":"hang"}}"#,
        &["unknown", "post", "latency", "look-up", "health~"],
    ),
    (
        r#"{"rules":[{"post":{"headers":{"Connection":"close"}},"lookUp":{"headers":{"Connection":"close"}}}]}"#,
        &["connections~"],
    ),
    (
        r#"{"rules":[{"post":{"rawHeader":"X Waf: 1"},"lookUp":{"rawHeader":"X Waf: 1"}}]}"#,
        &["unknown", "post", "look-up"],
    ),
    (
        r#"{"rules":[{"post":{"raw":"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{","ends":"close"}}]}"#,
        &["post~"],
    ),
    (
        r#"{"rules":[{"post":{"raw":"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"}}]}"#,
        &["post~"],
    ),
    (
        r#"{"rules":[{"lookUp":{"instant":"offset","amount":"string"}}]}"#,
        &[],
    ),
    (r#"{"rules":[{"lookUp":{"wrappedIn":"data"}}]}"#, &[]),
    (
        r#"{"rules":[{"lookUp":{"bodyBytes":20000}}]}"#,
        &["look-up"],
    ),
    (
        r#"{"rules":[{"lookUp":{"adds":{"status":"pending"}}}]}"#,
        &["look-up"],
    ),
    (
        r#"{"rules":[{"lookUp":{"instantOffMs":-60000}}]}"#,
        &["requested-at"],
    ),
    (
        r#"{"rules":[{"lookUp":{"instantOffMs":60000}}]}"#,
        &["requested-at"],
    ),
    (
        r#"{"rules":[{"lookUp":{"instant":"seconds"}}]}"#,
        &["requested-at~"],
    ),
    (
        r#"{"rules":[{"lookUp":{"lagMs":60000}}]}"#,
        &["look-up", "lag"],
    ),
    (r#"{"rules":[{"lookUp":{"missesEvery":3}}]}"#, &["steady"]),
    (r#"{"rules":[{"lookUp":{"ifAbsent":200}}]}"#, &["unknown"]),
    (r#"{"rules":[{"lookUp":{"ifAbsent":400}}]}"#, &["unknown"]),
    (
        r#"{"rules":[{"lookUp":{"status":200,"body":"<html>","contentType":"text/html"}}]}"#,
        &["unknown", "look-up"],
    ),
    (
        r#"{"rules":[{"lookUp":{"amountOffCents":100}}]}"#,
        &["amount"],
    ),
    (r#"{"health":{"status":404}}"#, &["health~"]),
    (r#"{"health":{"delayMs":20000}}"#, &["health~"]),
    (
        r#"{"health":{"body":{"failing":true,"minResponseTime":0}}}"#,
        &["health~"],
    ),
    (
        r#"{"health":{"status":302,"headers":{"Location":"/login"}}}"#,
        &["health~"],
    ),
    (
        r#"{"health":{"raw":"failing: no\r\n","ends":"close"}}"#,
        &["health~"],
    ),
];

/// Those of the manual that look different to each id, and what stands for them below.
const BY_CHANCE: [&str; 4] = [
    r#"{"rules":[{"share":0.05,"post":{"status":402,"body":{"error":"do_not_honor"}}}]}"#,
    r#"{"rules":[{"share":0.5,"post":{"status":202,"storesAfterMs":2000}},{"post":{"status":202,"stores":false}}]}"#,
    r#"{"rules":[{"share":0.5,"post":{"againAfterMs":36}},{"post":{"status":400,"delayMs":20}}]}"#,
    r#"{"rules":[{"share":0.5,"lookUp":{"status":503}},{"lookUp":{"delayMs":5000}}]}"#,
];

const MORE: &[Row] = &[
    (r#"{"rules":[{"post":{"status":402}}]}"#, &["post?"]),
    (r#"{"rules":[{"post":{"status":409}}]}"#, &["post?"]),
    (r#"{"rules":[{"post":{"status":201}}]}"#, &[]),
    (r#"{"rules":[{"post":{"status":204}}]}"#, &[]),
    (
        r#"{"rules":[{"post":{"status":202,"storesAfterMs":100}}]}"#,
        &["post~"],
    ),
    (
        r#"{"rules":[{"post":{"status":202,"stores":false}}]}"#,
        &["post"],
    ),
    (
        r#"{"rules":[{"post":{"status":404,"stores":true}}]}"#,
        &["post"],
    ),
    (r#"{"rules":[{"post":{"delayMs":900}}]}"#, &["latency~"]),
    (
        r#"{"rules":[{"post":{"againAfterMs":36}}]}"#,
        &["connections"],
    ),
    (
        r#"{"rules":[{"post":{"againAfterMs":0}}]}"#,
        &["connections"],
    ),
    (
        r#"{"rules":[{"lookUp":{"status":404}}]}"#,
        &["look-up", "lag"],
    ),
    (r#"{"rules":[{"lookUp":{"lagMs":200}}]}"#, &[]),
    (r#"{"rules":[{"lookUp":{"lagMs":1000}}]}"#, &["lag"]),
    (
        r#"{"rules":[{"lookUp":{"status":503}}]}"#,
        &["unknown", "look-up"],
    ),
    (
        r#"{"rules":[{"lookUp":{"delayMs":6000}}]}"#,
        &["unknown", "look-up"],
    ),
    (
        r#"{"malformed":{"status":500}}"#,
        &["malformed-id~", "malformed~"],
    ),
    (
        r#"{"malformed":{"ends":"close"}}"#,
        &["malformed-id~", "malformed~"],
    ),
];

/// What the checks say of a processor with these rules, as a [`Row`] writes it.
async fn try_out(rules: &str) -> Vec<String> {
    let simulator = Running::start(rules).await;
    let report = certify(&options(&simulator.url, &[])).await.unwrap();
    let all: Vec<_> = report.findings.iter().map(|found| found.check).collect();
    assert_eq!(all, Check::value_variants(), "{rules}");
    let differs = |rating| report.findings.iter().any(|found| found.rating == rating);
    let found: Vec<String> = report
        .findings
        .iter()
        .filter_map(|found| match found.rating {
            Rating::Fits => None,
            Rating::Tolerated => Some(format!("{}~", found.check)),
            Rating::Differs => Some(found.check.to_string()),
            Rating::CannotTell if differs(Rating::Differs) => None,
            Rating::CannotTell => Some(format!("{}?", found.check)),
        })
        .collect();
    println!("{rules}");
    for found in &report.findings {
        println!("  {:<13} {:<12} {}", found.check, found.rating, found.seen);
    }
    found
}

#[tokio::test]
async fn each_fault_of_the_simulator_is_found_by_its_check() {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut trials = JoinSet::new();
    for (rules, expected) in KINDS.iter().chain(MORE) {
        let places = Arc::clone(&places);
        trials.spawn(async move {
            let _place = places.acquire_owned().await.unwrap();
            (*rules, *expected, try_out(rules).await)
        });
    }
    let (mut wrong, mut finders) = (Vec::new(), BTreeSet::new());
    while let Some(tried) = trials.join_next().await {
        let (rules, expected, mut found) = tried.unwrap();
        if expected.iter().any(|name| name.ends_with('?')) {
            // The others cannot tell either, for want of a payment.
            found.truncate(expected.len());
        }
        if found != expected {
            wrong.push(format!("{rules}\n  found {found:?}\n  not   {expected:?}"));
        }
        finders.extend(
            expected
                .iter()
                .map(|name| name.trim_end_matches(['~', '?'])),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all = Check::value_variants();
    let all: BTreeSet<String> = all.iter().map(ToString::to_string).collect();
    let finders: BTreeSet<String> = finders.into_iter().map(str::to_owned).collect();
    assert_eq!(finders, all, "each check finds something");
}

#[test]
fn every_processor_preset_of_the_manual_is_tried() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/simulator.md");
    let manual = std::fs::read_to_string(path).unwrap();
    let (_, kinds) = manual.split_once("## One document for each kind").unwrap();
    let spans = kinds.split('`').skip(1).step_by(2);
    let listed: Vec<&str> = spans.filter(|span| span.starts_with("{\"")).collect();
    assert!(listed.len() > 45, "{}", listed.len());
    let known: BTreeSet<&str> = KINDS.iter().map(|(rules, _)| *rules).collect();
    for kind in &listed {
        assert!(known.contains(kind) || BY_CHANCE.contains(kind), "{kind}");
    }
    for kind in known.iter().chain(&BY_CHANCE) {
        assert!(listed.contains(kind), "{kind} is not in the manual");
    }
}
