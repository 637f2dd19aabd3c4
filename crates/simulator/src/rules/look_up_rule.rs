use std::time::Duration;

use feeway_domain::{CorrelationId, RequestedAt};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::members::{Members, RulesError};
use super::reply_members::status;
use crate::books::Held;
use crate::reply::Reply;

const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// What becomes of a look-up; by default what a faithful processor does.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LookUpRule {
    /// Only for so many look-ups of an id.
    pub(crate) first: Option<u32>,
    /// From the arrival to the answer.
    pub(crate) delay: Duration,
    /// A payment is found so long after it was stored.
    pub(crate) lag: Duration,
    /// Of the look-ups of an id, each one that this number divides finds nothing.
    pub(crate) misses_every: Option<u32>,
    /// What an id gets that is not found, with a message.
    pub(crate) if_absent: Option<StatusCode>,
    /// How a payment is printed.
    pub(crate) print: Print,
    /// What is answered.
    pub(crate) reply: Reply,
}

/// How a payment is printed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Print {
    instant: InstantAs,
    amount: AmountAs,
    instant_off_ms: i32,
    amount_off_cents: i32,
    wrapped_in: Option<String>,
    adds: Map<String, Value>,
}

/// How an instant is written. All but `short` have their decimals in full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum InstantAs {
    /// As the contest's processor does: no offset, no zeros at the end.
    #[default]
    Short,
    Seconds,
    Milli,
    Micro,
    Seven,
    Nano,
    /// `+00:00`.
    Offset,
    /// `+02:00`, and two hours more.
    OffsetTwo,
    /// A `z`.
    LowerCase,
    NoOffset,
}

/// How an amount is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum AmountAs {
    #[default]
    Number,
    String,
    /// What is left of a sum of floats.
    FloatNoise,
    FourDecimals,
}

impl LookUpRule {
    pub(super) fn read(mut members: Members) -> Result<Self, RulesError> {
        let reply = Reply::read(&mut members)?;
        let rule = Self {
            first: members.take("first")?,
            delay: members.millis("delayMs")?.unwrap_or_default(),
            lag: members.millis("lagMs")?.unwrap_or_default(),
            misses_every: members.take("missesEvery")?,
            if_absent: status(&mut members, "ifAbsent")?,
            print: Print {
                instant: members.take("instant")?.unwrap_or_default(),
                amount: members.take("amount")?.unwrap_or_default(),
                instant_off_ms: members.take("instantOffMs")?.unwrap_or(0),
                amount_off_cents: members.take("amountOffCents")?.unwrap_or(0),
                wrapped_in: members.take("wrappedIn")?,
                adds: members.take("adds")?.unwrap_or_default(),
            },
            reply,
        };
        if rule.misses_every == Some(0) {
            return Err(members.refused("missesEvery", "is at least 1"));
        }
        members.end()?;
        Ok(rule)
    }

    /// Whether the `nth` look-up of an id finds nothing, whatever is held.
    pub(crate) fn misses(&self, nth: u32) -> bool {
        self.misses_every
            .is_some_and(|every| nth.is_multiple_of(every))
    }
}

impl Print {
    /// The payment as JSON.
    pub(crate) fn json(&self, id: CorrelationId, held: &Held) -> String {
        let mut members = vec![
            ("correlationId", format!("\"{id}\"")),
            ("amount", self.amount(held)),
            ("requestedAt", format!("\"{}\"", self.instant(held))),
        ];
        members.retain(|(name, _)| !self.adds.contains_key(*name));
        let added = self.adds.iter();
        members.extend(added.map(|(name, value)| (name.as_str(), value.to_string())));
        let members: Vec<String> = members
            .into_iter()
            .map(|(name, text)| format!("{}:{text}", Value::from(name)))
            .collect();
        let payment = format!("{{{}}}", members.join(","));
        match &self.wrapped_in {
            None => payment,
            Some(name) => format!("{{{}:{payment}}}", Value::from(name.as_str())),
        }
    }

    fn amount(&self, held: &Held) -> String {
        let cents = held.amount.cents() + i64::from(self.amount_off_cents);
        let sign = if cents < 0 { "-" } else { "" };
        let (whole, rest) = (cents.unsigned_abs() / 100, cents.unsigned_abs() % 100);
        let amount = format!("{sign}{whole}.{rest:02}");
        match self.amount {
            AmountAs::Number => amount,
            AmountAs::String => format!("\"{amount}\""),
            AmountAs::FloatNoise => format!("{amount}0000000000002"),
            AmountAs::FourDecimals => format!("{amount}00"),
        }
    }

