//! The refusals: every status, title and detail that a client may see.

use bytes::Bytes;
use feeway_domain::RequestedAt;
use http_body_util::Full;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

use crate::answer::Answer;

/// A refusal with a body of type `application/problem+json` (RFC 9457).
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    body: Bytes,
    allow: Option<&'static str>,
    /// What is left of the request on the connection cannot be trusted or is not wanted.
    closes: bool,
}

/// A problem whose body is written at compile time.
macro_rules! problem {
    ($status:ident, $code:literal, $title:literal, $detail:expr) => {
        Problem {
            status: StatusCode::$status,
            body: Bytes::from_static(
                concat!(
                    r#"{"type":"about:blank","title":""#,
                    $title,
                    r#"","status":"#,
                    $code,
                    r#","detail":""#,
                    $detail,
                    r#""}"#
                )
                .as_bytes(),
            ),
            allow: None,
            closes: false,
        }
    };
}

macro_rules! unavailable {
    ($detail:expr) => {
        problem!(SERVICE_UNAVAILABLE, 503, "Service Unavailable", $detail)
    };
}

macro_rules! wrong_method {
    ($allow:literal) => {
        problem!(
            METHOD_NOT_ALLOWED,
            405,
            "Method Not Allowed",
            concat!("this path allows only ", $allow)
        )
        .allowing($allow)
    };
}

pub(crate) static NO_SUCH_ADDRESS: Problem = problem!(
    NOT_FOUND,
    404,
    "Not Found",
    "there is nothing at this path; this service has POST and GET /payments, GET /payments-summary, GET /payments/{id} and POST /purge-payments"
);
pub(crate) static NO_ADMIN_ADDRESS: Problem = problem!(
    NOT_FOUND,
    404,
    "Not Found",
    "there is nothing at this path; this service has GET /healthz, GET /readyz and GET /metrics"
);
pub(crate) static NO_SUCH_PAYMENT: Problem = problem!(
    NOT_FOUND,
    404,
    "Not Found",
    "no payment with this correlationId is known"
);
pub(crate) static NOT_AN_ID: Problem = problem!(
    NOT_FOUND,
    404,
    "Not Found",
    "the part after /payments/ is not a correlationId, which is a UUID with hyphens; this service has POST and GET /payments, GET /payments-summary, GET /payments/{id} and POST /purge-payments"
);
pub(crate) static GET_ONLY: Problem = wrong_method!("GET, HEAD");
pub(crate) static POST_ONLY: Problem = wrong_method!("POST");
pub(crate) static GET_OR_POST_ONLY: Problem = wrong_method!("GET, HEAD, POST");

pub(crate) static AMOUNT_DIFFERS: Problem = problem!(
    CONFLICT,
    409,
    "Conflict",
    "a payment with this correlationId and another amount already exists; give a new payment a new correlationId"
);
pub(crate) static LOOP: Problem = problem!(
    LOOP_DETECTED,
    508,
    "Loop Detected",
    "the payment was not accepted because this gateway had sent it to a processor, which sent it back; the gateway's operator has to check the processors' URLs"
);
pub(crate) static PURGE_FORBIDDEN: Problem = problem!(
    FORBIDDEN,
    403,
    "Forbidden",
    "purging is disabled; start the front with --allow-purge to enable it"
);

pub(crate) static BODY_TOO_LARGE: Problem = problem!(
    PAYLOAD_TOO_LARGE,
    413,
    "Content Too Large",
    "the body is larger than 16384 bytes"
)
.closing();
pub(crate) static BODY_TOO_SLOW: Problem = problem!(
    REQUEST_TIMEOUT,
    408,
    "Request Timeout",
    "the body did not arrive in time; send the request again"
)
.closing();
pub(crate) static BODY_BROKEN: Problem = problem!(
    BAD_REQUEST,
    400,
    "Bad Request",
    "the body ended early or its framing is invalid; nothing was accepted"
)
.closing();

