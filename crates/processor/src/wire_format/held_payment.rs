use std::fmt;

use feeway_domain::{CorrelationId, GetAnswer, Money, MoneyError, RequestedAt, Unreadable};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::object_text;
use super::said::Said;

/// The body names another payment than the one that was looked up.
pub(crate) const ANOTHER_PAYMENT: Unreadable = unreadable(ID, "is another payment's");
/// More came than is read of any answer.
pub(crate) const LONG_BODY: Unreadable = unreadable(BODY, "is longer than 16384 bytes");
/// The connection ended in the middle of the body.
pub(crate) const BROKEN_BODY: Unreadable = unreadable(BODY, "broke off");
/// What came is not the head of an HTTP answer.
pub(crate) const GARBLED_HEAD: Unreadable = unreadable(
    "head",
    "is not that of an HTTP/1 answer, or longer than 16384 bytes",
);

const BODY: &str = "body";
const ID: &str = "correlationId";
const AMOUNT: &str = "amount";
const REQUESTED_AT: &str = "requestedAt";

const fn unreadable(field: &'static str, reason: &'static str) -> Unreadable {
    Unreadable { field, reason }
}

/// Reads the 200 of `GET /payments/{id}`.
pub(crate) fn held_payment(body: &[u8], id: CorrelationId) -> GetAnswer {
    read(body, id).unwrap_or_else(GetAnswer::Unreadable)
}

fn read(body: &[u8], id: CorrelationId) -> Result<GetAnswer, Unreadable> {
    const NOT_JSON: Unreadable = unreadable(BODY, "is not a JSON object");
    let text = object_text(body).ok_or(NOT_JSON)?;
    let said = Said::read(text, id).ok_or(NOT_JSON)?;
    if said.names_another && !said.names_us {
        return Err(ANOTHER_PAYMENT);
    }
    if said.denies {
        return Ok(GetAnswer::Pending);
    }
    let whole: Members<'_> = serde_json::from_str(text).or(Err(NOT_JSON))?;
    let below = whole.0.iter().filter_map(|(_, value)| {
        let text = value.get();
        text.starts_with('{')
            .then(|| serde_json::from_str(text))?
            .ok()
    });
    let below: Vec<Members<'_>> = below.collect();
    // The first object that has it all; else what is wrong with the first that has our id.
    let (mut unnamed, mut wrong) = (missing(ID), None);
    for members in std::iter::once(&whole).chain(&below) {
        match members.check_id(id).map(|()| members.amount_and_instant()) {
            Ok(Ok((amount, requested_at))) => {
                return Ok(GetAnswer::Held {
                    amount,
                    requested_at,
                });
            }
            Ok(Err(fault)) => wrong = wrong.or(Some(fault)),
            Err(fault) if unnamed == missing(ID) => unnamed = fault,
            Err(_) => {}
        }
    }
    Err(wrong.unwrap_or(unnamed))
}

const fn missing(field: &'static str) -> Unreadable {
    unreadable(field, "is missing")
}

/// The members of an object, each value as the processor wrote it: a float in between could
/// cost a cent. There are at most a few thousand, since a body has 16 KiB.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl Members<'_> {
    /// The only value of that name. `null` is none.
    fn only(&self, name: &'static str) -> Result<&str, Unreadable> {
        let mut named = self.0.iter().filter(|(key, _)| key == name);
        let (_, value) = named.next().ok_or(missing(name))?;
        if named.next().is_some() {
            return Err(unreadable(name, "appears twice"));
        }
        match value.get() {
            "null" => Err(missing(name)),
            value => Ok(value),
        }
    }

    fn check_id(&self, ours: CorrelationId) -> Result<(), Unreadable> {
        let read = text_of(self.only(ID)?).and_then(|text| text.parse().ok());
        match read {
            Some(id) if ours == id => Ok(()),
            Some(_) => Err(ANOTHER_PAYMENT),
            None => Err(unreadable(ID, "is not a UUID")),
        }
    }

    fn amount_and_instant(&self) -> Result<(Money, RequestedAt), Unreadable> {
        let amount = self.only(AMOUNT)?;
        let amount = match text_of(amount) {
            Some(text) => Money::from_processor(&text),
            None => Money::from_processor(amount),
        };
        let amount = amount.map_err(|error| unreadable(AMOUNT, amount_fault(error)))?;
        let requested_at = text_of(self.only(REQUESTED_AT)?)
            .and_then(|text| RequestedAt::from_processor(&text).ok())
            .ok_or(unreadable(REQUESTED_AT, "is not an RFC 3339 instant"))?;
        Ok((amount, requested_at))
    }
}

