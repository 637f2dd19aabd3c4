//! The readers of a processor's answers, for the fuzz targets alone.

use std::time::Duration;

use bytes::Bytes;
use feeway_domain::{CorrelationId, GetAnswer, Payment, RequestedAt};

use crate::wire_format::{self, Receipt};

/// Reads the 200 of a look-up.
pub fn held_payment(body: &[u8], id: CorrelationId) -> GetAnswer {
    wire_format::held_payment(body, id)
}

/// Whether nothing in the body of a 200 to an attempt speaks against it.
pub fn fits(body: &[u8], id: CorrelationId) -> bool {
    wire_format::receipt(body, id) == Receipt::Fits
}

/// Reads the 200 of a question for health: whether it is failing, and its least time.
pub fn health(body: &[u8]) -> Option<(bool, Duration)> {
    wire_format::health(body)
}

/// Writes the body of an attempt.
pub fn payment(payment: &Payment, requested_at: RequestedAt) -> Bytes {
    wire_format::payment(payment, requested_at)
}
