use std::error::Error;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{debug, warn};

use crate::admin::is_admin;
use crate::answer::{Cut, Then};
use crate::api;
use crate::door::Mood;
use crate::state::State;

/// The processor's own limit on an idle connection, and on the time a head may take.
const IDLE_LIMIT: Duration = Duration::from_secs(130);

/// The most bytes of a head, and of what is read ahead.
const BUFFER_BYTES: usize = 16 * 1024;

/// The most answers of one connection that wait to be said once more. Each has a file
/// descriptor.
const MAX_SECOND_ANSWERS: usize = 32;

/// Serves one connection to its end. An administrator's connection outlives a refusing
/// mood: whoever shut the door must be able to open it.
pub(crate) async fn serve(mut stream: TcpStream, state: Arc<State>, admin: bool) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "the connection is already closed");
        return;
    }
    let admin = Arc::new(AtomicBool::new(admin));
    // They end with the connection.
    let mut second_answers = JoinSet::new();
    while let Some((taken, cut)) = serve_http(stream, &state, &admin).await {
        stream = taken;
        let at_once = cut.again_after == Some(Duration::ZERO);
        let bytes = cut.bytes.repeat(if at_once { 2 } else { 1 });
        if let Err(error) = stream.write_all(&bytes).await {
            debug!(%error, "the client did not wait for the bytes");
            return;
        }
        if let Some(after) = cut.again_after.filter(|_| !at_once)
            && let Err(error) = say_again(&mut second_answers, &stream, cut.bytes, after)
        {
            warn!(%error, "cannot send a second answer");
        }
        match cut.then {
            Then::GoesOn => {}
            Then::Closes => return,
            Then::Resets => return reset(&stream),
        }
    }
}

/// Serves HTTP until the connection ends, or is taken away from HTTP by a [`Cut`].
async fn serve_http(
    stream: TcpStream,
    state: &Arc<State>,
    admin: &Arc<AtomicBool>,
) -> Option<(TcpStream, Cut)> {
    let mut moods = state.gate.moods();
    // The mood may have turned since the connection was accepted.
    moods.mark_changed();
    let service = service_fn(move |request| {
        if is_admin(&request) {
            admin.store(true, Ordering::Relaxed);
        }
        api::answer(Arc::clone(state), request)
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_LIMIT)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let ended = loop {
        tokio::select! {
            biased;
            ended = &mut connection => break ended,
            changed = moods.changed() => {
                let goes_on = match *moods.borrow_and_update() {
                    Mood::Serving => true,
                    Mood::Refusing => admin.load(Ordering::Relaxed),
                    Mood::Ending => false,
                };
                if changed.is_err() || !goes_on {
                    std::pin::Pin::new(&mut connection).graceful_shutdown();
                }
            }
        }
    };
    let error = ended.err()?;
    let Some(cut) = error.source().and_then(|source| source.downcast_ref()) else {
        debug!(%error, "connection ended");
        return None;
    };
    let mut cut = Cut::clone(cut);
    let parts = connection.into_parts();
    if !parts.read_buf.is_empty() {
        // What was read of the next request is lost.
        cut.then = Then::Closes;
    }
    Some((parts.io.into_inner(), cut))
}

/// Writes the bytes once more after a time, whatever is said on the connection meanwhile.
fn say_again(
    second_answers: &mut JoinSet<()>,
    stream: &TcpStream,
    bytes: Bytes,
    after: Duration,
) -> io::Result<()> {
    while second_answers.try_join_next().is_some() {}
    if second_answers.len() >= MAX_SECOND_ANSWERS {
        return Err(io::Error::other(
            "too many answers are waiting to be repeated",
        ));
    }
    let twin = std::net::TcpStream::from(stream.as_fd().try_clone_to_owned()?);
    let mut twin = TcpStream::from_std(twin)?;
    second_answers.spawn(async move {
        sleep(after).await;
        if let Err(error) = twin.write_all(&bytes).await {
            debug!(%error, "the client did not wait for the second answer");
        }
    });
    Ok(())
}

/// Makes the coming drop of the stream a TCP reset.
pub(crate) fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        warn!(%error, "cannot reset this connection, as the settings ask for: it is closed normally");
    }
}
