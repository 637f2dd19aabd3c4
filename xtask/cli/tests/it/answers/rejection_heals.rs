//! Declines that speak of a processor and not of a payment, rejections that are taken back, and
//! times at which no processor can have taken a payment.

use std::thread::sleep;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    DEFAULT, FALLBACK, accept, accept_new, count_requests, fate, id_of, rule, seen, set_rules,
    told, until_all_are, up,
};
use crate::http::Connection;
use crate::own_process::OwnProcess;
use crate::scrape;
use crate::stack::{Stack, eventually, payment};

/// Between two payments.
const PACE: Duration = Duration::from_millis(50);

/// A stack whose processors store nothing of what they decline, as their operators vouch: what
/// they decline is decided within milliseconds.
fn up_with_final_declines() -> (Stack, [OwnProcess; 2]) {
    let stack = Stack::reserve();
    let option = |name: &str, processor: u16, fee: &str| {
        let port = stack.simulator_port + processor;
        format!("{name}=http://127.0.0.1:{port},fee={fee},declines=final")
    };
    let default = option("default", DEFAULT, "0.05");
    let fallback = option("fallback", FALLBACK, "0.15");
    stack.start(&["--processor", &default, "--processor", &fallback]);
    let processors = [("default", DEFAULT), ("fallback", FALLBACK)].map(|(name, processor)| {
        OwnProcess::simulator(&stack, name, stack.simulator_port + processor)
    });
    count_requests(&stack);
    (stack, processors)
}

fn declined(row: usize, status: u16) -> Value {
    rule(row, &json!({ "status": status }), &json!({}))
}

/// Pays for so long, one in five with an id that the default processor declines alone.
fn pay_for(stack: &Stack, time: Duration, ids: &mut Vec<String>) {
    let payments = time.as_millis() / PACE.as_millis();
    for number in 0..payments {
        if number % 5 == 4 {
            let id = id_of(1);
            accept(stack, &id);
            ids.push(id);
        } else {
            ids.push(accept_new(stack));
        }
        sleep(PACE);
    }
}

fn rejected(stack: &Stack) -> usize {
    let page = stack.ask("GET", "/payments?status=rejected", "").json();
    page["payments"].as_array().expect("a list").len()
}

#[test]
fn what_two_broken_proxies_decline_for_seconds_is_not_rejected_and_settles() {
    let (stack, _processors) = up_with_final_declines();
    let well = [declined(1, 402)];
    set_rules(&stack, DEFAULT, &well);
    let mut ids = Vec::new();
    pay_for(&stack, Duration::from_secs(3), &mut ids);
    let (default, fallback) = stack.summary("");
    assert!(default.0 > 0 && fallback.0 > 0, "both hold some");

    let broken = [json!({ "post": { "status": 400 }, "lookUp": { "status": 400 } })];
    for processor in [DEFAULT, FALLBACK] {
        set_rules(&stack, processor, &broken);
    }
    pay_for(&stack, Duration::from_secs(4), &mut ids);
    assert_eq!(rejected(&stack), 0, "while they are broken");
    set_rules(&stack, DEFAULT, &well);
    set_rules(&stack, FALLBACK, &[]);
    pay_for(&stack, Duration::from_secs(3), &mut ids);
    eventually(Duration::from_secs(40), "all settle", || {
        let (default, fallback) = stack.summary("");
        default.0 + fallback.0 == i64::try_from(ids.len()).expect("some hundred")
    });
    assert_eq!(rejected(&stack), 0);
    let counted = scrape::sum(&stack, "feeway_payments_rejected_total", "");
    assert_eq!(counted, 0.0);
    stack.assert_books_agree();
}

