//! What a processor answers to an attempt, to a look-up and to the question for its health.

use std::time::Duration;

use feeway_domain::{CorrelationId, GetAnswer, Payment};
use feeway_processor::fuzzing;
use serde_json::Value;

use crate::oracle::{self, Members};

const ID: &str = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3";

/// Panics on a finding.
pub fn check(body: &[u8]) {
    let id: CorrelationId = ID.parse().expect("it is one");
    let read = match fuzzing::held_payment(body, id) {
        GetAnswer::Held {
            amount,
            requested_at,
        } => {
            // What we would send for it is read as the same.
            let payment = Payment { id, amount };
            let written = fuzzing::payment(&payment, requested_at);
            let again = fuzzing::held_payment(&written, id);
            assert_eq!(
                again,
                GetAnswer::Held {
                    amount,
                    requested_at
                }
            );
            Some((amount.cents(), requested_at.micros()))
        }
        GetAnswer::Pending | GetAnswer::Unreadable(_) => None,
        GetAnswer::Absent => panic!("a 200 is never absence"),
        GetAnswer::Unclear | GetAnswer::Unreachable => panic!("a body says more"),
    };
    let may_not_be_text = oracle::may_hold_lone_surrogate(body);
    let expected = expected_payment(body);
    assert!(
        read == expected || read.is_none() && may_not_be_text,
        "{read:?} instead of {expected:?}"
    );
    let fits = fuzzing::fits(body, id);
    let expected = expected_to_fit(body);
    assert!(
        fits == expected || !fits && may_not_be_text,
        "{fits} instead of {expected}"
    );
    check_health(body);
}

/// The object of an answer, and those one level below it.
fn objects(body: &[u8]) -> Option<Vec<Members>> {
    let whole = Members::read(without_mark(body))?;
    let below = whole.0.iter().filter_map(|(_, value)| {
        let text = value.get();
        text.starts_with('{')
            .then(|| Members::read(text.as_bytes()))?
    });
    let below: Vec<_> = below.collect();
    // What serde_json takes for a number is no greater than a float can be.
    let is_small = |value: &str| {
        let is_number = value.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        !is_number || serde_json::from_str::<f64>(value).is_ok()
    };
    let all_small = whole.0.iter().all(|(_, value)| is_small(value.get()));
    let told_small = below
        .iter()
        .flat_map(|members| &members.0)
        .all(|(name, value)| {
            !matches!(name.as_str(), "status" | "success" | "correlationId")
                || is_small(value.get())
        });
    (all_small && told_small).then(|| [whole].into_iter().chain(below).collect())
}

fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body)
}

fn denies(objects: &[Members]) -> bool {
    let mut members = objects.iter().flat_map(|members| &members.0);
    members.any(|(name, value)| match name.as_str() {
        "status" => {
            let text: Result<String, _> = serde_json::from_str(value.get());
            let text = text.unwrap_or_default().to_ascii_lowercase();
            let denials = ["failed", "declined", "rejected", "error", "pending"];
            denials.contains(&text.as_str())
        }
        "success" => value.get() == "false",
        _ => false,
    })
}

/// The texts that stand where an id belongs.
fn ids(objects: &[Members]) -> Vec<String> {
    let members = objects.iter().flat_map(|members| &members.0);
    let ids = members.filter(|(name, _)| name == "correlationId");
    ids.filter_map(|(_, value)| serde_json::from_str(value.get()).ok())
        .collect()
}

fn expected_payment(body: &[u8]) -> Option<(i64, i64)> {
    let objects = objects(body)?;
    if denies(&objects) {
        return None;
    }
    objects.iter().find_map(|members| {
        let cents = oracle::near_cents(members.only("amount")?)?;
        let at: String = serde_json::from_str(members.only("requestedAt")?).ok()?;
        let micros = oracle::micros_of_processor(&at)?;
        let ours = oracle::id(members.only("correlationId")?)? == ID;
        ours.then_some((cents, micros))
    })
}

fn expected_to_fit(body: &[u8]) -> bool {
    match without_mark(body).trim_ascii_start().first() {
        Some(b'<') => return false,
        Some(b'{') => {}
        Some(_) | None => return true,
    }
    let Some(objects) = objects(body) else {
        return false;
    };
    let ids = ids(&objects);
    let is_ours = ids.iter().any(|id| id.eq_ignore_ascii_case(ID));
    !denies(&objects) && (is_ours || ids.is_empty())
}

fn check_health(body: &[u8]) {
    let Some((failing, least)) = fuzzing::health(body) else {
        return;
    };
    let members = Members::read(without_mark(body)).expect("an object");
    let value = |name| {
        let text = members.only(name).expect("exactly one");
        serde_json::from_str::<Value>(text).expect("JSON")
    };
    assert_eq!(value("failing"), Value::Bool(failing));
    let ms = value("minResponseTime").as_u64().expect("a whole number");
    assert_eq!(Duration::from_millis(ms), least);
}