pub(crate) static STORE_AWAY: Problem = unavailable!(
    "the payment was not accepted because there is no connection to the journal; send it again in a second"
);
pub(crate) static STORE_CLOSED: Problem = unavailable!(
    "the payment was not accepted because Redis was restarted and the fronts are still repeating what it may have forgotten; send it again in a second"
);
pub(crate) static JOURNAL_FULL: Problem = unavailable!(
    "the payment was not accepted because the limit of open payments is reached; send it again later"
);
pub(crate) static MEMORY_FULL: Problem = unavailable!(
    "the payment was not accepted because the journal is out of memory; send it again later"
);
pub(crate) static FRONT_BUSY: Problem = unavailable!(
    "the payment was not accepted because this front is overloaded or shutting down; send it again in a second"
);
pub(crate) static FATE_UNKNOWN: Problem = unavailable!(
    "it is unknown whether the payment was accepted; send it again with the same correlationId and amount: it is charged at most once"
);
pub(crate) static TOO_MANY_QUESTIONS: Problem =
    unavailable!("too many requests of this kind are in progress; try again in a second");
pub(crate) static LEDGER_AWAY: Problem =
    unavailable!("there is no connection to the ledger; try again in a second");
pub(crate) static LEDGER_CLOSED: Problem = unavailable!(
    "Redis was restarted and the fronts are still repeating what it may have forgotten; try again in a second"
);
pub(crate) static PURGE_UNKNOWN: Problem =
    unavailable!("it is unknown whether the ledger was purged; try again in a second");
pub(crate) static NOT_READY: Problem =
    unavailable!("this front is not ready: it is starting or shutting down");

