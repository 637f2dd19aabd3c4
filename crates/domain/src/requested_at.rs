use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;

/// The instant an attempt was stamped with, in microseconds since 1970 (UTC). It is the
/// time by which processors and ledger keep a payment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestedAt(i64);

/// Why a text is not an instant that we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestedAtError {
    /// It does not look like `2025-07-15T12:34:56.000Z`.
    #[error("not an instant such as 2025-07-15T12:34:56.000Z, in UTC, with at most six decimals")]
    Form,
    /// No calendar or clock shows it: a 30th of February, a leap second.
    #[error("a date or a time of day that does not exist")]
    NoSuchTime,
    /// It lies outside [`RequestedAt::MIN`] to [`RequestedAt::MAX`].
    #[error("not between 1970-01-01T00:00:00Z and 9999-12-30T21:59:59.999999Z")]
    OutOfRange,
}

impl RequestedAt {
    /// 1970-01-01T00:00:00Z, the earliest instant we know.
    pub const MIN: Self = Self(0);
    /// 9999-12-30T21:59:59.999999Z, the last whole second that every part can print: time
    /// zones could move a later one out of the year 9999.
    pub const MAX: Self = Self(253_402_207_199_999_999);

    /// The instant so many microseconds after 1970, or nothing outside `MIN..=MAX`.
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if Self::MIN.0 <= micros && micros <= Self::MAX.0 {
            Some(Self(micros))
        } else {
            None
        }
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Reads a processor's `requestedAt` as RFC 3339 has it, and what else is common: any
    /// number of decimals, of which those beyond the microsecond are dropped; any offset,
    /// also `+00` and `+0000`, or none, which stands for UTC; a space or `t` in place of `T`,
    /// and `z`.
    ///
    /// # Errors
    /// When it is none of these, or outside `MIN..=MAX`.
    pub fn from_processor(text: &str) -> Result<Self, RequestedAtError> {
        let parts = || {
            let (date, rest) = text.split_at_checked(10)?;
            let (divider, rest) = rest.split_at_checked(1)?;
            let (time, rest) = rest.split_at_checked(8)?;
            matches!(divider, "T" | "t" | " ").then_some((date, time, rest))
        };
        let (date, time, rest) = parts().ok_or(RequestedAtError::Form)?;
        let (fraction, offset) = match rest.strip_prefix('.') {
            None => ("0", rest),
            Some(rest) => rest.split_at(digits(rest)),
        };
        let micros = fraction.get(..6).unwrap_or(fraction);
        // What is not of this form is refused below.
        let local = format!("{date}T{time}.{micros}");
        if !is_instant(local.as_bytes()) {
            return Err(RequestedAtError::Form);
        }
        let offset = offset_of(offset).ok_or(RequestedAtError::Form)?;
        Self::from_parts(&local, &offset)
    }

    /// Reads a time of the right form, and the offset it has from UTC.
    fn from_parts(local: &str, offset: &str) -> Result<Self, RequestedAtError> {
        // A leap second has no place on the microsecond scale of the processors.
        let seconds = local.split('.').next().unwrap_or(local);
        if seconds.ends_with(":60") || local.parse::<DateTime>().is_err() {
            return Err(RequestedAtError::NoSuchTime);
        }
        let timestamp = format!("{local}{offset}").parse::<Timestamp>();
        let micros = timestamp.map(Timestamp::as_microsecond);
        let instant = micros.ok().and_then(Self::from_micros);
        instant.ok_or(RequestedAtError::OutOfRange)
    }
}

