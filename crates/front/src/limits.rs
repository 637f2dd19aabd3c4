use std::time::Duration;

/// The bounds of one front towards its clients. Over a limit a client gets a clear answer.
///
/// Memory at the worst: 4096 connections, each with at most 16 KiB read, 16 KiB to write
/// and a body of 16 KiB, are 192 MiB.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections of all payment listeners together. One more is told 503 and closed.
    pub connections: usize,
    /// How long a request's head may take to arrive, and a connection may idle.
    pub head_timeout: Duration,
    /// How long a request's body may take to arrive.
    pub body_timeout: Duration,
    /// How long a client may refuse to take an answer.
    pub write_timeout: Duration,
    /// Payments between their arrival and the journal's answer. At 0.2 ms each in the
    /// journal, 1024 are a wait of 0.2 s when they are written one by one.
    pub payments_in_hand: usize,
    /// Summaries, look-ups and purges under way. They have a lane of their own, so that
    /// neither they nor payments can starve the others.
    pub questions_in_hand: usize,
    /// Listings under way. Each may carry a thousand lines, so they get fewer places than
    /// the other questions and take none of theirs: an export does not delay a summary.
    pub listings_in_hand: usize,
    /// How long a front that is told to stop says "not ready" and goes on serving, so that
    /// the load balancer stops sending first.
    pub notice: Duration,
    /// How long requests in hand may then take.
    pub farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            head_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(5),
            payments_in_hand: 1024,
            questions_in_hand: 64,
            listings_in_hand: 4,
            notice: Duration::from_secs(1),
            farewell: Duration::from_secs(3),
        }
    }
}
