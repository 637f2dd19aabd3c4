//! For programs that look at a processor's HTTP themselves and want to know what the client
//! would make of it.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use feeway_domain::{CorrelationId, GetAnswer, Payment, PostAnswer, RequestedAt};
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::uri::InvalidUri;
use hyper::{HeaderMap, Method, Request, Uri};

use super::{HealthAnswer, HttpProcessor, is_html, post_answer};
use crate::connections::BareStream;
use crate::exchange::BodyFault;
use crate::wire_format::{self, Receipt};

impl HttpProcessor {
    /// Opens a connection of its own, TLS and all, which belongs to the caller. Cancel safe.
    ///
    /// # Errors
    /// When none can be made in the time that one may take.
    pub async fn dial(&self) -> io::Result<Box<dyn BareStream>> {
        self.connections.dial().await
    }

    /// A request as the client's own: to the payments' URL, or `below` it as `/service-health`
    /// is, with the headers that each of them carries.
    ///
    /// # Errors
    /// When `below` has no place in a URL.
    pub async fn bare_request(
        &self,
        method: Method,
        below: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, InvalidUri> {
        let payments = self.connections.endpoint().payments.path();
        let uri: Uri = format!("{payments}{below}").parse()?;
        let is_post = method == Method::POST;
        let mut request = self.request(method, uri, body).await;
        if is_post {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(CONTENT_TYPE, json);
        }
        Ok(request)
    }

    /// Whether an answer ever came that nobody had asked for, or that of another payment. From
    /// then on no connection is used twice.
    pub fn has_misdelivered(&self) -> bool {
        self.connections.misdelivery().is_known()
    }

    /// How long the answer to a POST is waited for.
    pub fn attempt_timeout(&self) -> Duration {
        self.config.attempt_timeout
    }

    /// How long the answer to a look-up is waited for.
    pub fn look_up_timeout(&self) -> Duration {
        self.config.look_up_timeout
    }

    /// How long the answer to a question for health is waited for.
    pub fn health_timeout(&self) -> Duration {
        self.config.health_timeout
    }
}

/// The body of `POST /payments`.
pub fn payment_body(payment: &Payment, requested_at: RequestedAt) -> Bytes {
    wire_format::payment(payment, requested_at)
}

/// What an answer to `POST /payments` says, alone on its connection.
pub fn read_post(
    status: u16,
    headers: &HeaderMap,
    body: Result<&[u8], BodyFault>,
    id: CorrelationId,
) -> PostAnswer {
    let answer = post_answer(status, headers);
    let fits = || body.is_ok_and(|body| wire_format::receipt(body, id) == Receipt::Fits);
    if answer == PostAnswer::Stored && (is_html(headers) || !fits()) {
        return PostAnswer::Inconclusive;
    }
    answer
}

/// What an answer to `GET /payments/{id}` says.
pub fn read_look_up(status: u16, body: Result<&[u8], BodyFault>, id: CorrelationId) -> GetAnswer {
    match (status, body) {
        (404, _) => GetAnswer::Absent,
        (200, Ok(body)) => wire_format::held_payment(body, id),
        (200, Err(BodyFault::TooLong)) => GetAnswer::Unreadable(wire_format::LONG_BODY),
        (200, Err(BodyFault::Broken)) => GetAnswer::Unreadable(wire_format::BROKEN_BODY),
        (_, _) => GetAnswer::Unclear,
    }
}

/// What is said of a look-up whose answer has no head that can be read.
pub fn garbled_look_up() -> GetAnswer {
    GetAnswer::Unreadable(wire_format::GARBLED_HEAD)
}

/// What an answer to `GET /payments/service-health` says.
pub fn read_health(status: u16, body: Result<&[u8], BodyFault>) -> HealthAnswer {
    match (status, body) {
        (200, Ok(body)) => wire_format::health(body).map_or(
            HealthAnswer::Unanswered,
            |(failing, min_response_time)| HealthAnswer::Report {
                failing,
                min_response_time,
            },
        ),
        (404 | 405 | 501, _) => HealthAnswer::NoEndpoint,
        (429, _) => HealthAnswer::TooEarly,
        (_, _) => HealthAnswer::Unanswered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3";

    #[test]
    fn a_yes_counts_only_with_a_body_that_fits() {
        let html = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/html"))]);
        let plain = HeaderMap::new();
        for (status, headers, body, expected) in [
            (200, &plain, Ok(&b"{}"[..]), PostAnswer::Stored),
            (204, &plain, Ok(b""), PostAnswer::Stored),
            (200, &html, Ok(b"{}"), PostAnswer::Inconclusive),
            (
                200,
                &plain,
                Ok(b"{\"success\":false}"),
                PostAnswer::Inconclusive,
            ),
            (200, &plain, Err(BodyFault::Late), PostAnswer::Inconclusive),
            (202, &plain, Ok(b"{}"), PostAnswer::Inconclusive),
            (
                402,
                &html,
                Err(BodyFault::Broken),
                PostAnswer::Declined { status: 402 },
            ),
        ] {
            let read = read_post(status, headers, body, ID.parse().unwrap());
            assert_eq!(read, expected, "{status} {body:?}");
        }
    }

    #[test]
    fn a_look_up_is_read_as_the_client_reads_it() {
        for (status, body, expected) in [
            (404, Ok(&b"<html>"[..]), GetAnswer::Absent),
            (410, Ok(b""), GetAnswer::Unclear),
            (200, Err(BodyFault::Late), GetAnswer::Unclear),
            (200, Ok(b"{\"status\":\"failed\"}"), GetAnswer::Pending),
            (
                200,
                Err(BodyFault::TooLong),
                GetAnswer::Unreadable(wire_format::LONG_BODY),
            ),
        ] {
            let read = read_look_up(status, body, ID.parse().unwrap());
            assert_eq!(read, expected, "{status} {body:?}");
        }
    }
}
