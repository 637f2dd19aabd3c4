use feeway_domain::Money;

/// The whole digits that the largest amount has in cents.
const MOST_DIGITS: i64 = 12;

/// Reads a JSON number exactly and rounds it to cents, half to even, as the processor's
/// database does. Nothing for what is not a number, negative or too large.
pub(crate) fn round_to_cents(number: &str) -> Option<Money> {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (number, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole.as_bytes(), fraction.as_bytes()].concat();
    if whole.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    let digits = digits.get(zeros..).unwrap_or_default();
    if digits.is_empty() {
        return Money::from_cents(0);
    }
    // Where the cents end, counted in digits from the first one that is not zero.
    let point = i64::try_from(whole.len())
        .ok()?
        .checked_sub(i64::try_from(zeros).ok()?)?
        .checked_add(exponent)?
        .checked_add(2)?;
    if point > MOST_DIGITS {
        return None;
    }
    let Ok(point) = usize::try_from(point) else {
        // The first digit stands right of the tenths of a cent.
        return Money::from_cents(0);
    };
    let (kept, rest) = digits.split_at(point.min(digits.len()));
    let cents = kept
        .iter()
        .chain(std::iter::repeat_n(&b'0', point - kept.len()))
        .fold(0, |cents: i64, digit| cents * 10 + i64::from(digit - b'0'));
    let up = match rest.split_first() {
        None => false,
        Some((b'5', tail)) if tail.iter().all(|&digit| digit == b'0') => cents % 2 == 1,
        Some((first, _)) => *first >= b'5',
    };
    Money::from_cents(cents + i64::from(up))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, cents: Option<i64>) {
        assert_eq!(round_to_cents(text).map(Money::cents), cents, "{text}");
    }

    #[test]
    fn amounts_are_rounded_half_to_even() {
        for (text, cents) in [
            ("19.9", 1990),
            ("20", 2000),
            ("1e2", 10_000),
            ("1.5E+1", 1500),
            ("1990e-2", 1990),
            ("19.904", 1990),
            ("19.905", 1990),
            ("19.9050000", 1990),
            ("19.9050001", 1991),
            ("19.915", 1992),
            ("19.916", 1992),
            ("0.005", 0),
            ("0.015", 2),
            ("0.0051", 1),
            ("0.004999999999999999999999999", 0),
            ("0.0009", 0),
            ("9e-30", 0),
            ("0", 0),
            ("0.00e5", 0),
            ("0.0000000001e12", 10_000),
            ("9999999999.99", 999_999_999_999),
            ("9999999999.994", 999_999_999_999),
        ] {
            check(text, Some(cents));
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "9999999999.995",
            "10000000000",
            "1e400",
            "1e99999999999999999999",
            "-1",
            "-0.001",
            "",
            "\"19.9\"",
            "null",
            "true",
            "[1]",
        ] {
            check(text, None);
        }
    }

    proptest! {
        #[test]
        fn tenths_of_cents_round_as_integers_do(tenths in 0_i64..10_000_000) {
            let text = format!("{}.{:03}", tenths / 1000, tenths % 1000);
            let (floor, rest) = (tenths / 10, tenths % 10);
            let up = rest > 5 || (rest == 5 && floor % 2 == 1);
            prop_assert_eq!(
                round_to_cents(&text).map(Money::cents),
                Some(floor + i64::from(up))
            );
        }
    }
}