#[test]
fn what_every_processor_declines_is_rejected_its_repeat_hears_why_and_it_can_be_reopened() {
    let (stack, _processors) = up_with_final_declines();
    set_rules(&stack, DEFAULT, &[declined(0, 402), declined(1, 402)]);
    set_rules(&stack, FALLBACK, &[declined(0, 410)]);
    let mut ids = Vec::new();
    pay_for(&stack, Duration::from_secs(2), &mut ids);
    let id = id_of(0);
    accept(&stack, &id);
    eventually(Duration::from_secs(40), "it is rejected", || {
        pay_for(&stack, 5 * PACE, &mut ids);
        fate(&stack, &id) == "rejected"
    });
    let reason = "default answered 402, fallback answered 410";
    let found = stack.ask("GET", &format!("/payments/{id}"), "").json();
    assert_eq!(found["reason"], reason, "{found}");

    let repeated = stack.ask("POST", "/payments", &payment(&id, "19.90"));
    repeated.assert_problem(422);
    assert!(repeated.body.contains(reason), "{repeated:?}");
    let other = stack.ask("POST", "/payments", &payment(&id, "19.91"));
    other.assert_problem(409);
    assert_eq!(rejected(&stack), 1, "nobody else");
    let counted = |metric, labels| scrape::sum(&stack, metric, labels);
    assert_eq!(counted("feeway_payments_rejected_total", ""), 1.0);
    let refused = counted("feeway_payments_refused_total", r#""rejected""#);
    assert_eq!(refused, 1.0);

    let posts = seen(&stack, DEFAULT, &id).posts;
    set_rules(&stack, DEFAULT, &[]);
    let reopened = stack.ctl(&["reopen", &id, "--by", "ann"]);
    let said = String::from_utf8_lossy(&reopened.stdout).into_owned();
    assert!(reopened.status.success(), "{}", stack.describe(&reopened));
    assert_eq!(said, format!("{id} reopened\n"));
    ids.push(id.clone());
    until_all_are(
        &stack,
        Duration::from_secs(10),
        &ids[ids.len() - 1..],
        "settled at default",
    );
    assert_eq!(seen(&stack, DEFAULT, &id).posts, posts + 1);
    accept(&stack, &id);
    let record = stack.ctl(&["resolutions"]);
    let record = String::from_utf8_lossy(&record.stdout).into_owned();
    let expected = format!("{id}  19.90  reopened: {reason}; by ann");
    assert!(record.contains(&expected), "{record}");
    eventually(Duration::from_secs(10), "all settle", || {
        let (default, fallback) = stack.summary("");
        default.0 + fallback.0 == i64::try_from(ids.len()).expect("some hundred")
    });
    stack.assert_books_agree();
}

/// What the simulated processor and the gateway say of the time of a payment.
fn times(stack: &Stack, id: &str) -> [Timestamp; 2] {
    let path = format!("/payments/{id}");
    let theirs = Connection::open(stack.simulator_port).request("GET", &path, "");
    let ours = stack.ask("GET", &path, "");
    [theirs, ours].map(|answer| {
        let told = answer.json();
        let at = told["requestedAt"].as_str().expect("an instant");
        at.parse().expect("it is written as RFC 3339 has it")
    })
}

#[test]
fn an_impossible_time_is_asked_for_again_and_the_books_get_that_of_the_attempt() {
    const OF_EACH: usize = 3;
    let stack = up(&[]);
    let stored = json!({ "status": 202, "stores": true });
    let hour_ms = 3_600_000;
    let rules = [
        // Those that insist, on the past and on the future.
        rule(0, &stored, &json!({ "instantOffMs": -hour_ms })),
        rule(1, &stored, &json!({ "instantOffMs": hour_ms })),
        // One that is right when it is asked again.
        rule(2, &stored, &json!({ "instantOffMs": hour_ms, "first": 1 })),
        // One whose clock is a little off.
        rule(3, &stored, &json!({ "instantOffMs": -1500 })),
    ];
    set_rules(&stack, DEFAULT, &rules);
    let ids: Vec<String> = (0..OF_EACH * rules.len())
        .map(|number| id_of(number % rules.len()))
        .collect();
    for id in &ids {
        accept(&stack, id);
    }
    until_all_are(&stack, Duration::from_secs(15), &ids, "settled at default");

    set_rules(
        &stack,
        DEFAULT,
        &[json!({ "lookUp": { "instant": "micro" } })],
    );
    let listed = stack.ctl(&["restamped", "--json"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let impossible = |id: &str| told(&stack, &format!("\"{id}\"")).len();
    for (number, id) in ids.iter().enumerate() {
        let [theirs, ours] = times(&stack, id);
        let row = number % rules.len();
        let (off, lines) = match row {
            0 | 1 => (SignedDuration::ZERO, 2),
            2 => (SignedDuration::ZERO, 1),
            _ => (SignedDuration::from_millis(-1500), 0),
        };
        assert_eq!(ours.duration_since(theirs), off, "row {row}");
        assert_eq!(listed.contains(id.as_str()), row < 2, "row {row}: {listed}");
        assert_eq!(impossible(id), lines, "row {row}");
        assert_eq!(seen(&stack, DEFAULT, id).posts, 1, "row {row}");
    }
    assert_eq!(listed.lines().count(), 2 * OF_EACH, "{listed}");
    let shown = stack.ctl(&["show", &ids[0]]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("restamped    default says"), "{shown}");
    let counted = scrape::sum(&stack, "feeway_impossible_times_total", r#""default""#);
    #[expect(clippy::cast_precision_loss, reason = "nine is exact")]
    let expected = (3 * OF_EACH) as f64;
    assert_eq!(counted, expected);
    stack.assert_books_agree();
}
