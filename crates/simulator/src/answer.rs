use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde::Serialize;

use crate::dump::Dump;
use crate::health_window::WINDOW;

/// An answer whose body is at hand, or the dump, which is written as it is read.
pub(crate) type Answer = Response<Either<Full<Bytes>, Dump>>;

/// The connection ends without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Cut {
    /// With a TCP reset.
    #[error("the connection is reset on purpose")]
    Reset,
    /// With an ordinary close, after a time in which nothing is said.
    #[error("the connection is closed without an answer")]
    Close {
        /// How long nothing is said.
        after: Duration,
    },
}

impl Cut {
    /// An ordinary close at once.
    pub(crate) const CLOSE: Self = Self::Close {
        after: Duration::ZERO,
    };
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

fn with_body(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Either::Left(Full::new(body)));
    *answer.status_mut() = status;
    answer
}
