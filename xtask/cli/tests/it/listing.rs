use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::http::{Answer, Connection};
use crate::stack::{Stack, eventually, new_id, payment};

const PAYMENTS: usize = 25;

/// How many pages a walk may take before it counts as endless.
const MAX_PAGES: usize = 100;

#[test]
fn payments_are_told_one_by_one_and_in_pages_as_the_processors_hold_them() {
    let stack = Stack::up(&[]);
    let paid = pay(&stack, PAYMENTS);
    eventually(Duration::from_secs(5), "everything is settled", || {
        stack.summary("").0.0 == 25
    });
    the_ledger_line_by_line(&stack, &paid);
    windows_hold_both_of_their_ends(&stack);
    a_walk_goes_on_where_it_was(&stack);
    single_payments_that_are_not_there(&stack);
    questions_that_are_refused(&stack);
    what_is_open(&stack);
}

/// Pays a cent more each time. Returns the cents by the ids.
#[track_caller]
fn pay(stack: &Stack, count: usize) -> BTreeMap<String, usize> {
    let mut connection = stack.connect();
    let accepted = (1..=count).map(|cents| {
        let id = new_id();
        let body = payment(&id, &format!("19.{cents:02}"));
        let answer = connection.request("POST", "/payments", &body);
        assert_eq!(answer.status, 202, "{answer:?}");
        (id, 1900 + cents)
    });
    accepted.collect()
}

#[track_caller]
fn page(connection: &mut Connection, query: &str) -> (Vec<Value>, Option<String>) {
    let answer = connection.request("GET", &format!("/payments{query}"), "");
    assert_eq!(answer.status, 200, "{query} {answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let json = answer.json();
    let lines = json["payments"].as_array().expect("a list").clone();
    let next = &json["next"];
    assert!(next.is_string() || next.is_null(), "{json}");
    (lines, next.as_str().map(str::to_owned))
}

/// Follows the pages to their end, from a cursor on or from the beginning.
#[track_caller]
fn walk(stack: &Stack, query: &str, limit: usize, mut after: Option<String>) -> Vec<Value> {
    let mut connection = stack.connect();
    let mut all = Vec::new();
    for _ in 0..MAX_PAGES {
        let cursor = after.map_or_else(String::new, |cursor| format!("&after={cursor}"));
        let (lines, next) = page(&mut connection, &format!("?limit={limit}{query}{cursor}"));
        assert!(lines.len() <= limit, "{} of {limit}", lines.len());
        all.extend(lines);
        if next.is_none() {
            return all;
        }
        after = next;
    }
    panic!("no last page after {MAX_PAGES} pages of ?limit={limit}{query}");
}

fn text<'a>(line: &'a Value, member: &str) -> &'a str {
    let value = line[member].as_str();
    value.unwrap_or_else(|| panic!("no {member} in {line}"))
}

fn ids(lines: &[Value]) -> Vec<String> {
    let id = |line| text(line, "correlationId").to_owned();
    lines.iter().map(id).collect()
}

/// Processors tell it without the `Z`.
#[track_caller]
fn instant(line: &Value) -> Timestamp {
    let instant = text(line, "requestedAt").trim_end_matches('Z');
    format!("{instant}Z").parse().expect("an instant")
}

fn the_ledger_line_by_line(stack: &Stack, paid: &BTreeMap<String, usize>) {
    let (lines, next) = page(&mut stack.connect(), "");
    assert_eq!(next, None);
    assert_eq!(lines.len(), PAYMENTS);
    assert!(lines.is_sorted_by_key(instant), "{lines:?}");
    assert_eq!(
        ids(&lines).into_iter().collect::<BTreeSet<_>>(),
        paid.keys().cloned().collect()
    );
    for line in &lines {
        let id = text(line, "correlationId");
        let single = stack.ask("GET", &format!("/payments/{id}"), "");
        assert_eq!(single.status, 200, "{single:?}");
        let mut expected = single.json();
        assert_eq!(expected["status"], "settled");
        assert_eq!(expected["processor"], "default");
        let written = format!("\"amount\":19.{:02},", paid[id] - 1900);
        assert!(single.body.contains(&written), "{written} {single:?}");
        expected["fee"] = json!(0.05);
        assert_eq!(*line, expected);

        let held = stack.admin(0, "GET", &format!("/payments/{id}"), "").json();
        assert_eq!(held["amount"], line["amount"]);
        assert_eq!(instant(&held), instant(line));
    }
    for limit in [1, 10, PAYMENTS, 1000] {
        assert_eq!(walk(stack, "", limit, None), lines, "limit {limit}");
    }
    assert_eq!(walk(stack, "&status=settled", 7, None), lines);
    for status in ["open", "pinned", "rejected", "conflict"] {
        let none = walk(stack, &format!("&status={status}"), 7, None);
        assert!(none.is_empty(), "{status}: {none:?}");
    }
}

