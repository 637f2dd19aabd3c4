use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The most processors one stack may have.
pub const MAX_PROCESSORS: usize = 8;

/// The name of a processor: 1 to 24 of `a`–`z`, `0`–`9` and `-`. Cheap to clone.
///
/// The ledger keeps the name with each payment; 24 characters keep its entries within
/// the 64 bytes up to which Redis packs small hashes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessorName(Arc<str>);

/// The text is not 1 to 24 of `a`–`z`, `0`–`9` and `-`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a processor's name must be 1 to 24 characters of a-z, 0-9 and -")]
pub struct ProcessorNameError;

impl ProcessorName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProcessorName {
    type Err = ProcessorNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=24).contains(&text.len());
        let plain = text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if fits && plain {
            Ok(Self(text.into()))
        } else {
            Err(ProcessorNameError)
        }
    }
}

impl fmt::Display for ProcessorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ProcessorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The share of an amount that a processor keeps, in millionths: 5 % is 50 000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fee(u32);

/// The text is not a share from 0 to 1 with at most six decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fee must be a share from 0 to 1 with at most six decimals, such as 0.05")]
pub struct FeeError;

impl Fee {
    const WHOLE: u32 = 1_000_000;

    /// A fee of so many millionths, or nothing above one whole.
    pub const fn from_millionths(millionths: u32) -> Option<Self> {
        if millionths <= Self::WHOLE {
            Some(Self(millionths))
        } else {
            None
        }
    }

    /// The fee in millionths.
    pub const fn millionths(self) -> u32 {
        self.0
    }
}

impl FromStr for Fee {
    type Err = FeeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !plain(whole) || !plain(fraction) || fraction.len() > 6 {
            return Err(FeeError);
        }
        let whole: u32 = whole.parse().or(Err(FeeError))?;
        let millionths: u32 = format!("{fraction:0<6}").parse().or(Err(FeeError))?;
        whole
            .checked_mul(Self::WHOLE)
            .and_then(|whole| whole.checked_add(millionths))
            .and_then(Self::from_millionths)
            .ok_or(FeeError)
    }
}

/// A share with at least two decimals: `0.05`.
impl fmt::Display for Fee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (
            self.0.wrapping_div(Self::WHOLE),
            self.0.wrapping_rem(Self::WHOLE),
        );
        let digits = format!("{fraction:06}");
        let (kept, rest) = digits.split_at(2);
        write!(f, "{whole}.{kept}{}", rest.trim_end_matches('0'))
    }
}

/// A processor that payments may be sent to, as it was configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processor {
    /// Its name in the summary and in the ledger.
    pub name: ProcessorName,
    /// Where its API is: scheme, host, perhaps a port and a path, without a closing slash, as
    /// everybody writes it, so that two texts are the same URL if they are equal.
    pub url: String,
    /// What it keeps of each payment.
    pub fee: Fee,
    /// Its operator vouches that it stores nothing when it answers the only attempt of a
    /// payment with 400, 402 or 410.
    pub declines_are_final: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for (text, good) in [
            ("default", true),
            ("p-2", true),
            ("", false),
            ("Default", false),
            ("a:b", false),
            ("abcdefghijklmnopqrstuvwx", true),
            ("abcdefghijklmnopqrstuvwxy", false),
        ] {
            assert_eq!(text.parse::<ProcessorName>().is_ok(), good, "{text}");
        }
    }

    #[test]
    fn fees_are_shares() {
        for (text, expected) in [
            ("0.05", Some("0.05")),
            ("0.150", Some("0.15")),
            ("0.071234", Some("0.071234")),
            ("0", Some("0.00")),
            ("1", Some("1.00")),
            ("1.000001", None),
            ("5", None),
            ("-0.1", None),
            (".5", None),
            ("0.0000001", None),
            ("x", None),
        ] {
            let read = text.parse::<Fee>().ok().map(|fee| fee.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}
