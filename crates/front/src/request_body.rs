//! Reads a request's body within its limits.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use crate::problem::{self, Problem};

/// The largest body, in bytes. A payment takes about 70.
pub const MAX_BODY_BYTES: usize = 16 * 1024;

/// How much of a refused body is still read, and for how long: a connection that is
/// closed on unread bytes is reset, and the reset can overtake the 413.
const DISCARDED_BYTES_MAX: usize = 1024 * 1024;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(1);

/// The whole body, if it is small enough and arrives within `patience`.
pub(crate) async fn read(
    mut body: Incoming,
    patience: Duration,
) -> Result<Bytes, &'static Problem> {
    let fits = body.size_hint().lower() <= MAX_BODY_BYTES as u64;
    let read = if fits {
        in_time(patience, collect(&mut body))
            .await
            .unwrap_or(Err(&problem::BODY_TOO_SLOW))
    } else {
        Err(&problem::BODY_TOO_LARGE)
    };
    if read.is_err() && !body.is_end_stream() {
        tokio::spawn(discard(body));
    }
    read
}

/// As [`timeout`], without a timer for what is there already: nearly every body comes with
/// its head.
async fn in_time<T>(patience: Duration, reading: impl Future<Output = T>) -> Result<T, Elapsed> {
    let mut reading = pin!(reading);
    match poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx))).await {
        Poll::Ready(read) => Ok(read),
        Poll::Pending => timeout(patience, reading).await,
    }
}

async fn collect(body: &mut Incoming) -> Result<Bytes, &'static Problem> {
    // Nearly every body is one piece, which is used where it lies.
    let first = next_piece(body).await?.unwrap_or_default();
    if body.is_end_stream() {
        return within_limit(first.len()).map(|()| first);
    }
    let mut whole = BytesMut::from(first);
    within_limit(whole.len())?;
    while let Some(piece) = next_piece(body).await? {
        within_limit(whole.len().saturating_add(piece.len()))?;
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

/// The next piece of data; trailers are dropped.
async fn next_piece(body: &mut Incoming) -> Result<Option<Bytes>, &'static Problem> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.or(Err(&problem::BODY_BROKEN))?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

fn within_limit(bytes: usize) -> Result<(), &'static Problem> {
    if bytes <= MAX_BODY_BYTES {
        Ok(())
    } else {
        Err(&problem::BODY_TOO_LARGE)
    }
}

/// Reads and forgets a bounded part of a refused body. There is at most one of these a
/// connection, because the refusal closes it.
async fn discard(mut body: Incoming) {
    let mut left = DISCARDED_BYTES_MAX;
    let reading = async {
        while let Ok(Some(piece)) = next_piece(&mut body).await {
            let Some(rest) = left.checked_sub(piece.len()) else {
                break;
            };
            left = rest;
        }
    };
    // Running out of time is one of the ways in which this ends.
    timeout(DISCARD_TIMEOUT, reading).await.unwrap_or_default();
}
