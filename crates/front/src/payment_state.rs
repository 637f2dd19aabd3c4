//! The body of `GET /payments/{id}`.

use feeway_domain::{PaymentState, ProcessorName, RequestedAt, Status};

use crate::problem;

/// Five members are always there; what is not known yet is null. A rejected payment has the
/// reason as well.
pub(crate) fn body(state: &PaymentState) -> String {
    let (status, processor, requested_at) = match &state.status {
        Status::Open { processor } => ("open", processor.as_ref(), None),
        Status::Settled {
            processor,
            requested_at,
        } => ("settled", Some(processor), Some(*requested_at)),
        Status::Rejected { .. } => ("rejected", None, None),
        Status::Conflict {
            processor,
            requested_at,
        } => ("conflict", Some(processor), Some(*requested_at)),
    };
    let PaymentState { id, amount, .. } = state;
    let processor = quoted(processor.map(ProcessorName::as_str));
    let requested_at = requested_at.map(|instant: RequestedAt| instant.to_string());
    let requested_at = quoted(requested_at.as_deref());
    let reason = state.status.reason().map_or_else(String::new, |reason| {
        format!(r#","reason":"{}""#, problem::escaped(reason))
    });
    format!(
        r#"{{"correlationId":"{id}","amount":{amount},"status":"{status}","processor":{processor},"requestedAt":{requested_at}{reason}}}"#
    )
}

/// A JSON string of text that needs no escape, or null.
fn quoted(text: Option<&str>) -> String {
    text.map_or_else(|| "null".to_owned(), |text| format!("\"{text}\""))
}

#[cfg(test)]
mod tests {
    use feeway_domain::Money;

    use super::*;

    fn check(status: Status, expected: &str) {
        let state = PaymentState {
            id: "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3".parse().unwrap(),
            amount: Money::from_cents(1990).unwrap(),
            status,
        };
        let start = r#"{"correlationId":"4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3","amount":19.90,"#;
        assert_eq!(body(&state), format!("{start}{expected}}}"));
    }

    #[test]
    fn every_status_has_the_same_members() {
        let processor: ProcessorName = "default".parse().unwrap();
        let requested_at: RequestedAt = "2025-07-15T12:34:56.000001Z".parse().unwrap();
        check(
            Status::Open { processor: None },
            r#""status":"open","processor":null,"requestedAt":null"#,
        );
        check(
            Status::Open {
                processor: Some(processor.clone()),
            },
            r#""status":"open","processor":"default","requestedAt":null"#,
        );
        check(
            Status::Settled {
                processor: processor.clone(),
                requested_at,
            },
            r#""status":"settled","processor":"default","requestedAt":"2025-07-15T12:34:56.000001Z""#,
        );
        check(
            Status::Rejected {
                reason: "a said \"no\"".to_owned(),
            },
            r#""status":"rejected","processor":null,"requestedAt":null,"reason":"a said \"no\"""#,
        );
        check(
            Status::Conflict {
                processor,
                requested_at,
            },
            r#""status":"conflict","processor":"default","requestedAt":"2025-07-15T12:34:56.000001Z""#,
        );
    }
}
