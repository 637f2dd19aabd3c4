use std::time::Duration;

use crate::RequestedAt;

/// What became of one attempt: one POST of a payment to a processor.
///
/// It is not an error type: what happens at a processor is a fact that every caller must
/// match in full, because only [`Outcome::NotHeld`] and a proven [`Outcome::Refused`] ever
/// allow another processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The processor holds the payment, at this `requestedAt` of its own books.
    Held(RequestedAt),
    /// This attempt was not stored there and never will be.
    NotHeld(No),
    /// The processor answered, and its answer says no. It may have stored the payment all the
    /// same, and its look-up may lag: only an absence that was found late enough proves it.
    Refused(Refusal),
    /// The attempt may have been stored, or may still be going on.
    Unknown(Doubt),
}

/// Why an attempt was certainly not held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum No {
    /// No connection could be made, so nothing was sent.
    Unreachable,
    /// 429: too many requests.
    Overloaded {
        /// How long the processor asks us to wait, if it says so; at most 60 s.
        retry_after: Option<Duration>,
    },
    /// 401, 403, 404, 405 or 501: it refuses to deal with us, which says nothing about the
    /// payment. Our configuration is wrong.
    Misconfigured {
        /// The HTTP status it answered with.
        status: u16,
    },
    /// 400, 402 or 410 to the only attempt, from a processor whose operator vouches that it
    /// stores nothing then.
    Declined {
        /// The HTTP status it answered with.
        status: u16,
    },
}

/// A no that a late absence has to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 400, 402 or 410, or 409 or 422 to the only attempt: it does not want this payment.
    Declined {
        /// The HTTP status it answered with.
        status: u16,
    },
    /// 500 or 503: it does not work now.
    Failing {
        /// The HTTP status it answered with.
        status: u16,
    },
}

/// Why nobody knows whether an attempt was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// No answer in time; the attempt may still be waiting inside.
    TimedOut,
    /// The connection ended after the request had been sent.
    Reset,
    /// A status that promises nothing (408, 502, 504, …) or an answer nobody can read.
    Unclear,
    /// 3xx, which is never followed: our configuration is wrong, and something else may have
    /// got the payment.
    Redirected {
        /// The HTTP status it answered with.
        status: u16,
    },
    /// An answer that only a look-up can confirm, and it did not: 202, a 2xx whose body says
    /// otherwise, or 409 or 422 after an earlier attempt.
    Unconfirmed,
}