/// What a connection beyond the limit is told before it is closed. It is the whole answer,
/// because no request is read for it.
pub(crate) const TOO_MANY_CONNECTIONS: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/problem+json\r\n\
    content-length: 129\r\n\
    retry-after: 1\r\n\
    connection: close\r\n\r\n\
    {\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\
    \"detail\":\"too many connections are open; try again in a second\"}";

impl Problem {
    const fn allowing(mut self, methods: &'static str) -> Self {
        self.allow = Some(methods);
        self
    }

    const fn closing(mut self) -> Self {
        self.closes = true;
        self
    }

    /// 400 with a detail that is known only now.
    pub(crate) fn bad_request(detail: &str) -> Self {
        Self::written(StatusCode::BAD_REQUEST, "Bad Request", detail)
    }

    /// 400 to a summary that cuts a closed hour in which something was settled.
    pub(crate) fn cut_hour(oldest: RequestedAt) -> Self {
        Self::bad_request(&format!(
            "single payments are kept only since {oldest}; before that there are only sums of whole hours, so from must be the start of an hour, such as 2025-07-15T12:00:00Z, and to the end of one, such as 2025-07-15T12:59:59.999999Z"
        ))
    }

    /// 400 to a listing of payments that are no longer kept.
    pub(crate) fn too_old(oldest: RequestedAt) -> Self {
        Self::bad_request(&format!(
            "single payments are kept only since {oldest}; from, to and after must not be earlier"
        ))
    }

    /// Its status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// 503 of an operator's question about a front that is not ready, with what is known.
    pub(crate) fn not_ready(why: &str, members: &str) -> Self {
        let mut problem =
            Self::written(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable", why);
        let body = String::from_utf8_lossy(&problem.body);
        problem.body = format!("{},{members}}}", body.trim_end_matches('}')).into();
        problem
    }

    /// 503 to a payment while this front accepts nothing.
    pub(crate) fn stands_still(why: &str) -> Self {
        let detail =
            format!("the payment was not accepted because {why}; send it again in a second");
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::written(status, "Service Unavailable", &detail)
    }

    /// 422 to a payment that every processor declined, with what they answered.
    pub(crate) fn rejected(reason: &str) -> Self {
        let detail = format!(
            "every processor declined this payment: {reason}; to try again, send it with a new correlationId, or ask the gateway's operator to reopen this one"
        );
        Self::written(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Unprocessable Content",
            &detail,
        )
    }

    /// 409 to a purge while so many payments are open.
    pub(crate) fn still_open(payments: u64) -> Self {
        let detail = format!(
            "the ledger was not purged because payments are open: {payments}; try again when they are settled"
        );
        Self::written(StatusCode::CONFLICT, "Conflict", &detail)
    }

    fn written(status: StatusCode, title: &str, detail: &str) -> Self {
        let code = status.as_u16();
        let detail = escaped(detail);
        let body = format!(
            r#"{{"type":"about:blank","title":"{title}","status":{code},"detail":"{detail}"}}"#
        );
        Self {
            status,
            body: body.into(),
            allow: None,
            closes: false,
        }
    }

    /// The whole answer.
    pub(crate) fn answer(&self) -> Answer {
        let mut answer = Response::new(Full::new(self.body.clone()));
        *answer.status_mut() = self.status;
        let headers = answer.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if self.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }
}

/// Why a handler stops: a problem that was there, or one written for this request.
pub(crate) enum Refusal {
    Known(&'static Problem),
    Written(Problem),
}

impl Refusal {
    /// The whole answer.
    pub(crate) fn answer(&self) -> Answer {
        match self {
            Self::Known(problem) => problem.answer(),
            Self::Written(problem) => problem.answer(),
        }
    }
}

impl From<&'static Problem> for Refusal {
    fn from(problem: &'static Problem) -> Self {
        Self::Known(problem)
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Written(problem)
    }
}

/// The text as it may stand between the quotes of a JSON string. Our details are plain
/// sentences; what they quote need not be.
pub(crate) fn escaped(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' => written.push_str("\\\""),
            '\\' => written.push_str("\\\\"),
            control if control < ' ' => written.push(' '),
            plain => written.push(plain),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn body(problem: &Problem) -> serde_json::Value {
        let body = problem.answer().into_body().collect().await.unwrap();
        serde_json::from_slice(&body.to_bytes()).unwrap()
    }

    #[tokio::test]
    async fn a_static_body_says_what_its_status_says() {
        for problem in [
            &NO_SUCH_ADDRESS,
            &NO_ADMIN_ADDRESS,
            &NO_SUCH_PAYMENT,
            &NOT_AN_ID,
            &GET_ONLY,
            &POST_ONLY,
            &GET_OR_POST_ONLY,
            &AMOUNT_DIFFERS,
            &LOOP,
            &PURGE_FORBIDDEN,
            &BODY_TOO_LARGE,
            &BODY_TOO_SLOW,
            &BODY_BROKEN,
            &STORE_AWAY,
            &STORE_CLOSED,
            &JOURNAL_FULL,
            &MEMORY_FULL,
            &FRONT_BUSY,
            &FATE_UNKNOWN,
            &TOO_MANY_QUESTIONS,
            &LEDGER_AWAY,
            &LEDGER_CLOSED,
            &PURGE_UNKNOWN,
            &NOT_READY,
        ] {
            let body = body(problem).await;
            assert_eq!(body["status"], problem.status.as_u16(), "{body}");
            assert_eq!(body["type"], "about:blank");
            assert!(body["detail"].as_str().unwrap().len() > 10);
        }
    }

    #[tokio::test]
    async fn a_written_detail_survives_json() {
        let detail = "a \"quoted\" \\ and\n a control";
        let body = body(&Problem::bad_request(detail)).await;
        assert_eq!(body["detail"], "a \"quoted\" \\ and  a control");
    }

    #[test]
    fn the_refusal_of_a_connection_has_the_length_it_claims() {
        let text = std::str::from_utf8(TOO_MANY_CONNECTIONS).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("content-length: {}", body.len())),
            "{head} {}",
            body.len()
        );
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["status"], 503);
    }
}
