//! The good answers.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

/// What a client gets back.
pub type Answer = Response<Full<Bytes>>;

/// 202: the payment is kept. There is nothing more to say.
pub fn accepted() -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::ACCEPTED;
    answer
}

/// 200 without a body. It says so itself, because hyper says it to a GET and not to a HEAD.
pub(crate) fn done() -> Answer {
    let mut answer = Answer::default();
    let nothing = HeaderValue::from_static("0");
    answer.headers_mut().insert(CONTENT_LENGTH, nothing);
    answer
}

/// 200 with a body of plain text of this media type.
pub(crate) fn text(media_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    let media_type = HeaderValue::from_static(media_type);
    answer.headers_mut().insert(CONTENT_TYPE, media_type);
    answer
}

/// 200 with a body of JSON.
pub(crate) fn json(body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
