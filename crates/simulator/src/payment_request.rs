use std::borrow::Cow;

use feeway_domain::{CorrelationId, Money, RequestedAt};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::amount::round_to_cents;

/// What a client posts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PaymentRequest {
    pub(crate) id: CorrelationId,
    pub(crate) amount: Money,
    pub(crate) requested_at: RequestedAt,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow)]
    correlation_id: Cow<'a, str>,
    /// As it is written: a float could not be rounded exactly.
    #[serde(borrow)]
    amount: &'a RawValue,
    #[serde(borrow)]
    requested_at: Cow<'a, str>,
}

impl PaymentRequest {
    /// Reads a body; nothing when it is malformed.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let body: Body<'_> = serde_json::from_slice(body).ok()?;
        Some(Self {
            id: body.correlation_id.parse().ok()?,
            amount: round_to_cents(body.amount.get())?,
            requested_at: RequestedAt::from_processor(&body.requested_at).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3";

    fn body(amount: &str, requested_at: &str) -> String {
        format!(
            r#"{{"correlationId":"{ID}", "amount" : {amount} ,"requestedAt":"{requested_at}","more":[1]}}"#
        )
    }

    #[test]
    fn a_payment_is_read_exactly() {
        let read = PaymentRequest::read(body("19.905", "2025-07-15T12:34:56.1234567Z").as_bytes())
            .unwrap();
        assert_eq!(read.id.to_string(), ID);
        assert_eq!(read.amount.cents(), 1990);
        assert_eq!(read.requested_at.to_string(), "2025-07-15T12:34:56.123456Z");
    }

    #[test]
    fn what_is_malformed_is_not_read() {
        let at = "2025-07-15T12:34:56.000Z";
        for text in [
            String::new(),
            "{}".to_owned(),
            "[]".to_owned(),
            body("\"19.9\"", at),
            body("null", at),
            body("-1", at),
            body("01", at),
            body("1", "yesterday"),
            body("1", ""),
            body("1", at).replace("correlationId", "id"),
            body("1", at).replace(ID, "1"),
            format!("{}x", body("1", at)),
        ] {
            assert_eq!(PaymentRequest::read(text.as_bytes()), None, "{text}");
        }
        assert_eq!(PaymentRequest::read(b"{\"correlationId\":\"\xff\"}"), None);
    }
}
