//! What is seen and concluded, as a person says it. Nothing of a body is quoted: it may hold
//! what nobody should read in a report.

use std::time::Duration;

use feeway_domain::{Doubt, GetAnswer, No, Outcome, PostAnswer, Refusal};
use feeway_options::spelled;
use hyper::header::CONTENT_TYPE;

use crate::wire::{Answer, Fault, Seen};

/// A time that was measured.
pub(crate) fn time(time: Duration) -> String {
    let ms = time.as_millis();
    if ms == 0 {
        return "under 1ms".to_owned();
    }
    let ms = if ms < 10_000 { ms } else { ms / 1000 * 1000 };
    spelled(Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX)))
}

/// What came back from any request.
pub(crate) fn answer(answer: &Answer) -> String {
    match answer {
        Ok(seen) => format!("{}{} in {}", seen.status, kind(seen), time(seen.took)),
        Err(Fault::Unreachable) => "no connection".to_owned(),
        Err(Fault::TimedOut) => "no answer in time".to_owned(),
        Err(Fault::Reset) => "the connection ended without an answer".to_owned(),
        Err(Fault::Garbled) => "the answer is not HTTP, or its head is malformed".to_owned(),
    }
}

/// The same without how long it took.
pub(crate) fn status(answer: &Answer) -> String {
    match answer {
        Ok(seen) => seen.status.to_string(),
        Err(_) => self::answer(answer),
    }
}

/// Names a body that is no JSON.
fn kind(seen: &Seen) -> String {
    let kind = seen.headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
    match kind.split(';').next().unwrap_or("").trim() {
        "" | "application/json" => String::new(),
        kind => format!(" with {kind}"),
    }
}

/// What came back from a POST, with what the client found in it.
pub(crate) fn posted(answer: &Answer, said: &PostAnswer) -> String {
    let is_yes = answer
        .as_ref()
        .is_ok_and(|seen| matches!(seen.status, 200 | 201 | 204));
    let but = if is_yes && *said == PostAnswer::Inconclusive {
        ", whose body does not say yes"
    } else {
        ""
    };
    format!("{}{but}", self::answer(answer))
}

/// What came back from a look-up, with what the client found in it.
pub(crate) fn looked_up(answer: &Answer, said: &GetAnswer) -> String {
    let but = match said {
        GetAnswer::Pending => ", and the payment failed or is pending".to_owned(),
        GetAnswer::Unreadable(fault) => format!(", but {} {}", fault.field, fault.reason),
        GetAnswer::Held { .. }
        | GetAnswer::Absent
        | GetAnswer::Unclear
        | GetAnswer::Unreachable => String::new(),
    };
    format!("{}{but}", self::answer(answer))
}

/// What Feeway does after an attempt.
pub(crate) fn concluded(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Held(_) => "books it".to_owned(),
        Outcome::NotHeld(No::Unreachable) => {
            "knows that nothing was sent; it tries another processor after --patience".to_owned()
        }
        Outcome::NotHeld(No::Overloaded { retry_after: None }) => {
            "counts it as not held, and pauses".to_owned()
        }
        Outcome::NotHeld(No::Overloaded {
            retry_after: Some(wait),
        }) => format!("counts it as not held, and waits {}", time(*wait)),
        Outcome::NotHeld(No::Misconfigured { status }) => format!(
            "counts it as not held: {status} points to a wrong URL or credentials; it tries \
             another processor after --patience"
        ),
        Outcome::NotHeld(No::Declined { status }) => {
            format!("takes {status} as a final no; it tries another processor")
        }
        Outcome::Refused(Refusal::Declined { status }) => format!(
            "takes {status} as a no once a look-up finds nothing after --absence-after; then it \
             tries another processor"
        ),
        Outcome::Refused(Refusal::Failing { status }) => format!(
            "tries again after {status}; it tries another processor after --patience, once a late \
             look-up finds nothing"
        ),
        Outcome::Unknown(Doubt::Redirected { status }) => {
            format!("pins it and reports the URL as wrong: {status} is not followed")
        }
        Outcome::Unknown(Doubt::Unconfirmed) => "pins it until a look-up finds it".to_owned(),
        Outcome::Unknown(Doubt::TimedOut | Doubt::Reset | Doubt::Unclear) => {
            "pins it: the outcome is unknown, so it waits for this processor, however long that takes".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        for (micros, expected) in [
            (0, "under 1ms"),
            (999, "under 1ms"),
            (1_000, "1ms"),
            (1_999_999, "1999ms"),
            (12_345_678, "12s"),
            (3_600_000_000, "1h"),
        ] {
            assert_eq!(time(Duration::from_micros(micros)), expected);
        }
    }
}
