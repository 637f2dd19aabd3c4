//! The JSON that processors speak. Nobody else in the product knows it.

mod held_payment;
mod receipt;
mod said;

use std::fmt::Write;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use feeway_domain::{Payment, RequestedAt};
use serde::Deserialize;

pub(crate) use held_payment::{
    ANOTHER_PAYMENT, BROKEN_BODY, GARBLED_HEAD, LONG_BODY, held_payment,
};
pub(crate) use receipt::{Receipt, is_named_in, receipt};

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
    let text = object_text(body)?;
    serde_json::from_str(text).ok()
}

/// The text of what may be a JSON object; nothing if it begins otherwise. Some servers put a
/// byte order mark before it.
fn object_text(body: &[u8]) -> Option<&str> {
    let text = str::from_utf8(without_mark(body)).ok()?;
    text.trim_ascii_start().starts_with('{').then_some(text)
}

fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

#[cfg(test)]
mod tests {
    use feeway_domain::Money;

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
