//! What a processor answers to a look-up and to the question for its health.

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
        GetAnswer::Absent => panic!("a 200 is never absence"),
        GetAnswer::Unclear => None,
    };
    let expected = expected_payment(body);
    assert!(
        read == expected || read.is_none() && oracle::may_hold_lone_surrogate(body),
        "{read:?} instead of {expected:?}"
    );
    check_health(body);
}

fn expected_payment(body: &[u8]) -> Option<(i64, i64)> {
    let members = Members::read(body)?;
    let cents = oracle::cents(members.only("amount")?)?;
    let at: String = serde_json::from_str(members.only("requestedAt")?).ok()?;
    let micros = oracle::micros(&format!("{}Z", at.strip_suffix('Z').unwrap_or(&at)), 7)?;
    let ours = oracle::id(members.only("correlationId")?)? == ID;
    ours.then_some((cents, micros))
}

fn check_health(body: &[u8]) {
    let Some((failing, least)) = fuzzing::health(body) else {
        return;
    };
    let members = Members::read(body).expect("an object");
    let value = |name| {
        let text = members.only(name).expect("exactly one");
        serde_json::from_str::<Value>(text).expect("JSON")
    };
    assert_eq!(value("failing"), Value::Bool(failing));
    let ms = value("minResponseTime").as_u64().expect("a whole number");
    assert_eq!(Duration::from_millis(ms), least);
}
