//! Payments as JSON, with the names that the HTTP interface has for them.

use feeway_domain::{Fee, JournalTime, Line, RequestedAt, Status};
use serde::Serialize;
use serde_json::value::RawValue;

/// One line of a listing.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PaymentJson {
    correlation_id: String,
    amount: Box<RawValue>,
    status: &'static str,
    processor: Option<String>,
    requested_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fee: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl PaymentJson {
    pub(crate) fn of(line: &Line) -> Self {
        let status = &line.state.status;
        let (accepted_at, rejected_at, requested_at) = match status {
            Status::Open { .. } => (Some(time(line.at)), None, None),
            Status::Rejected { .. } => (None, Some(time(line.at)), None),
            Status::Settled { requested_at, .. } | Status::Conflict { requested_at, .. } => {
                (None, None, Some(requested_at.to_string()))
            }
        };
        Self {
            correlation_id: line.state.id.to_string(),
            amount: number(&line.state.amount.to_string()),
            status: status_name(status),
            processor: status.processor().map(ToString::to_string),
            requested_at,
            fee: line.fee.map(fee),
            accepted_at,
            rejected_at,
            reason: status.reason().map(str::to_owned),
        }
    }
}

/// What the HTTP interface calls it.
pub(crate) fn status_name(status: &Status) -> &'static str {
    match status {
        Status::Open { .. } => "open",
        Status::Settled { .. } => "settled",
        Status::Rejected { .. } => "rejected",
        Status::Conflict { .. } => "conflict",
    }
}

pub(crate) fn fee(fee: Fee) -> Box<RawValue> {
    number(&fee.to_string())
}

/// Digits as they are: an amount is never turned into a float.
pub(crate) fn number(digits: &str) -> Box<RawValue> {
    RawValue::from_string(digits.to_owned()).expect("amounts and shares are JSON numbers")
}

/// A time of Redis's clock, as a person reads it.
pub(crate) fn time(at: JournalTime) -> String {
    let instant = RequestedAt::from_micros(at.micros());
    instant.map_or_else(
        || format!("{} µs after 1970", at.micros()),
        |instant| instant.to_string(),
    )
}
