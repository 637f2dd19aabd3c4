//! The slow readers with which the parsers are compared: other crates, and no cleverness.

use std::fmt;

use bigdecimal::{BigDecimal, RoundingMode, ToPrimitive as _};
use chrono::DateTime;
use feeway_domain::{Money, RequestedAt};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of a JSON object in order, repetitions included, each value as it is written.
pub(crate) struct Members(pub(crate) Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

impl Members {
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        // The whole of it is UTF-8, also where serde_json would not look.
        let text = std::str::from_utf8(body).ok()?;
        serde_json::from_str(text).ok()
    }

    /// The only value of that name, if there is exactly one.
    pub(crate) fn only(&self, name: &str) -> Option<&str> {
        let mut named = self.0.iter().filter(|(key, _)| key == name);
        let (_, value) = named.next()?;
        named.next().is_none().then(|| value.get())
    }
}

/// Whether it is JSON by its grammar.
pub(crate) fn is_json(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok() && serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

/// Whether a string of it holds half of a pair of surrogates, which the grammar allows and
/// which is no text. Everything that looks like such an escape counts.
pub(crate) fn may_hold_lone_surrogate(body: &[u8]) -> bool {
    body.windows(4).any(|four| {
        four[..2] == *b"\\u" && matches!(four[2], b'd' | b'D') && !four[3].is_ascii_digit()
            || four[..2] == *b"\\u" && matches!(four[2], b'd' | b'D') && four[3] >= b'8'
    })
}

/// How deep the brackets outside of strings are nested, at the deepest.
pub(crate) fn depth(body: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in body {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// The JSON number as cents, if it is an amount of a payment.
pub(crate) fn cents(number: &str) -> Option<i64> {
    if !number.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        return None;
    }
    // An exponent beyond 64 bits is refused here, and nothing of 16 KiB makes up for it.
    let (digits, scale) = number
        .parse::<BigDecimal>()
        .ok()?
        .normalized()
        .into_bigint_and_scale();
    // The largest amount has 12 digits; what is far larger is not worth multiplying out.
    if !(-12..=2).contains(&scale) {
        return None;
    }
    let digits = digits.to_i128()?;
    let cents = digits.checked_mul(10_i128.pow(u32::try_from(2 - scale).ok()?))?;
    let cents = i64::try_from(cents).ok()?;
    (1..=Money::MAX.cents()).contains(&cents).then_some(cents)
}

/// The JSON string as an id in lower case, if it is a hyphenated UUID.
pub(crate) fn id(value: &str) -> Option<String> {
    let text: String = serde_json::from_str(value).ok()?;
    let fits = text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    fits.then(|| text.to_ascii_lowercase())
}

/// A processor's amount in cents, as a JSON number or as a string of one: the nearest whole
/// number, if it is less than a hundredth of a cent away.
pub(crate) fn near_cents(value: &str) -> Option<i64> {
    let text = if value.starts_with('"') {
        serde_json::from_str(value).ok()?
    } else {
        value.to_owned()
    };
    // JSON has no sign in front of a number but the minus, and no space in it.
    let number: Box<RawValue> = serde_json::from_str(&text).ok()?;
    if number.get() != text || !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let amount = text.parse::<BigDecimal>().ok()?.normalized();
    // Neither what is far too large nor what is as good as nothing is worth multiplying out.
    let magnitude = i64::try_from(amount.digits()).ok()? - amount.as_bigint_and_scale().1;
    if !(-4..=12).contains(&magnitude) {
        return None;
    }
    let exact = amount * BigDecimal::from(100);
    let cents = exact.with_scale_round(0, RoundingMode::HalfUp);
    let off = (exact - &cents).abs() * BigDecimal::from(100);
    if off >= BigDecimal::from(1) {
        return None;
    }
    let cents = cents.to_i64()?;
    (1..=Money::MAX.cents()).contains(&cents).then_some(cents)
}

/// The microseconds of an instant as processors write it: RFC 3339 and what is common beside.
pub(crate) fn micros_of_processor(text: &str) -> Option<i64> {
    let date = text.get(..10)?;
    if !matches!(text.get(10..11)?, "T" | "t" | " ") {
        return None;
    }
    let rest = text.get(11..)?;
    let end = rest.find(|c: char| !matches!(c, '0'..='9' | ':' | '.'));
    let (time, offset) = rest.split_at(end.unwrap_or(rest.len()));
    let minutes = match offset {
        "" | "Z" | "z" => 0,
        _ => {
            let plain = offset.replacen(':', "", 1);
            let is_colon_right =
                !offset.contains(':') || offset.len() == 6 && offset.get(3..4) == Some(":");
            let digits = plain.get(1..)?;
            if !is_colon_right || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let hours: i64 = digits.get(..2)?.parse().ok()?;
            let minutes: i64 = match digits.len() {
                2 => 0,
                4 => digits[2..].parse().ok()?,
                _ => return None,
            };
            if hours > 23 || minutes > 59 {
                return None;
            }
            match plain.chars().next()? {
                '+' => hours * 60 + minutes,
                '-' => -(hours * 60 + minutes),
                _ => return None,
            }
        }
    };
    let local = unbounded_micros(&format!("{date}T{time}Z"), usize::MAX)?;
    within_bounds(local - minutes * 60_000_000)
}

/// The microseconds of `2025-07-15T12:34:56.000Z` with as many decimals as are allowed;
/// those beyond six are dropped.
pub(crate) fn micros(text: &str, decimals_max: usize) -> Option<i64> {
    within_bounds(unbounded_micros(text, decimals_max)?)
}

fn within_bounds(micros: i64) -> Option<i64> {
    let bounds = RequestedAt::MIN.micros()..=RequestedAt::MAX.micros();
    bounds.contains(&micros).then_some(micros)
}

fn unbounded_micros(text: &str, decimals_max: usize) -> Option<i64> {
    let bytes = text.strip_suffix('Z')?.as_bytes();
    let shape = bytes
        .get(..19)?
        .iter()
        .enumerate()
        .all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            10 => *byte == b'T',
            13 | 16 => *byte == b':',
            _ => byte.is_ascii_digit(),
        });
    let fraction = match &bytes[19..] {
        [] => true,
        [b'.', digits @ ..] => {
            (1..=decimals_max).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    };
    // chrono knows leap seconds; the processors do not.
    if !shape || !fraction || &bytes[17..19] == b"60" {
        return None;
    }
    Some(DateTime::parse_from_rfc3339(text).ok()?.timestamp_micros())
}
