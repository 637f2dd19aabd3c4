use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, TRANSFER_ENCODING};
use serde_json::Value;

use super::members::{Members, RulesError};
use crate::reply::{Ends, Reply};

/// The most bytes that a body is filled up to: no client reads so much of an answer.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// What makes up an answer, and so says nothing where there is none.
const OF_AN_ANSWER: [&str; 6] = [
    "status",
    "body",
    "contentType",
    "headers",
    "rawHeader",
    "bodyBytes",
];

impl Reply {
    /// Takes the members that say what is answered.
    pub(super) fn read(members: &mut Members) -> Result<Self, RulesError> {
        for instead in ["raw", "ends"] {
            let idle = OF_AN_ANSWER.iter().find(|name| members.has(name));
            if let Some(name) = idle.filter(|_| members.has(instead)) {
                let reason = format!("means nothing beside {instead}: there is no answer");
                return Err(members.refused(name, reason));
            }
        }
        if members.has("ends") && members.has("againAfterMs") {
            return Err(members.refused("againAfterMs", "means nothing beside ends"));
        }
        let raw = latin1(members, "raw")?;
        let ends = members.take("ends")?;
        if raw.is_some() && ends == Some(Ends::Hang) {
            return Err(members.refused("ends", "is close or reset after raw, or left out"));
        }
        Ok(Self {
            status: status(members, "status")?,
            body: members.take("body")?.map(body_text),
            content_type: content_type(members)?,
            headers: headers(members)?,
            raw_header: latin1(members, "rawHeader")?,
            body_bytes: body_bytes(members)?,
            again_after: members.millis("againAfterMs")?,
            raw,
            ends,
        })
    }
}

/// A status that ends a request.
pub(super) fn status(
    members: &mut Members,
    name: &'static str,
) -> Result<Option<StatusCode>, RulesError> {
    let Some(number) = members.take::<u16>(name)? else {
        return Ok(None);
    };
    match StatusCode::from_u16(number) {
        Ok(status) if (200..600).contains(&number) => Ok(Some(status)),
        _ => Err(members.refused(name, format!("is from 200 to 599, not {number}"))),
    }
}

/// A string is the body's text; anything else is its JSON.
fn body_text(body: Value) -> Bytes {
    if let Value::String(text) = body {
        return text.into();
    }
    body.to_string().into()
}

fn content_type(members: &mut Members) -> Result<Option<HeaderValue>, RulesError> {
    let text: Option<String> = members.take("contentType")?;
    text.map(HeaderValue::try_from)
        .transpose()
        .map_err(|error| members.refused("contentType", error))
}

fn headers(members: &mut Members) -> Result<Vec<(HeaderName, HeaderValue)>, RulesError> {
    let headers: BTreeMap<String, String> = members.take("headers")?.unwrap_or_default();
    let mut read = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let wrong = |why: String| members.refused("headers", format!("with {name}: {why}"));
        let value = HeaderValue::try_from(value).map_err(|error| wrong(error.to_string()))?;
        let header = HeaderName::try_from(&name).map_err(|error| wrong(error.to_string()))?;
        if header == CONTENT_TYPE {
            return Err(wrong("use contentType".to_owned()));
        }
        if [CONTENT_LENGTH, TRANSFER_ENCODING].contains(&header) {
            return Err(wrong("use raw".to_owned()));
        }
        read.push((header, value));
    }
    Ok(read)
}

fn body_bytes(members: &mut Members) -> Result<usize, RulesError> {
    match members.take("bodyBytes")? {
        Some(bytes) if bytes > MAX_BODY_BYTES => {
            Err(members.refused("bodyBytes", format!("is at most {MAX_BODY_BYTES}")))
        }
        bytes => Ok(bytes.unwrap_or(0)),
    }
}

/// A text of which each character is one byte, so that any byte can be written.
fn latin1(members: &mut Members, name: &'static str) -> Result<Option<Bytes>, RulesError> {
    let Some(text) = members.take::<String>(name)? else {
        return Ok(None);
    };
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
    let bytes = bytes.ok_or_else(|| {
        members.refused(name, "has a character above \\u00ff: each one is a byte")
    })?;
    Ok(Some(bytes.into()))
}
