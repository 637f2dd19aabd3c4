//! The JSON that processors speak. Nobody else in the product knows it.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use feeway_domain::{CorrelationId, GetAnswer, Money, Payment, RequestedAt};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The longest payment there is takes 123 bytes: 47 of field names and punctuation, 36 of
/// id, 13 of amount and 27 of instant.
const PAYMENT_LEN_MAX: usize = 128;

/// The body of `POST /payments`.
pub(crate) fn payment(payment: &Payment, requested_at: RequestedAt) -> Bytes {
    let mut body = BytesMut::with_capacity(PAYMENT_LEN_MAX);
    // The amount's text is a JSON number; neither id nor instant has anything to escape.
    write!(
        body,
        r#"{{"correlationId":"{}","amount":{},"requestedAt":"{requested_at}"}}"#,
        payment.id, payment.amount,
    )
    .expect("a buffer in memory takes every write");
    body.freeze()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeldPayment<'a> {
    #[serde(borrow)]
    correlation_id: Cow<'a, str>,
    /// As the processor wrote it: a float in between could cost a cent.
    #[serde(borrow)]
    amount: &'a RawValue,
    #[serde(borrow)]
    requested_at: Cow<'a, str>,
}

/// Reads the 200 of `GET /payments/{id}`; anything but that payment is unclear.
pub(crate) fn held_payment(body: &[u8], id: CorrelationId) -> GetAnswer {
    read_held_payment(body, id).unwrap_or(GetAnswer::Unclear)
}

fn read_held_payment(body: &[u8], id: CorrelationId) -> Option<GetAnswer> {
    let held: HeldPayment<'_> = object(body)?;
    if held.correlation_id.parse() != Ok(id) {
        return None;
    }
    let amount: Money = held.amount.get().parse().ok()?;
    let requested_at = RequestedAt::from_processor(&held.requested_at).ok()?;
    Some(GetAnswer::Held {
        amount,
        requested_at,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    failing: bool,
    min_response_time: u64,
}

/// Reads the 200 of `GET /payments/service-health`: whether it is failing, and the least
/// time a payment takes.
pub(crate) fn health(body: &[u8]) -> Option<(bool, Duration)> {
    let health: Health = object(body)?;
    Some((
        health.failing,
        Duration::from_millis(health.min_response_time),
    ))
}

/// Reads a JSON object. serde would also take a list, its values in the order of the fields,
/// and does not look whether what it skips is UTF-8.
fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<T> {
    let text = str::from_utf8(body).ok()?;
    let is_object = text.trim_ascii_start().starts_with('{');
    is_object.then(|| serde_json::from_str(text).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3";

    fn instant(text: &str) -> RequestedAt {
        text.parse().unwrap()
    }

    #[test]
    fn a_payment_is_written_to_the_cent_and_to_the_microsecond() {
        let body = payment(
            &Payment {
                id: ID.parse().unwrap(),
                amount: "19.9".parse().unwrap(),
            },
            instant("2020-07-10T12:34:56.7Z"),
        );
        assert_eq!(
            body,
            format!(
                r#"{{"correlationId":"{ID}","amount":19.90,"requestedAt":"2020-07-10T12:34:56.700000Z"}}"#
            )
        );
    }

    #[test]
    fn the_longest_payment_fits_its_buffer() {
        let body = payment(
            &Payment {
                id: ID.parse().unwrap(),
                amount: Money::MAX,
            },
            RequestedAt::MAX,
        );
        assert_eq!(body.len(), 123);
    }

    fn check(body: &str, expected: Option<(i64, &str)>) {
        let expected = expected.map_or(GetAnswer::Unclear, |(cents, at)| GetAnswer::Held {
            amount: Money::from_cents(cents).unwrap(),
            requested_at: instant(at),
        });
        assert_eq!(
            held_payment(body.as_bytes(), ID.parse().unwrap()),
            expected,
            "{body}"
        );
    }

    #[test]
    fn a_held_payment_is_read_exactly() {
        let at = "2020-07-10T12:34:56.123456Z";
        check(
            &format!(r#"{{"correlationId":"{ID}","amount":19.9,"requestedAt":"{at}"}}"#),
            Some((1990, at)),
        );
        check(
            &format!(
                r#" {{"x":[1],"requestedAt":"2020-07-10T12:34:56.1234569","amount":1.990E1,
                "correlationId":"{}"}} "#,
                ID.to_uppercase()
            ),
            Some((1990, at)),
        );
        check(
            &format!(
                r#"{{"correlationId":"{ID}","amount":9999999999.99,"requestedAt":"2020-07-10T12:34:56"}}"#
            ),
            Some((999_999_999_999, "2020-07-10T12:34:56Z")),
        );
    }

    #[test]
    fn anything_but_that_payment_is_unclear() {
        let at = "2020-07-10T12:34:56.123456Z";
        let other = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b4";
        for body in [
            String::new(),
            "{}".to_owned(),
            "null".to_owned(),
            format!(r#"{{"correlationId":"{other}","amount":19.9,"requestedAt":"{at}"}}"#),
            format!(r#"{{"correlationId":"{ID}","amount":"19.9","requestedAt":"{at}"}}"#),
            format!(r#"{{"correlationId":"{ID}","amount":19.901,"requestedAt":"{at}"}}"#),
            format!(r#"{{"correlationId":"{ID}","amount":0,"requestedAt":"{at}"}}"#),
            format!(r#"{{"correlationId":"{ID}","amount":19.9,"requestedAt":"yesterday"}}"#),
            format!(r#"{{"correlationId":"{ID}","amount":19.9,"requestedAt":17}}"#),
            format!(r#"{{"correlationId":"{ID}","amount":19.9}}"#),
            format!(r#"{{"correlationId":"{ID}","amount":19.9,"requestedAt":"{at}"}} and more"#),
            format!(r#"["{ID}",19.9,"{at}"]"#),
        ] {
            check(&body, None);
        }
    }

    #[test]
    fn what_is_not_utf_8_is_unclear_also_where_nobody_looks() {
        let at = "2020-07-10T12:34:56.123456Z";
        let body = format!(r#"{{"correlationId":"{ID}","amount":1,"requestedAt":"{at}","x":"?"}}"#);
        check(&body, Some((100, at)));
        let mut body = body.into_bytes();
        let place = body.iter().position(|byte| *byte == b'?').unwrap();
        body[place] = 0xff;
        let id = ID.parse().unwrap();
        assert_eq!(held_payment(&body, id), GetAnswer::Unclear);
    }

    #[test]
    fn health_is_read_or_refused() {
        assert_eq!(
            health(br#"{"failing":true,"minResponseTime":120}"#),
            Some((true, Duration::from_millis(120)))
        );
        for body in [
            "",
            "{}",
            r#"{"failing":1,"minResponseTime":0}"#,
            r#"{"failing":false,"minResponseTime":-1}"#,
            r#"{"failing":false,"minResponseTime":1.5}"#,
            "[true,120]",
        ] {
            assert_eq!(health(body.as_bytes()), None, "{body}");
        }
    }
}
