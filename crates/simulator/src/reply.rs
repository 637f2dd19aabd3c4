use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Deserialize;

use crate::answer::{self, Answer, Cut, FOREVER, Said, Then};

/// What a rule says to a client. What it leaves open is as usual.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: Option<StatusCode>,
    pub(crate) body: Option<Bytes>,
    pub(crate) content_type: Option<HeaderValue>,
    /// Besides type and length.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// One more line of the head, written as it is: one that HTTP may not allow.
    pub(crate) raw_header: Option<Bytes>,
    /// The body is filled up with spaces to so many bytes.
    pub(crate) body_bytes: usize,
    /// It is said once more so long after the first time.
    pub(crate) again_after: Option<Duration>,
    /// Bytes that are written instead of an answer.
    pub(crate) raw: Option<Bytes>,
    /// How it ends without an answer, or after the raw bytes.
    pub(crate) ends: Option<Ends>,
}

/// How a request ends that gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Ends {
    /// The connection is closed.
    Close,
    /// The connection is reset.
    Reset,
    /// Nothing is said and the connection stays open until the client goes.
    Hang,
}

impl Reply {
    pub(crate) fn ending(ends: Ends) -> Self {
        Self {
            ends: Some(ends),
            ..Self::default()
        }
    }

    pub(crate) fn message(status: StatusCode, text: &str) -> Self {
        Self {
            status: Some(status),
            body: Some(serde_json::json!({ "message": text }).to_string().into()),
            ..Self::default()
        }
    }

    /// What to say where the usual answer is this status and this JSON. Another status has
    /// an empty body, unless the rule gives one.
    pub(crate) fn said(&self, usual: StatusCode, usual_body: impl Into<Bytes>) -> Said {
        let then = match self.ends {
            None => Then::GoesOn,
            Some(Ends::Close) => Then::Closes,
            Some(Ends::Reset) => Then::Resets,
            Some(Ends::Hang) => {
                return Said {
                    wait: FOREVER,
                    answer: Err(Cut::silent(Then::Closes)),
                };
            }
        };
        if self.raw.is_some() || self.ends.is_some() {
            return Said::from(Err(Cut {
                bytes: self.raw.clone().unwrap_or_default(),
                again_after: self.again_after,
                ..Cut::silent(then)
            }));
        }
        let status = self.status.unwrap_or(usual);
        let body = match &self.body {
            Some(body) => body.clone(),
            None if status == usual => usual_body.into(),
            None => Bytes::new(),
        };
        let body = self.filled_up(body);
        if self.raw_header.is_none() && self.again_after.is_none() {
            return Said::from(self.answer(status, body));
        }
        Said::from(Err(Cut {
            status: Some(status),
            bytes: self.written(status, &body),
            again_after: self.again_after,
            then: Then::GoesOn,
        }))
    }

    fn filled_up(&self, body: Bytes) -> Bytes {
        if body.len() >= self.body_bytes {
            return body;
        }
        let mut body = body.to_vec();
        body.resize(self.body_bytes, b' ');
        body.into()
    }

    fn content_type(&self, body: &Bytes) -> Option<HeaderValue> {
        const JSON: HeaderValue = HeaderValue::from_static("application/json");
        let usual = (!body.is_empty()).then_some(JSON);
        self.content_type.clone().or(usual)
    }

    fn answer(&self, status: StatusCode, body: Bytes) -> Answer {
        let content_type = self.content_type(&body);
        let mut answer = answer::with_body(status, body);
        let headers = answer.headers_mut();
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, content_type);
        }
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
        answer
    }

    /// The answer as bytes, for what an HTTP library does not write.
    fn written(&self, status: StatusCode, body: &Bytes) -> Bytes {
        let reason = status.canonical_reason().unwrap_or_default();
        let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
        let mut write = |parts: &[&[u8]]| bytes.extend(parts.concat());
        if let Some(raw) = &self.raw_header {
            write(&[raw, b"\r\n"]);
        }
        let answer = self.answer(status, body.clone());
        for (name, value) in answer.headers() {
            write(&[name.as_ref(), b": ", value.as_bytes(), b"\r\n"]);
        }
        // These two have no body, and may not give a length.
        if [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status) {
            write(&[b"\r\n"]);
        } else {
            let length = body.len().to_string();
            write(&[b"content-length: ", length.as_bytes(), b"\r\n\r\n", body]);
        }
        bytes.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(reply: &Reply) -> String {
        let said = reply.said(StatusCode::OK, r#"{"a":1}"#);
        assert_eq!(said.wait, Duration::ZERO);
        let cut = said.answer.err().unwrap();
        String::from_utf8(cut.bytes.to_vec()).unwrap()
    }

    #[test]
    fn an_answer_that_no_library_writes_is_complete() {
        let odd = Reply {
            raw_header: Some("X Waf: 1".into()),
            ..Reply::default()
        };
        for (reply, expected) in [
            (
                odd.clone(),
                "HTTP/1.1 200 OK\r\nX Waf: 1\r\ncontent-type: application/json\r\n\
                 content-length: 7\r\n\r\n{\"a\":1}",
            ),
            (
                Reply {
                    status: Some(StatusCode::NO_CONTENT),
                    ..odd.clone()
                },
                "HTTP/1.1 204 No Content\r\nX Waf: 1\r\n\r\n",
            ),
            (
                Reply {
                    body_bytes: 9,
                    headers: vec![(
                        HeaderName::from_static("x-a"),
                        HeaderValue::from_static("b"),
                    )],
                    content_type: Some(HeaderValue::from_static("text/html")),
                    ..odd
                },
                "HTTP/1.1 200 OK\r\nX Waf: 1\r\ncontent-type: text/html\r\nx-a: b\r\n\
                 content-length: 9\r\n\r\n{\"a\":1}  ",
            ),
        ] {
            assert_eq!(written(&reply), expected);
        }
    }

    #[test]
    fn another_status_has_no_body_unless_it_is_given() {
        for (status, body, bytes) in [
            (None, None, 7),
            (Some(StatusCode::OK), None, 7),
            (Some(StatusCode::SERVICE_UNAVAILABLE), None, 0),
            (Some(StatusCode::ACCEPTED), Some("pending"), 7),
        ] {
            let reply = Reply {
                status,
                body: body.map(Bytes::from),
                ..Reply::default()
            };
            let said = reply.said(StatusCode::OK, r#"{"a":1}"#);
            assert_eq!(said.status(), Some(status.unwrap_or(StatusCode::OK)));
            let answer = said.answer.unwrap();
            let length = hyper::body::Body::size_hint(answer.body()).exact();
            assert_eq!(length, Some(bytes), "{status:?}");
        }
    }
}
