//! Reads the durations of the command line: a whole number and a unit.

use std::time::Duration;

/// The text is not a duration, or not one that the option takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationTextError {
    /// Not a number with a unit.
    #[error("must be a whole number with a unit of ms, s, m, h or d, such as 1200ms or 7d")]
    NotADuration,
    /// Too short or too long for the option.
    #[error("must be between {} and {}", spelled(*min), spelled(*max))]
    OutOfRange {
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
    },
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A duration as options have it, in its largest whole unit.
pub fn spelled(duration: Duration) -> String {
    let ms = duration.as_millis();
    let (unit_ms, unit) = [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s")]
        .map(|(unit, name)| (unit.as_millis(), name))
        .into_iter()
        .find(|(unit_ms, name)| ms.is_multiple_of(*unit_ms) && (ms > 0 || *name == "s"))
        .unwrap_or((1, "ms"));
    format!("{}{unit}", ms / unit_ms)
}

fn parse(text: &str) -> Result<Duration, DurationTextError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => Duration::from_millis(1),
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        _ => return Err(DurationTextError::NotADuration),
    };
    let number: u32 = number.parse().or(Err(DurationTextError::NotADuration))?;
    unit.checked_mul(number)
        .ok_or(DurationTextError::NotADuration)
}

/// A reader of durations between `min` and `max`, both inclusive.
pub fn between(
    min: Duration,
    max: Duration,
) -> impl Fn(&str) -> Result<Duration, DurationTextError> + Clone + Send + Sync {
    move |text| {
        let duration = parse(text)?;
        if (min..=max).contains(&duration) {
            Ok(duration)
        } else {
            Err(DurationTextError::OutOfRange { min, max })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected_ms: Option<u128>) {
        let read = parse(text).ok().map(|duration| duration.as_millis());
        assert_eq!(read, expected_ms, "{text}");
    }

    #[test]
    fn a_number_needs_a_unit() {
        check("1200ms", Some(1200));
        check("60s", Some(60_000));
        check("5m", Some(300_000));
        check("2h", Some(7_200_000));
        check("7d", Some(604_800_000));
        check("0s", Some(0));
        for text in [
            "",
            "s",
            "60",
            "60 s",
            "1.5s",
            "-1s",
            "+1s",
            "1sec",
            "1m30s",
            "5M",
            "99999999999s",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn both_ends_of_a_range_are_in_it() {
        let read = between(Duration::from_millis(10), Duration::from_secs(1));
        assert_eq!(read("10ms"), Ok(Duration::from_millis(10)));
        assert_eq!(read("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(
            read("9ms").unwrap_err().to_string(),
            "must be between 10ms and 1s"
        );
        assert!(read("1001ms").is_err());
    }

    #[test]
    fn what_is_spelled_is_read() {
        for text in ["0s", "1ms", "1200ms", "90s", "5m", "36h", "7d"] {
            assert_eq!(spelled(parse(text).unwrap()), text);
        }
    }
}
