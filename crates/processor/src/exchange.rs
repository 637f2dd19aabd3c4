use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use feeway_domain::CorrelationId;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::{HeaderMap, Response, StatusCode};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

use crate::connections::{Connection, Connections, Message, NoConnection, Wanted};

/// The most of an answer's body that is read; a processor's longest is about 150 bytes.
pub const BODY_LEN_MAX: usize = 16 * 1024;

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
    /// Not one byte of the request was written, because there was no connection.
    Unreachable,
    /// Not one byte of the request was written, because all connections were in use.
    Busy,
    /// It was written, or may have been, and the deadline passed.
    TimedOut,
    /// It was written, or may have been, and the connection ended.
    Reset,
    /// The answer is not HTTP.
    Garbled,
}

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// There is more of it than is read.
    TooLong,
    /// The connection ended before it was through, or it is framed wrongly.
    Broken,
    /// The deadline passed.
    Late,
}

impl From<NoConnection> for ExchangeFault {
    fn from(why: NoConnection) -> Self {
        match why {
            NoConnection::Busy => Self::Busy,
            NoConnection::Unreachable => Self::Unreachable,
        }
    }
}

/// Sends a request once and waits for the head of its answer. It repeats a request only
/// when hyper hands it back, which says that it was never written.
///
/// Dropping the future closes the connection; the request's fate is unknown.
pub(crate) async fn exchange(
    connections: &Arc<Connections>,
    mut wanted: Wanted,
    mut message: Message,
    deadline: Instant,
) -> Result<Exchange, ExchangeFault> {
    for _ in 0..=REPEATS_MAX {
        let mut connection = connections.take(wanted, deadline).await?;
        connection.begin(&message);
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
                    debug!(%error, "a connection to a processor ended before the answer");
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
    Err(ExchangeFault::Unreachable)
}

impl Exchange {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
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

    /// The whole body. Call it once, and [`Exchange::give_back`] after it.
    pub(crate) async fn body(&mut self, deadline: Instant) -> Result<Bytes, BodyFault> {
        let body = whole(self.response.body_mut());
        timeout_at(deadline, body).await.or(Err(BodyFault::Late))?
    }

    /// See [`Record::note_answered`](crate::misdelivery::Record::note_answered).
    pub(crate) fn note_answered(&self, id: CorrelationId) -> bool {
        self.connection.note_answered(id)
    }

    /// Keeps the connection; the body must have been read.
    pub(crate) fn give_back(self) {
        self.connection.give_back();
    }

    /// It is the answer to another request. Closes the connection.
    pub(crate) fn misdelivered(self) {
        self.connection.misdelivered();
    }
}

/// Reads a body that is not too long. It mostly comes in one piece, which is not copied.
async fn whole(body: &mut Incoming) -> Result<Bytes, BodyFault> {
    let (mut first, mut joined) = (Bytes::new(), BytesMut::new());
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > BODY_LEN_MAX {
        return Err(BodyFault::TooLong);
    }
    while !body.is_end_stream() {
        let frame = match body.frame().await {
            None => break,
            Some(frame) => frame.or(Err(BodyFault::Broken))?,
        };
        // Trailers say nothing to us.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if first.len() + joined.len() + data.len() > BODY_LEN_MAX {
            return Err(BodyFault::TooLong);
        }
        if first.is_empty() && joined.is_empty() {
            first = data;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut first));
            joined.extend_from_slice(&data);
        }
    }
    Ok(if joined.is_empty() {
        first
    } else {
        joined.freeze()
    })
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
