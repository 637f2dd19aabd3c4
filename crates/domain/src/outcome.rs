use crate::RequestedAt;

/// What became of one attempt: one POST of a payment to a processor.
///
/// It is not an error type: what happens at a processor is a fact that every caller must
/// match in full, because only [`Outcome::NotHeld`] ever allows another processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The processor holds the payment, at this `requestedAt` of its own books.
    Held(RequestedAt),
    /// This attempt was not stored there and never will be.
    NotHeld(No),
    /// The processor refused to deal with us at all, which says nothing about the payment:
    /// our configuration is wrong. Nothing was stored, and nothing may be concluded.
    Misconfigured {
        /// The HTTP status it answered with.
        status: u16,
    },
    /// The attempt may have been stored, or may still be going on.
    Unknown(Doubt),
}

/// Why an attempt was not held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum No {
    /// No connection could be made, so nothing was sent.
    Unreachable,
    /// 429: too many requests at once.
    Overloaded,
    /// 400: this payment does not please this processor.
    Malformed,
    /// 500, and a look-up right after found nothing.
    Failing,
}

/// Why nobody knows whether an attempt was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// No answer in time; the attempt may still be waiting inside.
    TimedOut,
    /// The connection ended after the request had been sent.
    Reset,
    /// A status that promises nothing (408, 502–504, …) or an answer nobody can read.
    Unclear,
    /// 422 or 500, but the look-up that should confirm it did not.
    Unconfirmed,
}