fn windows_hold_both_of_their_ends(stack: &Stack) {
    let all = walk(stack, "", 1000, None);
    let (first, last) = (instant(&all[5]), instant(&all[11]));
    // Payments that were sent together may share an instant.
    let between = |from: Timestamp, to: Timestamp| -> Vec<Value> {
        let within = all
            .iter()
            .filter(|&line| (from..=to).contains(&instant(line)));
        within.cloned().collect()
    };
    let check = |query: String, expected: Vec<Value>| {
        for limit in [3, 1000] {
            assert_eq!(walk(stack, &query, limit, None), expected, "{query}");
        }
    };
    check(
        format!("&from={first:.6}&to={last:.6}"),
        between(first, last),
    );
    check(format!("&from={first:.6}"), between(first, Timestamp::MAX));
    check(format!("&to={last:.6}"), between(Timestamp::MIN, last));
    check(format!("&from={last:.6}&to={last:.6}"), between(last, last));
    check("&from=2100-01-01T00:00:00Z".to_owned(), Vec::new());
}

fn a_walk_goes_on_where_it_was(stack: &Stack) {
    let before = walk(stack, "", 1000, None);
    let (mut seen, next) = page(&mut stack.connect(), "?limit=10");
    assert_eq!(seen, before[..10]);
    let more = pay(stack, 3);
    let settled = i64::try_from(before.len() + more.len()).expect("a few");
    eventually(Duration::from_secs(5), "everything is settled", || {
        stack.summary("").0.0 == settled
    });
    seen.extend(walk(stack, "", 10, next));
    assert_eq!(seen[..before.len()], before);
    let new: BTreeSet<String> = ids(&seen[before.len()..]).into_iter().collect();
    assert_eq!(new, more.keys().cloned().collect());
}

fn single_payments_that_are_not_there(stack: &Stack) {
    let unknown = stack.ask("GET", &format!("/payments/{}", new_id()), "");
    unknown.assert_problem(404);
    for no_id in ["17", "4a7901b87d264d9daa194dc1c7cf60b3", "settled"] {
        let answer = stack.ask("GET", &format!("/payments/{no_id}"), "");
        answer.assert_lists_every_route();
    }
}

fn questions_that_are_refused(stack: &Stack) {
    let (_, cursor) = page(&mut stack.connect(), "?limit=1");
    let cursor = cursor.expect("there are more");
    let mut connection = stack.connect();
    let mut check = |query: &str, named: &str| {
        let answer: Answer = connection.request("GET", &format!("/payments?{query}"), "");
        assert_eq!(answer.status, 400, "{query} {answer:?}");
        answer.assert_problem(400);
        let problem = answer.json();
        let detail = text(&problem, "detail");
        assert!(detail.contains(named), "{query}: {detail}");
    };
    for limit in ["0", "1001", "-1", "ten", "", "1.5"] {
        check(&format!("limit={limit}"), "limit");
    }
    for status in ["", "Settled", "closed"] {
        check(&format!("status={status}"), "status");
    }
    for after in ["", "settled", &format!("{cursor}.x")] {
        check(&format!("after={after}"), "after");
    }
    check(&format!("status=open&after={cursor}"), "after");
    check("from=yesterday", "from");
    check("to=2025-07-15T12:34:56.0000001Z", "to");
    check("to=2025-07-15T12:34:56", "to");
    check("limit=1&limit=2", "limit");
    check(
        "from=2025-07-02T00:00:00Z&to=2025-07-01T00:00:00Z",
        "from must not be later than to",
    );
}

fn what_is_open(stack: &Stack) {
    let settled = walk(stack, "", 1000, None).len();
    stack.set_failing(0, true);
    stack.set_failing(1, true);
    let paid = pay(stack, 5);
    let open = walk(stack, "&status=open", 2, None);
    assert_eq!(
        ids(&open).into_iter().collect::<BTreeSet<_>>(),
        paid.keys().cloned().collect()
    );
    let accepted_at = |line| text(line, "acceptedAt").parse::<Timestamp>().expect("one");
    assert!(open.is_sorted_by_key(accepted_at), "{open:?}");
    for line in &open {
        assert_eq!(line["status"], "open");
        assert_eq!(line["requestedAt"], Value::Null);
        let id = text(line, "correlationId");
        let single = stack.ask("GET", &format!("/payments/{id}"), "").json();
        assert_eq!(single["status"], "open");
        assert_eq!(single["amount"], line["amount"]);
    }
    let listed = ids(&open);
    let pinned = walk(stack, "&status=pinned", 2, None);
    assert!(ids(&pinned).iter().all(|id| listed.contains(id)));

    stack.set_failing(0, false);
    stack.set_failing(1, false);
    eventually(Duration::from_secs(20), "nothing is open", || {
        walk(stack, "&status=open", 1000, None).is_empty()
    });
    assert_eq!(walk(stack, "", 7, None).len(), settled + paid.len());
}
