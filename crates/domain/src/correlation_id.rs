use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// A payment's identity, given by the shop: a UUID in its hyphenated form.
///
/// The same id in upper and lower case is the same payment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CorrelationId(Uuid);

/// The text is not a UUID in its hyphenated, 36 character form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")]
pub struct CorrelationIdError;

impl CorrelationId {
    /// The id with these 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The 16 bytes of the id, which is how Redis keeps it.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl FromStr for CorrelationId {
    type Err = CorrelationIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The other forms that `uuid` reads (braced, URN, bare digits) have other lengths.
        if text.len() != 36 {
            return Err(CorrelationIdError);
        }
        Uuid::try_parse(text).map(Self).or(Err(CorrelationIdError))
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let read = text.parse::<CorrelationId>().ok().map(|id| id.to_string());
        assert_eq!(read.as_deref(), expected, "{text}");
    }

    #[test]
    fn only_the_hyphenated_form_is_read() {
        let id = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3";
        check(id, Some(id));
        check(&id.to_uppercase(), Some(id));
        check(&id.replace('-', ""), None);
        check(&format!("{{{id}}}"), None);
        check(&format!("urn:uuid:{id}"), None);
        check("4a7901b8-7d26-4d9d-aa19-4dc1c7cf60bg", None);
        check("4a7901b87-d26-4d9d-aa19-4dc1c7cf60b3", None);
        check("", None);
        check("ééééééééééééééééée", None);
    }

    #[test]
    fn bytes_round_trip() {
        let id: CorrelationId = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3".parse().unwrap();
        assert_eq!(CorrelationId::from_bytes(*id.as_bytes()), id);
    }
}
