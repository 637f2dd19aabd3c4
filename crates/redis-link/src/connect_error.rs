use redis::RedisError;

use crate::library::MissingFunctions;
use crate::past::Lost;
use crate::refusals::is_refusal;
use crate::standing::SchemaError;

/// Why no connection could be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error(transparent)]
    Redis(#[from] RedisError),
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error(transparent)]
    Functions(#[from] MissingFunctions),
    #[error("Redis lacks functions ({missing}) and refused to load them: {error}")]
    NotLoaded {
        missing: String,
        #[source]
        error: RedisError,
    },
    #[error("Redis does not report its run id")]
    NoRunId,
    #[error(transparent)]
    Lost(#[from] Lost),
    #[error("its data was replaced in the meantime")]
    Replaced,
    #[error("Redis was restarted a moment ago")]
    AnotherRun,
    #[error("Redis refuses to accept again what it may have forgotten: {0}")]
    NotRepeated(String),
    #[error("it is a replica, which takes no writes")]
    Replica,
    #[error("Redis {0} is too old: Feeway needs 7.0 or newer")]
    TooOld(String),
    /// It was asked a moment ago, and only a person can change its mind.
    #[error("Redis rejected the credentials")]
    Refused,
}

impl ConnectError {
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Redis(error) | Self::NotLoaded { error, .. } => is_refusal(error),
            Self::Schema(_)
            | Self::Functions(_)
            | Self::NoRunId
            | Self::Lost(_)
            | Self::Replaced
            | Self::AnotherRun
            | Self::NotRepeated(_)
            | Self::Replica
            | Self::TooOld(_) => false,
            Self::Refused => true,
        }
    }

    /// Whether Redis lets us in and lacks something, or keeps it from us, so that it stays of no
    /// use until somebody sees to that.
    pub(crate) fn is_for_want_of_something(&self) -> bool {
        match self {
            Self::Redis(error) => error.code() == Some("NOPERM"),
            Self::Functions(_) | Self::NotLoaded { .. } | Self::TooOld(_) => true,
            Self::Schema(_)
            | Self::NoRunId
            | Self::Lost(_)
            | Self::Replaced
            | Self::AnotherRun
            | Self::NotRepeated(_)
            | Self::Replica
            | Self::Refused => false,
        }
    }

    /// Whether a Redis is there and said so.
    pub(crate) fn is_answer(&self) -> bool {
        match self {
            Self::Redis(error) => error.code().is_some(),
            Self::Schema(_)
            | Self::Functions(_)
            | Self::NotLoaded { .. }
            | Self::NoRunId
            | Self::Lost(_)
            | Self::Replaced
            | Self::AnotherRun
            | Self::NotRepeated(_)
            | Self::Replica
            | Self::TooOld(_)
            | Self::Refused => true,
        }
    }
}
