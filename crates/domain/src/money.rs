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

    /// Reads a processor's amount, whose software may have counted in floats: the nearest
    /// whole number of cents, when that is less than a hundredth of one cent away.
    /// `19.900000000000002` and `19.9000` are 1990 cents; `19.901` is not an amount. Exact:
    /// the digits are looked at, never turned into a float.
    ///
    /// # Errors
    /// As reading from a JSON number in text has them.
    pub fn from_processor(text: &str) -> Result<Self, MoneyError> {
        let number = JsonNumber::read(text.as_bytes()).ok_or(MoneyError::NotANumber)?;
        if number.negative {
            return Err(MoneyError::NotPositive);
        }
        match number.nearest_cents()? {
            0 => Err(MoneyError::NotPositive),
            cents if cents > Self::MAX.0 => Err(MoneyError::TooLarge),
            cents => Ok(Self(cents)),
        }
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

    /// The number times 100, rounded, when that changes it by less than a hundredth.
    fn nearest_cents(&self) -> Result<i64, MoneyError> {
        let mut point = i64::try_from(self.whole.len())
            .or(Err(MoneyError::NotANumber))?
            .saturating_add(self.exponent)
            .saturating_add(2);
        let mut cents: i64 = 0;
        // The first two digits behind the point, and whether another one is not 0.
        let (mut hundredths, mut more): (u8, bool) = (0, false);
        for digit in self.whole.iter().chain(self.fraction) {
            let digit = digit.saturating_sub(b'0');
            match point {
                1.. => cents = append_digit(cents, i64::from(digit))?,
                0 => hundredths = digit.saturating_mul(10),
                -1 => hundredths = hundredths.saturating_add(digit),
                _ => more |= digit != 0,
            }
            point = point.saturating_sub(1);
        }
        // Zeros that nobody wrote; nothing is still nothing after a million of them.
        if cents > 0 {
            for _ in 0..point {
                cents = append_digit(cents, 0)?;
            }
        }
        match (hundredths, more) {
            (0, _) => Ok(cents),
            // More than 0.99.
            (99, true) => Ok(cents.saturating_add(1)),
            _ => Err(MoneyError::FractionOfACent),
        }
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
#[expect(
    clippy::arithmetic_side_effects,
    reason = "a test may panic where its sum overflows"
)]
mod tests;
