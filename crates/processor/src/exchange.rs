use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Incoming};
use hyper::{Response, StatusCode};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

use crate::connections::{Connection, Connections, Message, Wanted};

/// The most of an answer's body that is read; a processor's longest is about 150 bytes.
const BODY_LEN_MAX: usize = 16 * 1024;

/// How long the rest of a body that nobody wants may take before its connection is dropped.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// How often a request that was never written is given to another connection.
const REPEATS_MAX: usize = 2;

/// The head of an answer, and the connection that its body is still to come on. Dropping
/// it closes the connection.
pub(crate) struct Exchange {
    response: Response<Incoming>,
    connection: Connection,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExchangeFault {
    /// Not one byte of the request was written.
    NotSent,
    /// It was written, or may have been, and the deadline passed.
    TimedOut,
    /// It was written, or may have been, and the connection ended.
    Reset,
    /// The answer is not HTTP.
    Garbled,
}

/// Sends a request once and waits for the head of its answer. It repeats a request only
/// when hyper hands it back, which says that it was never written.
///
/// Dropping the future closes the connection; the request's fate is unknown.
pub(crate) async fn exchange(
    connections: &Arc<Connections>,
    mut message: Message,
    deadline: Instant,
) -> Result<Exchange, ExchangeFault> {
    let mut wanted = Wanted::Any;
    for _ in 0..=REPEATS_MAX {
        let Some(mut connection) = connections.take(wanted, deadline).await else {
            return Err(ExchangeFault::NotSent);
        };
        match timeout_at(deadline, connection.sender.try_send_request(message)).await {
            Ok(Ok(response)) => {
                return Ok(Exchange {
                    response,
                    connection,
                });
            }
            Ok(Err(mut fault)) => match fault.take_message() {
                Some(unsent) => {
                    message = unsent;
                    wanted = Wanted::New;
                }
                None => {
                    let error = fault.into_error();
                    debug!(%error, "a processor's connection ended before its answer");
                    return Err(if error.is_parse() {
                        ExchangeFault::Garbled
                    } else {
                        ExchangeFault::Reset
                    });
                }
            },
            Err(_elapsed) => return Err(ExchangeFault::TimedOut),
        }
    }
    Err(ExchangeFault::NotSent)
}

impl Exchange {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// For an answer whose status says all: keeps the connection once the body is through,
    /// without making the caller wait for it.
    pub(crate) async fn discard(self) {
        let Self {
            response,
            connection,
        } = self;
        let mut body = response.into_body();
        let mut left = BODY_LEN_MAX;
        // The body mostly came with the head, and then one look is enough.
        let through = {
            let mut drained = pin!(drain(&mut body, &mut left));
            poll_fn(|context| Poll::Ready(drained.as_mut().poll(context))).await
        };
        match through {
            Poll::Ready(true) => connection.give_back(),
            Poll::Ready(false) => {}
            Poll::Pending => {
                // Holding the connection's permit, there are never more of these tasks than
                // connections.
                tokio::spawn(async move {
                    if timeout(DRAIN_TIMEOUT, drain(&mut body, &mut left)).await == Ok(true) {
                        connection.give_back();
                    }
                });
            }
        }
    }

    /// The whole body; nothing when it is too long, broken off or late.
    pub(crate) async fn body(self, deadline: Instant) -> Option<Bytes> {
        let Self {
            response,
            connection,
        } = self;
        let body = Limited::new(response.into_body(), BODY_LEN_MAX);
        let whole = timeout_at(deadline, body.collect()).await.ok()?.ok()?;
        connection.give_back();
        Some(whole.to_bytes())
    }
}

/// Reads a body to its end; false when it is broken or longer than what is left. May be
/// dropped and called again.
async fn drain(body: &mut Incoming, left: &mut usize) -> bool {
    while !body.is_end_stream() {
        match body.frame().await {
            None => return true,
            Some(Err(_)) => return false,
            Some(Ok(frame)) => {
                let len = frame.data_ref().map_or(0, Bytes::len);
                match left.checked_sub(len) {
                    Some(rest) => *left = rest,
                    None => return false,
                }
            }
        }
    }
    true
}
