use std::future::Future;
use std::time::Duration;

use crate::{CorrelationId, Doubt, Money, Payment, RequestedAt};

/// Talks to one processor: over HTTP in the product, scripted in tests.
///
/// Dropping a future of `post` or `get` leaves the request's fate unknown.
pub trait ProcessorClient: Send + Sync + 'static {
    /// Posts a payment once. It never repeats a request that may have been sent.
    fn post(
        &self,
        payment: &Payment,
        requested_at: RequestedAt,
    ) -> impl Future<Output = PostAnswer> + Send;

    /// Asks whether the processor holds a payment.
    fn get(&self, id: CorrelationId) -> impl Future<Output = GetAnswer> + Send;

    /// As [`ProcessorClient::get`], in a way that no late answer to another request can be taken
    /// for this one's: for a look-up whose "absent" lets a payment go.
    fn get_apart(&self, id: CorrelationId) -> impl Future<Output = GetAnswer> + Send {
        self.get(id)
    }

    /// Waits until an answer came that nobody had asked for, and returns the payments whose
    /// POSTs were answered on the same connection before: each may have got the answer to
    /// another. Cancel safe.
    fn misdelivered(&self) -> impl Future<Output = Vec<CorrelationId>> + Send {
        std::future::pending()
    }
}

/// What came back from one POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostAnswer {
    /// 200, 201 or 204: stored with the `requestedAt` that was sent.
    Stored,
    /// Another 2xx, or one of those whose body says otherwise, is HTML or cannot be read:
    /// only a look-up can tell.
    Inconclusive,
    /// 409 or 422: that id is already there, or it does not want this payment.
    Duplicate {
        /// The HTTP status.
        status: u16,
    },
    /// 500 or 503: it is failing.
    Failing {
        /// The HTTP status.
        status: u16,
    },
    /// 429: too many requests; nothing stored.
    Overloaded {
        /// How long it asks us to wait, if it says so; at most 60 s.
        retry_after: Option<Duration>,
    },
    /// 400, 402 or 410: it does not want this payment.
    Declined {
        /// The HTTP status.
        status: u16,
    },
    /// 401, 403, 404, 405 or 501: it speaks of our configuration, not of the payment.
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
    /// 404: not there now. An attempt may still be waiting inside, or the look-up may lag.
    Absent,
    /// It knows the payment and says that it failed or is pending.
    Pending,
    /// It knows the payment, and what it says of it cannot be read.
    Unreadable(Unreadable),
    /// No usable answer.
    Unclear,
    /// No connection, so nothing was asked.
    Unreachable,
}

/// What of an answer could not be read, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The field of the answer, such as `amount`; `body` or `head` when it is all of it.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: &'static str,
}