/// What a JSON string says; nothing if it is another value.
fn text_of(value: &str) -> Option<String> {
    serde_json::from_str(value).ok()
}

fn amount_fault(error: MoneyError) -> &'static str {
    match error {
        MoneyError::NotANumber => "is not a decimal number",
        MoneyError::NotPositive => "is not greater than 0",
        MoneyError::FractionOfACent => "is not a whole number of cents",
        MoneyError::TooLarge => "is more than 9999999999.99",
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3";
    const OTHER: &str = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b4";
    const AT: &str = "2020-07-10T12:34:56.123456Z";

    fn check(body: impl AsRef<[u8]>, expected: GetAnswer) {
        let body = body.as_ref();
        let text = String::from_utf8_lossy(body);
        assert_eq!(held_payment(body, ID.parse().unwrap()), expected, "{text}");
    }

    fn held(cents: i64, at: &str) -> GetAnswer {
        GetAnswer::Held {
            amount: Money::from_cents(cents).unwrap(),
            requested_at: at.parse().unwrap(),
        }
    }

    /// One whose amount and instant are written so.
    fn written(amount: &str, at: &str) -> String {
        format!(r#"{{"correlationId":"{ID}","amount":{amount},"requestedAt":{at}}}"#)
    }

    #[test]
    fn a_held_payment_is_read_exactly() {
        let quoted = format!("\"{AT}\"");
        for amount in [
            "19.9",
            "19.90",
            "1.990E1",
            "1990e-2",
            "19.900000000000002",
            "19.899999999999999",
            r#""19.90""#,
            r#""19.9000""#,
            r#""19.900000000000002""#,
            r#""\u0031\u0039.9""#,
        ] {
            check(written(amount, &quoted), held(1990, AT));
        }
        check(written("9999999999.99", &quoted), held(999_999_999_999, AT));
        for (at, expected) in [
            ("2020-07-10T12:34:56.1234569", AT),
            ("2020-07-10T12:34:56.123456999999999Z", AT),
            ("2020-07-10T14:34:56.123456+02:00", AT),
            ("2020-07-10 12:34:56.123456+00", AT),
            ("2020-07-10 12:34:56.123456+0000", AT),
            ("2020-07-10t12:34:56z", "2020-07-10T12:34:56Z"),
            ("2020-07-10T12:34:56", "2020-07-10T12:34:56Z"),
        ] {
            check(written("19.9", &format!("\"{at}\"")), held(1990, expected));
        }
        check(
            format!(
                r#" {{"x":[1],"requestedAt":"{AT}","amount":19.9,"status":"processed",
                "correlationId":"{}"}} "#,
                ID.to_uppercase()
            ),
            held(1990, AT),
        );
        check(
            format!("\u{feff}{}", written("19.9", &quoted)),
            held(1990, AT),
        );
    }

    #[test]
    fn a_wrapped_payment_is_read() {
        let ours = written("19.9", &format!("\"{AT}\""));
        for body in [
            format!(r#"{{"data":{ours}}}"#),
            format!(r#"{{"success":true,"payment":{ours},"meta":{{"amount":7}}}}"#),
            format!(r#"{{"correlationId":"{OTHER}","data":{ours}}}"#),
            format!(r#"{{"correlationId":"{ID}","data":{ours}}}"#),
            format!(r#"{{"fee":{{"correlationId":"{ID}","amount":1}},"data":{ours}}}"#),
            format!(r#"{{"x":{{"correlationId":"theirs"}},"data":{ours},"y":"{{"}}"#),
        ] {
            check(body, held(1990, AT));
        }
    }

    #[test]
    fn a_payment_that_failed_or_is_pending_is_not_held() {
        let ours = written("19.9", &format!("\"{AT}\""));
        let with = |more: &str| ours.replace('}', &format!(",{more}}}"));
        for body in [
            with(r#""status":"pending""#),
            with(r#""status":"Failed""#),
            with(r#""status":"declined""#),
            with(r#""status":"REJECTED""#),
            with(r#""status":"error""#),
            with(r#""success":false"#),
            with(r#""state":{"status":"pending"}"#),
            format!(r#"{{"data":{}}}"#, with(r#""status":"pending""#)),
            format!(r#"{{"success":false,"data":{ours}}}"#),
            r#"{"status":"pending"}"#.to_owned(),
        ] {
            check(body, GetAnswer::Pending);
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let at = format!("\"{AT}\"");
        let ours = written("19.9", &at);
        let without = |name: &str| ours.replace(name, "x");
        let amount = |text: &str| written(text, &at);
        for (body, field, reason) in [
            (String::new(), "body", "is not a JSON object"),
            ("fine".to_owned(), "body", "is not a JSON object"),
            ("<html>".to_owned(), "body", "is not a JSON object"),
            ("null".to_owned(), "body", "is not a JSON object"),
            (format!("[{ours}]"), "body", "is not a JSON object"),
            (format!("{ours} and more"), "body", "is not a JSON object"),
            (ours[1..].to_owned(), "body", "is not a JSON object"),
            ("{}".to_owned(), "correlationId", "is missing"),
            (without("correlationId"), "correlationId", "is missing"),
            (
                ours.replace(ID, OTHER),
                "correlationId",
                "is another payment's",
            ),
            (
                format!(r#"{{"data":{}}}"#, ours.replace(ID, OTHER)),
                "correlationId",
                "is another payment's",
            ),
            (ours.replace(ID, "7"), "correlationId", "is not a UUID"),
            (
                ours.replace("{", &format!("{{\"correlationId\":\"{ID}\",")),
                "correlationId",
                "appears twice",
            ),
            (without("amount"), "amount", "is missing"),
            (amount("null"), "amount", "is missing"),
            (amount("true"), "amount", "is not a decimal number"),
            (amount("\"19,90\""), "amount", "is not a decimal number"),
            (
                amount("{\"value\":19.9}"),
                "amount",
                "is not a decimal number",
            ),
            (amount("0"), "amount", "is not greater than 0"),
            (amount("-19.9"), "amount", "is not greater than 0"),
            (amount("19.901"), "amount", "is not a whole number of cents"),
            (
                amount("\"19.901\""),
                "amount",
                "is not a whole number of cents",
            ),
            (amount("1e10"), "amount", "is more than 9999999999.99"),
            (amount("19.9,\"amount\":20"), "amount", "appears twice"),
            (without("requestedAt"), "requestedAt", "is missing"),
            (
                ours.replace(AT, "yesterday"),
                "requestedAt",
                "is not an RFC 3339 instant",
            ),
            (
                written("19.9", "1594384496"),
                "requestedAt",
                "is not an RFC 3339 instant",
            ),
        ] {
            check(body, GetAnswer::Unreadable(Unreadable { field, reason }));
        }
    }

    #[test]
    fn what_is_not_utf_8_is_not_read_also_where_nobody_looks() {
        let at = format!("\"{AT}\",\"x\":\"?\"");
        let mut body = written("19.9", &at).into_bytes();
        check(&body, held(1990, AT));
        let place = body.iter().position(|byte| *byte == b'?').unwrap();
        body[place] = 0xff;
        let expected = unreadable("body", "is not a JSON object");
        check(&body, GetAnswer::Unreadable(expected));
    }
}
