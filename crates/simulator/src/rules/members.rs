use std::fmt::Display;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::switches::MAX_DELAY_MS;

/// A document of rules that is refused: which field, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {reason}")]
pub struct RulesError {
    field: String,
    reason: String,
}

impl RulesError {
    pub(super) fn new(field: impl Into<String>, reason: impl Display) -> Self {
        Self {
            field: field.into(),
            reason: reason.to_string(),
        }
    }
}

/// The members of one JSON object, taken one by one, so that the path of a wrong one is
/// known and none is left over unread.
pub(super) struct Members {
    path: String,
    members: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Members {
    /// The members of `value`, which stands at `path` in the document.
    pub(super) fn of(path: String, value: Value) -> Result<Self, RulesError> {
        if let Value::Object(members) = value {
            return Ok(Self {
                path,
                members,
                known: Vec::new(),
            });
        }
        let field = if path.is_empty() {
            "the document"
        } else {
            &path
        };
        Err(RulesError::new(field, "is not a JSON object"))
    }

    /// A member of that type, if there is one.
    pub(super) fn take<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<T>, RulesError> {
        self.known.push(name);
        self.members
            .remove(name)
            .map(serde_json::from_value)
            .transpose()
            .map_err(|error| self.refused(name, format!("cannot be read: {error}")))
    }

    /// A member that is an object, if there is one.
    pub(super) fn inner(&mut self, name: &'static str) -> Result<Option<Self>, RulesError> {
        let value: Option<Value> = self.take(name)?;
        value
            .map(|value| Self::of(self.path_of(name), value))
            .transpose()
    }

    /// A time in milliseconds.
    pub(super) fn millis(&mut self, name: &'static str) -> Result<Option<Duration>, RulesError> {
        match self.take::<u32>(name)? {
            Some(ms) if ms > MAX_DELAY_MS => {
                Err(self.refused(name, format!("is at most {MAX_DELAY_MS} ms")))
            }
            ms => Ok(ms.map(|ms| Duration::from_millis(ms.into()))),
        }
    }

    /// The value of a member that waits to be taken.
    pub(super) fn peek(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// Whether a member of that name waits to be taken.
    pub(super) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// The error of a member.
    pub(super) fn refused(&self, name: &str, reason: impl Display) -> RulesError {
        RulesError::new(self.path_of(name), reason)
    }

    /// Refuses what was not taken.
    pub(super) fn end(self) -> Result<(), RulesError> {
        match self.members.keys().next() {
            None => Ok(()),
            Some(name) => {
                let known = self.known.join(", ");
                Err(self.refused(name, format!("is unknown; allowed are {known}")))
            }
        }
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }
}
