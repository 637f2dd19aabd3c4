use std::future::Future;

use crate::{CorrelationId, Doubt, Money, Payment, RequestedAt};

/// Talks to one processor: over HTTP in the product, scripted in tests.
///
/// Dropping a returned future leaves the request's fate unknown.
pub trait ProcessorClient: Send + Sync + 'static {
    /// Posts a payment once. It never repeats a request that may have been sent.
    fn post(
        &self,
        payment: &Payment,
        requested_at: RequestedAt,
    ) -> impl Future<Output = PostAnswer> + Send;

    /// Asks whether the processor holds a payment.
    fn get(&self, id: CorrelationId) -> impl Future<Output = GetAnswer> + Send;
}

/// What came back from one POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostAnswer {
    /// 2xx: stored with the `requestedAt` that was sent.
    Stored,
    /// 422: that id is already there.
    Duplicate,
    /// 500: it is failing.
    Failing,
    /// 429: too many requests at once; nothing stored.
    Overloaded,
    /// 400: it does not understand this payment; nothing stored.
    Malformed,
    /// 401, 403, 404 or 405: it speaks of our configuration, not of the payment.
    Misconfigured {
        /// The HTTP status.
        status: u16,
    },
    /// No connection, so nothing was sent.
    Unreachable,
    /// It was sent, or may have been, and nothing usable came back.
    Lost(Doubt),
}

/// What came back from one look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GetAnswer {
    /// The processor holds it.
    Held {
        /// For this amount.
        amount: Money,
        /// At this instant of its books.
        requested_at: RequestedAt,
    },
    /// 404: not there now. An attempt may still be waiting inside.
    Absent,
    /// No usable answer.
    Unclear,
}
