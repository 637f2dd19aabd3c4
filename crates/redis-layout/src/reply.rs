use feeway_domain::{JournalTime, StoreFault};
use redis::Value;
use tracing::error;

/// The reply of a function: a word that says what happened, and what belongs to it.
#[derive(Debug)]
pub struct Reply(Vec<Value>);

impl Reply {
    /// Takes what Redis replied, which has to be a list.
    pub fn new(value: Value) -> Result<Self, StoreFault> {
        if let Value::Array(parts) = value {
            Ok(Self(parts))
        } else {
            Err(unreadable(&value))
        }
    }

    /// Its first part, which says what happened.
    pub fn word(&self) -> &str {
        self.text(0).unwrap_or_default()
    }

    /// A part as bytes.
    pub fn bytes(&self, at: usize) -> Option<&[u8]> {
        self.0.get(at).and_then(bytes)
    }

    /// A part as text.
    pub fn text(&self, at: usize) -> Option<&str> {
        std::str::from_utf8(self.bytes(at)?).ok()
    }

    /// A part as a list.
    pub fn list(&self, at: usize) -> Option<&[Value]> {
        if let Value::Array(values) = self.0.get(at)? {
            Some(values)
        } else {
            None
        }
    }

    /// A part, read as a number or the like.
    pub fn parsed<T: std::str::FromStr>(&self, at: usize) -> Result<T, StoreFault> {
        let parsed = self.text(at).and_then(|text| text.parse().ok());
        parsed.ok_or_else(|| unreadable(&self.0))
    }

    /// Why the payment at this place was not carried out, if that was for its own sake and not for
    /// that of the step.
    pub fn failure(&self, at: usize) -> Option<&str> {
        self.text(at)?.strip_prefix("failed ")
    }

    /// The generation of the data, which functions of an earlier version do not tell.
    pub fn generation(&self, at: usize) -> Option<u64> {
        self.text(at)?.parse().ok()
    }

    /// A part as an instant of Redis's clock.
    pub fn time(&self, at: usize) -> Result<JournalTime, StoreFault> {
        self.parsed(at).map(JournalTime::from_micros)
    }

    /// The fault of a reply that no function of ours gives.
    pub fn unreadable<T>(&self) -> Result<T, StoreFault> {
        Err(unreadable(&self.0))
    }

    /// All parts.
    pub fn parts(&self) -> &[Value] {
        &self.0
    }
}

/// The bytes of a string; nothing for anything else.
pub fn bytes(value: &Value) -> Option<&[u8]> {
    if let Value::BulkString(bytes) = value {
        Some(bytes)
    } else if let Value::SimpleString(text) = value {
        Some(text.as_bytes())
    } else {
        None
    }
}

/// The number, or whatever else it is, that a string holds.
pub fn parsed<T: std::str::FromStr>(value: &Value) -> Option<T> {
    std::str::from_utf8(bytes(value)?).ok()?.parse().ok()
}

/// An operator has to look: either the functions or the data are not ours.
pub fn unreadable(value: &dyn std::fmt::Debug) -> StoreFault {
    error!(?value, "cannot read what Redis holds or answers");
    StoreFault::Unknown
}
