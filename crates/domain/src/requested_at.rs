use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

/// The instant an attempt was stamped with, in microseconds since 1970 (UTC). It is the
/// time by which processors and ledger keep a payment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestedAt(i64);

/// The text is not an instant such as `2025-07-15T12:34:56.000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an instant such as 2025-07-15T12:34:56.000Z, in UTC, with at most six decimals")]
pub struct RequestedAtError;

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

    /// Reads a processor's `requestedAt`, which may lack the `Z` and has 0 to 7 decimals,
    /// of which those beyond the microsecond are dropped.
    pub fn from_processor(text: &str) -> Result<Self, RequestedAtError> {
        let text = text.strip_suffix('Z').unwrap_or(text);
        let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
        if !(1..=7).contains(&fraction.len()) {
            return Err(RequestedAtError);
        }
        let micros = fraction.get(..6).unwrap_or(fraction);
        if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(RequestedAtError);
        }
        format!("{seconds}.{micros}Z").parse()
    }
}

/// Reads `2025-07-15T12:34:56Z` with zero to six decimals.
impl FromStr for RequestedAt {
    type Err = RequestedAtError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const PATTERN: &[u8] = b"dddd-dd-ddTdd:dd:dd";
        let bytes = text.strip_suffix('Z').ok_or(RequestedAtError)?.as_bytes();
        let (seconds, fraction) = bytes
            .split_at_checked(PATTERN.len())
            .ok_or(RequestedAtError)?;
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
        // A leap second has no place on the microsecond scale of the processors.
        if !fits || !decimals || seconds.ends_with(b":60") {
            return Err(RequestedAtError);
        }
        let timestamp: Timestamp = text.parse().or(Err(RequestedAtError))?;
        Self::from_micros(timestamp.as_microsecond()).ok_or(RequestedAtError)
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

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "2020-07-10",
            "2020-07-10T12:34:56",
            "2020-07-10 12:34:56Z",
            "2020-07-10T12:34:56+00:00",
            "2020-07-10T12:34:56.Z",
            "2020-07-10T12:34:56.0000001Z",
            "2020-07-10T12:34:60Z",
            "2020-02-30T12:34:56Z",
            "2020-07-10T24:00:00Z",
            "1969-12-31T23:59:59Z",
            "9999-12-31T23:59:59Z",
            "-020-07-10T12:34:56Z",
            "2020-07-10T12:34:56z",
            "2020-07-10T12:34:5éZ",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn a_processor_may_leave_out_the_z_and_write_seven_decimals() {
        let read = |text| {
            RequestedAt::from_processor(text)
                .ok()
                .map(RequestedAt::micros)
        };
        assert_eq!(read("2020-07-10T12:34:56"), Some(1_594_384_496_000_000));
        assert_eq!(
            read("2020-07-10T12:34:56.1234567"),
            Some(1_594_384_496_123_456)
        );
        assert_eq!(read("2020-07-10T12:34:56.12Z"), Some(1_594_384_496_120_000));
        assert_eq!(read("2020-07-10T12:34:56.12345678"), None);
        assert_eq!(read("2020-07-10T12:34:56."), None);
        assert_eq!(read("2020-07-10T12:34:56.12+01"), None);
    }

    #[test]
    fn the_first_and_the_last_instant_are_printed() {
        assert_eq!(RequestedAt::MIN.to_string(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(RequestedAt::MAX.to_string(), "9999-12-30T21:59:59.999999Z");
    }

    proptest! {
        #[test]
        fn text_and_micros_round_trip(micros in 0..=RequestedAt::MAX.micros()) {
            let instant = RequestedAt::from_micros(micros).unwrap();
            prop_assert_eq!(instant.to_string().parse(), Ok(instant));
            prop_assert_eq!(RequestedAt::from_processor(&instant.to_string()), Ok(instant));
        }
    }
}
