use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use feeway_machine::files::repository;
use serde_json::Value;

use crate::scrape::{Scraped, scrape};
use crate::stack::{Stack, eventually};

const PAYMENTS: i64 = 40;

/// Words of ours with the prefix of our metrics that are none: the function library, crates,
/// the volume of the container stack.
const NO_METRICS: [&str; 12] = [
    "feeway_version",
    "feeway_v2",
    "feeway_redis",
    "feeway_v1",
    "feeway_domain",
    "feeway_front",
    "feeway_health",
    "feeway_leader",
    "feeway_processor",
    "feeway_store",
    "feeway_process",
    "feeway_worker",
];

#[test]
fn metrics_tell_what_happened_and_every_name_in_dashboard_and_documents_exists() {
    let stack = Stack::up(&[]);
    let mut connection = stack.connect();
    for _ in 0..PAYMENTS {
        stack.pay(&mut connection);
    }
    let malformed = connection.request("POST", "/payments", "{}");
    assert_eq!(malformed.status, 400);
    eventually(Duration::from_secs(10), "all settle", || {
        stack.summary("").0.0 == PAYMENTS
    });
    eventually(Duration::from_secs(10), "a beat sees nothing open", || {
        all(&scrape(&stack), "feeway_open_payments", "") == 0.0
    });
    let scraped = scrape(&stack);
    let processes: Vec<&str> = scraped.iter().map(|one| &*one.process).collect();
    let expected = ["leader-1", "leader-2", "front-1", "front-2", "haproxy"];
    assert_eq!(processes, expected);

    #[expect(clippy::cast_precision_loss, reason = "forty is exact")]
    let paid = PAYMENTS as f64;
    for (metric, labels, value) in [
        ("feeway_payments_accepted_total", "", paid),
        ("feeway_payments_refused_total", "", 1.0),
        ("feeway_payments_refused_total", "malformed", 1.0),
        ("feeway_payments_settled_total", "default", paid),
        ("feeway_payments_settled_total", "fallback", 0.0),
        ("feeway_settled_cents_total", "default", paid * 1990.0),
        ("feeway_fees_saved_cents_total", "default", paid * 199.0),
        ("feeway_fees_saved_cents_total", "fallback", 0.0),
        ("feeway_attempts_total", r#"outcome="held""#, paid),
        ("feeway_http_requests_total", r#"code="202""#, paid),
        ("feeway_http_requests_total", r#"code="400""#, 1.0),
        ("feeway_journal_write_duration_seconds_count", "", paid),
        ("feeway_settle_duration_seconds_count", "", paid),
        ("feeway_payment_open_duration_seconds_count", "", paid),
        ("feeway_attempt_duration_seconds_count", "", paid),
        ("feeway_payments_in_hand", "", 0.0),
        ("feeway_pinned_payments", "", 0.0),
        ("feeway_attempts_in_flight", "", 0.0),
        ("feeway_breaker_open", "", 0.0),
        ("feeway_conflicts_total", "", 0.0),
        ("feeway_ready", "", 2.0),
        ("feeway_redis_up", "", 4.0),
        ("feeway_nats_up", "", 4.0),
        ("feeway_leader_lease_held", "", 1.0),
        ("feeway_leader_takeovers_total", "", 1.0),
    ] {
        assert_eq!(all(&scraped, metric, labels), value, "{metric} {labels}");
    }
    // Each front carries less than a cent.
    let fees = all(&scraped, "feeway_fees_cents_total", "default");
    assert!((paid * 99.5 - fees) < 2.0 && fees <= paid * 99.5, "{fees}");
    check_form(&scraped);
    check_names(&scraped);
}

fn all(scraped: &[Scraped], metric: &str, labels: &str) -> f64 {
    scraped.iter().map(|one| one.sum(metric, labels)).sum()
}

/// Units and suffixes as Prometheus wants them, and a word of help for each.
fn check_form(scraped: &[Scraped]) {
    for one in scraped {
        assert!(one.sum("process_resident_memory_bytes", "") > 1e6 || one.process == "haproxy");
        for (family, kind) in one.families() {
            if !family.starts_with("feeway_") {
                continue;
            }
            assert_eq!(family.ends_with("_total"), kind == "counter", "{family}");
            assert!(
                kind != "histogram" || family.ends_with("_seconds"),
                "{family}"
            );
            let help = format!("# HELP {family} ");
            assert!(one.page.contains(&help), "no help for {family}");
        }
    }
}

fn check_names(scraped: &[Scraped]) {
    let samples = scraped.iter().flat_map(|one| one.samples());
    let known: BTreeSet<&str> = samples.map(|(name, _, _)| name).collect();
    let families: BTreeSet<&str> = scraped
        .iter()
        .flat_map(|s| s.families().into_keys())
        .collect();
    let text = fs::read_to_string(repository().join("deploy/grafana/feeway.json"));
    let dashboard: Value = serde_json::from_str(&text.expect("a dashboard")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array());
    let queries: Vec<&str> = targets
        .flatten()
        .map(|target| target["expr"].as_str().expect("a query"))
        .collect();
    assert!(queries.len() > 40, "{}", queries.len());
    for query in &queries {
        let names: Vec<&str> = names(query, &["feeway_", "haproxy_", "process_"]).collect();
        assert!(!names.is_empty(), "{query}");
        for name in names {
            assert!(known.contains(name), "no process has {name}: {query}");
        }
    }
    // What nobody looks at need not be counted.
    for family in families.iter().filter(|name| name.starts_with("feeway_")) {
        let shown = queries.iter().any(|query| query.contains(family));
        assert!(shown, "no panel shows {family}");
    }
    for document in documents(repository()) {
        let text = fs::read_to_string(&document).expect("a text");
        for name in names(&text, &["feeway_"]) {
            let exists = known.contains(name) || families.contains(name);
            let other = NO_METRICS.contains(&name) || name.ends_with('_');
            assert!(exists || other, "{}: {name}", document.display());
        }
    }
}

/// The words of a text that begin with one of these.
fn names<'a>(text: &'a str, prefixes: &'a [&str]) -> impl Iterator<Item = &'a str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix)))
}

fn documents(repository: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in [
        repository.to_owned(),
        repository.join("docs"),
        repository.join("deploy"),
    ] {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        found.extend(entries.map(|entry| entry.path()).filter(|path| {
            let extension = path.extension().and_then(|extension| extension.to_str());
            matches!(extension, Some("md" | "yml" | "yaml"))
        }));
    }
    assert!(found.len() >= 4, "{found:?}");
    found
}
