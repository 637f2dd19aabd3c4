use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde::Serialize;
use tokio::time::sleep;

use crate::dump::Dump;
use crate::health_window::WINDOW;

/// An answer whose body is at hand, or the dump, which is written as it is read.
pub(crate) type Answer = Response<Either<Full<Bytes>, Dump>>;

/// What a client is told, and when.
pub(crate) struct Said {
    /// How long to wait before. It is waited for where it ends with the connection: no more
    /// waits than there are connections.
    pub(crate) wait: Duration,
    /// What is told then.
    pub(crate) answer: Result<Answer, Cut>,
}

/// A wait that no client outlives.
pub(crate) const FOREVER: Duration = Duration::MAX;

/// Instead of an ordinary answer, something is done with the bare connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection is taken away from HTTP on purpose")]
pub(crate) struct Cut {
    /// The status that the bytes say, when they were made as an answer.
    pub(crate) status: Option<StatusCode>,
    /// What is written as it is.
    pub(crate) bytes: Bytes,
    /// After how long the same bytes are written once more, whatever is said meanwhile.
    pub(crate) again_after: Option<Duration>,
    /// What becomes of the connection.
    pub(crate) then: Then,
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It takes the next request.
    GoesOn,
    /// An ordinary close.
    Closes,
    /// A TCP reset.
    Resets,
}

impl Said {
    /// Waits, then says it. Cancel safe: who goes does not hear it.
    pub(crate) async fn say(self) -> Result<Answer, Cut> {
        if !self.wait.is_zero() {
            sleep(self.wait).await;
        }
        self.answer
    }

    /// The same, so much later.
    pub(crate) fn after(self, wait: Duration) -> Self {
        Self {
            wait: self.wait.saturating_add(wait),
            ..self
        }
    }

    /// The status that the client hears, if it hears one.
    pub(crate) fn status(&self) -> Option<StatusCode> {
        match &self.answer {
            Ok(answer) => Some(answer.status()),
            Err(cut) => cut.status,
        }
    }
}

impl From<Result<Answer, Cut>> for Said {
    fn from(answer: Result<Answer, Cut>) -> Self {
        Self {
            wait: Duration::ZERO,
            answer,
        }
    }
}

impl From<Answer> for Said {
    fn from(answer: Answer) -> Self {
        Ok(answer).into()
    }
}

impl Cut {
    /// The connection ends without an answer.
    pub(crate) fn silent(then: Then) -> Self {
        Self {
            status: None,
            bytes: Bytes::new(),
            again_after: None,
            then,
        }
    }
}

pub(crate) fn empty(status: StatusCode) -> Answer {
    with_body(status, Bytes::new())
}

/// Answers with JSON that is at hand as text.
pub(crate) fn json(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut answer = with_body(status, text.into());
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// Answers 200 with a value as JSON.
pub(crate) fn serialized(value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(text) => json(StatusCode::OK, text),
        Err(error) => message(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// Answers with a message for a person.
pub(crate) fn message(status: StatusCode, text: &str) -> Answer {
    json(status, serde_json::json!({ "message": text }).to_string())
}

pub(crate) fn too_many() -> Answer {
    let mut answer = message(
        StatusCode::TOO_MANY_REQUESTS,
        "too many requests, try again later",
    );
    answer
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(WINDOW.as_secs()));
    answer
}

pub(crate) fn wrong_method(allowed: &'static str) -> Answer {
    let mut answer = empty(StatusCode::METHOD_NOT_ALLOWED);
    answer
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

pub(crate) fn dump(dump: Dump) -> Answer {
    let mut answer = Response::new(Either::Right(dump));
    answer.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-ndjson"),
    );
    answer
}

pub(crate) fn with_body(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Either::Left(Full::new(body)));
    *answer.status_mut() = status;
    answer
}
