use std::fmt;
use std::str::FromStr;

/// An amount of money in whole cents, zero or more, at most [`Money::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Money(i64);

/// Why a text is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a number as JSON writes one.
    #[error("not a decimal number")]
    NotANumber,
    /// Zero or less.
    #[error("must be greater than 0")]
    NotPositive,
    /// A fraction of a cent.
    #[error("must have at most two decimals")]
    FractionOfACent,
    /// More than [`Money::MAX`].
    #[error("must be at most 9999999999.99")]
    TooLarge,
}

impl Money {
    /// 9 999 999 999.99, the largest amount of one payment.
    pub const MAX: Self = Self(999_999_999_999);

    /// An amount of so many cents, or nothing when it lies outside 0 to [`Money::MAX`].
    pub const fn from_cents(cents: i64) -> Option<Self> {
        if 0 <= cents && cents <= Self::MAX.0 {
            Some(Self(cents))
        } else {
            None
        }
    }

    /// The amount in cents.
    pub const fn cents(self) -> i64 {
        self.0
    }
}

/// Reads an amount greater than zero from a JSON number, exactly: the digits are moved,
/// never turned into a float. `19.9`, `19.90`, `20`, `1e2` and `1990e-2` are amounts.
impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = JsonNumber::read(text.as_bytes()).ok_or(MoneyError::NotANumber)?;
        if number.is_zero() || number.negative {
            return Err(MoneyError::NotPositive);
        }
        let cents = number.scaled_to_cents()?;
        if cents > Self::MAX.0 {
            return Err(MoneyError::TooLarge);
        }
        Ok(Self(cents))
    }
}

/// The parts of `-12.34e5`, as digits.
struct JsonNumber<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

/// Exponents beyond this are as good as infinite; a body is far too short to cancel one.
const EXPONENT_LIMIT: i64 = 1_000_000;

impl<'a> JsonNumber<'a> {
    fn read(text: &'a [u8]) -> Option<Self> {
        let (negative, rest) = match text.split_first()? {
            (b'-', rest) => (true, rest),
            _ => (false, text),
        };
        let (whole, rest) = digits(rest);
        if whole.is_empty() || (whole.len() > 1 && whole.starts_with(b"0")) {
            return None;
        }
        let (fraction, rest) = match rest.split_first() {
            Some((b'.', rest)) => {
                let (fraction, rest) = digits(rest);
                if fraction.is_empty() {
                    return None;
                }
                (fraction, rest)
            }
            _ => (&[][..], rest),
        };
        let exponent = match rest.split_first() {
            None => 0,
            Some((b'e' | b'E', rest)) => read_exponent(rest)?,
            Some(_) => return None,
        };
        Some(Self {
            negative,
            whole,
            fraction,
            exponent,
        })
    }

    fn is_zero(&self) -> bool {
        self.whole
            .iter()
            .chain(self.fraction)
            .all(|&digit| digit == b'0')
    }

    /// The number times 100, when that is whole and not absurdly large.
    fn scaled_to_cents(&self) -> Result<i64, MoneyError> {
        let fraction_len = i64::try_from(self.fraction.len()).or(Err(MoneyError::NotANumber))?;
        // The digits read as one whole number are the value times 10^-shift.
        let mut shift = self.exponent.saturating_sub(fraction_len).saturating_add(2);
        let mut cents: i64 = 0;
        let mut digits = self.whole.iter().chain(self.fraction).copied();
        while shift < 0 {
            match digits.next_back() {
                Some(b'0') => shift = shift.saturating_add(1),
                _ => return Err(MoneyError::FractionOfACent),
            }
        }
        for digit in digits {
            cents = append_digit(cents, i64::from(digit.saturating_sub(b'0')))?;
        }
        while shift > 0 {
            cents = append_digit(cents, 0)?;
            shift = shift.saturating_sub(1);
        }
        Ok(cents)
    }
}

fn append_digit(cents: i64, digit: i64) -> Result<i64, MoneyError> {
    cents
        .checked_mul(10)
        .and_then(|tens| tens.checked_add(digit))
        .ok_or(MoneyError::TooLarge)
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let len = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.split_at(len)
}

fn read_exponent(text: &[u8]) -> Option<i64> {
    let (negative, rest) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    let (exponent, rest) = digits(rest);
    if exponent.is_empty() || !rest.is_empty() {
        return None;
    }
    let mut value: i64 = 0;
    for digit in exponent {
        value = value
            .saturating_mul(10)
            .saturating_add(i64::from(digit.saturating_sub(b'0')))
            .min(EXPONENT_LIMIT);
    }
    Some(if negative {
        value.saturating_neg()
    } else {
        value
    })
}

