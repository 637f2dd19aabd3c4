//! The good answers.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

/// What a client gets back.
pub type Answer = Response<Full<Bytes>>;

/// 202: the payment is kept. There is nothing more to say.
pub fn accepted() -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::ACCEPTED;
    answer
}

/// 200 without a body.
pub(crate) fn done() -> Answer {
    Answer::default()
}

/// 200 with a body of JSON.
pub(crate) fn json(body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