/// How many digits a text begins with.
fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// Whether the text, which has no offset, is of the form `2025-07-15T12:34:56` with zero to
/// six decimals.
fn is_instant(text: &[u8]) -> bool {
    const PATTERN: &[u8] = b"dddd-dd-ddTdd:dd:dd";
    let Some((seconds, fraction)) = text.split_at_checked(PATTERN.len()) else {
        return false;
    };
    let fits = seconds
        .iter()
        .zip(PATTERN)
        .all(|(byte, pattern)| match pattern {
            b'd' => byte.is_ascii_digit(),
            exact => byte == exact,
        });
    let decimals = match fraction {
        [] => true,
        [b'.', digits @ ..] => {
            (1..=6).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    };
    fits && decimals
}

/// An offset as RFC 3339 writes it.
fn offset_of(text: &str) -> Option<String> {
    if matches!(text, "" | "Z" | "z") {
        return Some("Z".to_owned());
    }
    let (sign, rest) = text.split_at_checked(1)?;
    let (hours, rest) = rest.split_at_checked(2)?;
    let minutes = match rest {
        "" => "00",
        rest => rest.strip_prefix(':').unwrap_or(rest),
    };
    let in_range = |text: &str, max| {
        digits(text) == 2 && text.len() == 2 && text.parse().is_ok_and(|n: u8| n <= max)
    };
    let fits = matches!(sign, "+" | "-") && in_range(hours, 23) && in_range(minutes, 59);
    fits.then(|| format!("{sign}{hours}:{minutes}"))
}

/// Reads `2025-07-15T12:34:56Z` with zero to six decimals.
impl FromStr for RequestedAt {
    type Err = RequestedAtError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let local = text.strip_suffix('Z').ok_or(RequestedAtError::Form)?;
        if !is_instant(local.as_bytes()) {
            return Err(RequestedAtError::Form);
        }
        Self::from_parts(local, "Z")
    }
}

/// ISO 8601 in UTC with six decimals: `2025-07-15T12:34:56.000001Z`.
impl fmt::Display for RequestedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timestamp = Timestamp::from_microsecond(self.0).or(Err(fmt::Error))?;
        write!(f, "{timestamp:.6}")
    }
}