/// With two decimals and no thousands separator: `19.90`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_cents(f, i128::from(self.0))
    }
}

fn write_cents(f: &mut fmt::Formatter<'_>, cents: i128) -> fmt::Result {
    let sign = if cents < 0 { "-" } else { "" };
    let size = cents.unsigned_abs();
    let (whole, rest) = (size.wrapping_div(100), size.wrapping_rem(100));
    write!(f, "{sign}{whole}.{rest:02}")
}

/// A number of payments and the sum of their amounts in cents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// How many payments.
    pub count: u64,
    /// Their amounts, in cents. 128 bits: no number of payments can overflow it.
    pub cents: i128,
}

impl Total {
    /// Adds payments to the total.
    pub fn add(&mut self, count: u64, cents: i128) {
        self.count = self.count.saturating_add(count);
        self.cents = self.cents.saturating_add(cents);
    }

    /// Takes payments away again; nothing, and `None`, if they cannot all have been in it.
    #[must_use = "none means that books disagree"]
    pub fn take_away(&mut self, count: u64, cents: i128) -> Option<()> {
        let left = Self {
            count: self.count.checked_sub(count)?,
            cents: self.cents.checked_sub(cents)?,
        };
        if left.cents < 0 {
            return None;
        }
        *self = left;
        Some(())
    }

    /// The sum as text with two decimals.
    pub fn amount(&self) -> impl fmt::Display {
        struct Amount(i128);
        impl fmt::Display for Amount {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_cents(f, self.0)
            }
        }
        Amount(self.cents)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Result<i64, MoneyError>) {
        assert_eq!(text.parse::<Money>().map(Money::cents), expected, "{text}");
    }

    #[test]
    fn numbers_with_at_most_two_decimals_are_money() {
        for (text, cents) in [
            ("19.9", 1990),
            ("19.90", 1990),
            ("20", 2000),
            ("1e2", 10_000),
            ("1E+2", 10_000),
            ("1990e-2", 1990),
            ("0.01", 1),
            ("0.0100000000000000000000000000", 1),
            ("9999999999.99", 999_999_999_999),
            ("0.000001e6", 100),
        ] {
            check(text, Ok(cents));
        }
    }

    #[test]
    fn everything_else_is_not() {
        use MoneyError::{FractionOfACent, NotANumber, NotPositive, TooLarge};
        for (text, error) in [
            ("19.905", FractionOfACent),
            ("19.900000000000000000000001", FractionOfACent),
            ("1e-3", FractionOfACent),
            ("1e-99999999999999999999", FractionOfACent),
            ("0", NotPositive),
            ("-0", NotPositive),
            ("0.00", NotPositive),
            ("-1", NotPositive),
            ("10000000000", TooLarge),
            ("10000000000.00", TooLarge),
            ("1e400", TooLarge),
            ("1e99999999999999999999", TooLarge),
            ("99999999999999999999999999", TooLarge),
            ("NaN", NotANumber),
            ("Infinity", NotANumber),
            ("\"19.9\"", NotANumber),
            ("", NotANumber),
            ("-", NotANumber),
            ("1.", NotANumber),
            (".5", NotANumber),
            ("01", NotANumber),
            ("+1", NotANumber),
            ("1e", NotANumber),
            ("1 ", NotANumber),
            ("0x10", NotANumber),
            ("1_000", NotANumber),
        ] {
            check(text, Err(error));
        }
    }

    #[test]
    fn totals_print_to_the_cent() {
        let mut total = Total::default();
        assert_eq!(total.amount().to_string(), "0.00");
        for _ in 0..10_000 {
            total.add(1, i128::from(Money::MAX.cents()));
        }
        assert_eq!(total.amount().to_string(), "99999999999900.00");
    }

    proptest! {
        #[test]
        fn text_and_cents_round_trip(cents in 1..=Money::MAX.cents()) {
            let money = Money::from_cents(cents).unwrap();
            prop_assert_eq!(money.to_string().parse::<Money>(), Ok(money));
        }

        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "[-+0-9.eE]{0,40}") {
            if let Ok(money) = text.parse::<Money>() {
                prop_assert!(money.cents() > 0 && money <= Money::MAX);
            }
        }
    }

    #[test]
    fn a_total_never_goes_below_nothing() {
        let mut total = Total::default();
        total.add(3, 500);
        assert_eq!(total.take_away(1, 200), Some(()));
        assert_eq!(total.take_away(3, 100), None);
        assert_eq!(total.take_away(1, 301), None);
        assert_eq!((total.count, total.cents), (2, 300));
    }
}