    fn instant(&self, held: &Held) -> String {
        let micros = held.requested_at.micros() + i64::from(self.instant_off_ms) * 1000;
        let text = |micros: i64| {
            let instant = RequestedAt::from_micros(micros);
            let text = instant.unwrap_or(held.requested_at).to_string();
            text.trim_end_matches('Z').to_owned()
        };
        let micro = text(micros);
        let without = |decimals: usize| &micro[..micro.len() - decimals];
        match self.instant {
            InstantAs::Short => micro.trim_end_matches('0').trim_end_matches('.').to_owned(),
            InstantAs::Seconds => format!("{}Z", without(7)),
            InstantAs::Milli => format!("{}Z", without(3)),
            InstantAs::Micro => format!("{micro}Z"),
            InstantAs::Seven => format!("{micro}7Z"),
            InstantAs::Nano => format!("{micro}789Z"),
            InstantAs::Offset => format!("{micro}+00:00"),
            InstantAs::OffsetTwo => format!("{}+02:00", text(micros + 2 * MICROS_PER_HOUR)),
            InstantAs::LowerCase => format!("{micro}z"),
            InstantAs::NoOffset => micro,
        }
    }
}

#[cfg(test)]
mod tests {
    use feeway_domain::Money;
    use serde_json::json;

    use super::*;

    const ID: &str = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3";

    fn printed(rule: Value, at: &str) -> String {
        let members = Members::of("lookUp".to_owned(), rule).unwrap();
        let held = Held {
            amount: Money::from_cents(1990).unwrap(),
            requested_at: at.parse().unwrap(),
        };
        let rule = LookUpRule::read(members).unwrap();
        rule.print.json(ID.parse().unwrap(), &held)
    }

    #[test]
    fn instants_are_spelled_as_told() {
        for (instant, expected) in [
            ("short", "2025-07-15T23:34:56.12345"),
            ("seconds", "2025-07-15T23:34:56Z"),
            ("milli", "2025-07-15T23:34:56.123Z"),
            ("micro", "2025-07-15T23:34:56.123450Z"),
            ("seven", "2025-07-15T23:34:56.1234507Z"),
            ("nano", "2025-07-15T23:34:56.123450789Z"),
            ("offset", "2025-07-15T23:34:56.123450+00:00"),
            ("offsetTwo", "2025-07-16T01:34:56.123450+02:00"),
            ("lowerCase", "2025-07-15T23:34:56.123450z"),
            ("noOffset", "2025-07-15T23:34:56.123450"),
        ] {
            let text = printed(json!({ "instant": instant }), "2025-07-15T23:34:56.123450Z");
            let end = format!(r#","requestedAt":"{expected}"}}"#);
            assert!(text.ends_with(&end), "{instant}: {text}");
        }
        let text = printed(json!({ "instantOffMs": -1500 }), "2025-07-15T00:00:00Z");
        assert!(text.ends_with("2025-07-14T23:59:58.5\"}"), "{text}");
    }

    #[test]
    fn amounts_are_spelled_as_told() {
        for (rule, expected) in [
            (json!({}), "19.90"),
            (json!({"amount":"string"}), "\"19.90\""),
            (json!({"amount":"floatNoise"}), "19.900000000000002"),
            (json!({"amount":"fourDecimals"}), "19.9000"),
            (json!({"amountOffCents":-1}), "19.89"),
            (json!({"amountOffCents":-2000}), "-0.10"),
        ] {
            let expected = format!(
                r#"{{"correlationId":"{ID}","amount":{expected},"requestedAt":"2025-07-15T23:34:56"}}"#
            );
            assert_eq!(
                printed(rule.clone(), "2025-07-15T23:34:56Z"),
                expected,
                "{rule}"
            );
        }
    }

    #[test]
    fn the_processor_prints_instants_without_zone_and_final_zeros() {
        for (instant, expected) in [
            ("2025-07-15T12:34:56Z", "2025-07-15T12:34:56"),
            ("2025-07-15T12:34:50Z", "2025-07-15T12:34:50"),
            ("2025-07-15T12:34:56.5Z", "2025-07-15T12:34:56.5"),
            ("2025-07-15T12:34:56.000100Z", "2025-07-15T12:34:56.0001"),
            ("2025-07-15T12:34:56.123456Z", "2025-07-15T12:34:56.123456"),
        ] {
            let text = printed(json!({}), instant);
            let read: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(read["requestedAt"], expected);
            assert_eq!(
                RequestedAt::from_processor(expected).ok(),
                instant.parse().ok()
            );
        }
    }

    #[test]
    fn members_are_added_and_wrapped() {
        let rule = json!({"wrappedIn":"data","adds":{"status":"failed","amount":null}});
        let expected = json!({"data":{
            "correlationId": ID, "requestedAt": "2025-07-15T12:34:56",
            "status": "failed", "amount": null,
        }});
        let text = printed(rule, "2025-07-15T12:34:56Z");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
    }
}