impl fmt::Debug for RequestedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "a test may panic where its sum overflows"
)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Option<i64>) {
        assert_eq!(
            text.parse().ok().map(RequestedAt::micros),
            expected,
            "{text}"
        );
    }

    #[test]
    fn instants_are_read_to_the_microsecond() {
        check("1970-01-01T00:00:00Z", Some(0));
        check("2000-02-29T00:00:00.5Z", Some(951_782_400_500_000));
        check("2020-07-10T12:34:56.000001Z", Some(1_594_384_496_000_001));
        check("2020-07-10T12:34:56.000Z", Some(1_594_384_496_000_000));
    }

    fn check_error(texts: &[&str], expected: RequestedAtError) {
        for text in texts {
            assert_eq!(text.parse::<RequestedAt>(), Err(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_for_what_is_wrong_with_it() {
        let other_forms = [
            "",
            "2020-07-10",
            "2020-07-10T12:34:56",
            "2020-07-10 12:34:56Z",
            "2020-07-10T12:34:56+00:00",
            "2020-07-10T12:34:56.Z",
            "2020-07-10T12:34:56.0000001Z",
            "-020-07-10T12:34:56Z",
            "2020-07-10T12:34:56z",
            "2020-07-10T12:34:5éZ",
        ];
        check_error(&other_forms, RequestedAtError::Form);
        let on_no_clock = [
            "2020-07-10T12:34:60Z",
            "2016-12-31T23:59:60.5Z",
            "2020-02-30T12:34:56Z",
            "2020-00-10T12:34:56Z",
            "2020-07-10T24:00:00Z",
            "2020-07-10T12:60:00Z",
        ];
        check_error(&on_no_clock, RequestedAtError::NoSuchTime);
        let outside = [
            "0000-01-01T00:00:00Z",
            "1969-12-31T23:59:59.999999Z",
            "9999-12-30T22:00:00Z",
            "9999-12-31T23:59:59Z",
        ];
        check_error(&outside, RequestedAtError::OutOfRange);
    }

    fn check_processor(text: &str, expected: Option<&str>) {
        let expected = expected.map(|text| text.parse().unwrap());
        assert_eq!(RequestedAt::from_processor(text).ok(), expected, "{text}");
    }

    #[test]
    fn a_processor_may_write_an_instant_in_many_ways() {
        for (text, expected) in [
            ("2020-07-10T12:34:56", "2020-07-10T12:34:56Z"),
            ("2020-07-10T12:34:56.1234567", "2020-07-10T12:34:56.123456Z"),
            ("2020-07-10T12:34:56.12Z", "2020-07-10T12:34:56.12Z"),
            (
                "2020-07-10T12:34:56.123456999999Z",
                "2020-07-10T12:34:56.123456Z",
            ),
            ("2020-07-10t12:34:56.5z", "2020-07-10T12:34:56.5Z"),
            ("2020-07-10 12:34:56.5", "2020-07-10T12:34:56.5Z"),
            ("2020-07-10 12:34:56+00", "2020-07-10T12:34:56Z"),
            ("2020-07-10T12:34:56+0000", "2020-07-10T12:34:56Z"),
            ("2020-07-10T12:34:56.12+01", "2020-07-10T11:34:56.12Z"),
            ("2020-07-10T12:34:56.12+01:00", "2020-07-10T11:34:56.12Z"),
            ("2020-07-10T12:34:56-00:00", "2020-07-10T12:34:56Z"),
            ("2020-07-10T23:34:56-0530", "2020-07-11T05:04:56Z"),
            ("2020-01-01T00:00:00+23:59", "2019-12-31T00:01:00Z"),
            ("1969-12-31T23:30:00-01:00", "1970-01-01T00:30:00Z"),
        ] {
            check_processor(text, Some(expected));
        }
    }

    #[test]
    fn anything_else_of_a_processor_is_refused() {
        for text in [
            "",
            "2020-07-10",
            "2020-07-10T12:34",
            "2020-07-10T12:34:56.",
            "2020-07-10T12:34:56.Z",
            "2020-07-10T12:34:56,5Z",
            "2020-07-10_12:34:56Z",
            "20200710T123456Z",
            "2020-07-10T12:34:60Z",
            "2020-02-30T12:34:56Z",
            "2020-07-10T24:00:00Z",
            "2020-07-10T12:34:56+1",
            "2020-07-10T12:34:56+24:00",
            "2020-07-10T12:34:56+01:60",
            "2020-07-10T12:34:56+01:",
            "2020-07-10T12:34:56+01:0",
            "2020-07-10T12:34:56+01:000",
            "2020-07-10T12:34:56+01::0",
            "2020-07-10T12:34:56 01:00",
            "2020-07-10T12:34:56UTC",
            "2020-07-10T12:34:56ZZ",
            "1970-01-01T00:30:00+01:00",
            "9999-12-31T23:59:59Z",
            "1594384496",
            "yesterday, at noon sharp",
            "2020-07-10T12:34:5éZ",
            "2020-07-1éT12:34:56Z",
        ] {
            check_processor(text, None);
        }
    }

    #[test]
    fn the_first_and_the_last_instant_are_printed_and_named() {
        assert_eq!(RequestedAt::MIN.to_string(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(RequestedAt::MAX.to_string(), "9999-12-30T21:59:59.999999Z");
        let named = RequestedAtError::OutOfRange.to_string();
        assert!(named.ends_with("1970-01-01T00:00:00Z and 9999-12-30T21:59:59.999999Z"));
    }

    proptest! {
        #[test]
        fn text_and_micros_round_trip(micros in 0..=RequestedAt::MAX.micros()) {
            let instant = RequestedAt::from_micros(micros).unwrap();
            prop_assert_eq!(instant.to_string().parse(), Ok(instant));
            prop_assert_eq!(RequestedAt::from_processor(&instant.to_string()), Ok(instant));
        }

        #[test]
        fn the_same_instant_is_read_at_every_offset(
            micros in 86_400_000_000..=RequestedAt::MAX.micros() - 86_400_000_000,
            minutes in -1_439_i64..=1_439,
            colon in any::<bool>(),
        ) {
            let instant = RequestedAt::from_micros(micros).unwrap();
            let local = RequestedAt::from_micros(micros + minutes * 60_000_000).unwrap();
            let (sign, size) = (if minutes < 0 { '-' } else { '+' }, minutes.abs());
            let colon = if colon { ":" } else { "" };
            let text = local.to_string().replace('Z', "");
            let text = format!("{text}999{sign}{:02}{colon}{:02}", size / 60, size % 60);
            prop_assert_eq!(RequestedAt::from_processor(&text), Ok(instant));
        }

        #[test]
        fn any_text_of_a_processor_is_read_or_refused_without_a_panic(
            text in "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt é][0-9]{2}:[0-9]{2}:[0-9]{2}[-+.:0-9zZé]{0,12}|.{0,30}"
        ) {
            if let Ok(instant) = RequestedAt::from_processor(&text) {
                prop_assert!(RequestedAt::MIN <= instant && instant <= RequestedAt::MAX);
            }
        }
    }
}
