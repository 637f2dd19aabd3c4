use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tracing::{debug, warn};

use crate::admin::is_admin;
use crate::answer::Cut;
use crate::api;
use crate::door::Mood;
use crate::state::State;

/// The processor's own limit on an idle connection, and on the time a head may take.
const IDLE_LIMIT: Duration = Duration::from_secs(130);

/// The most bytes of a head, and of what is read ahead.
const BUFFER_BYTES: usize = 16 * 1024;

/// Serves one connection to its end. An administrator's connection outlives a refusing
/// mood: whoever shut the door must be able to open it.
pub(crate) async fn serve(stream: TcpStream, state: Arc<State>, admin: bool) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "the connection is gone already");
        return;
    }
    let mut moods = state.gate.moods();
    // The mood may have turned since the connection was accepted.
    moods.mark_changed();
    let admin = Arc::new(AtomicBool::new(admin));
    let service = service_fn({
        let admin = Arc::clone(&admin);
        move |request| {
            if is_admin(&request) {
                admin.store(true, Ordering::Relaxed);
            }
            api::answer(Arc::clone(&state), request)
        }
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
    let Err(error) = ended else { return };
    match error.source().and_then(|source| source.downcast_ref()) {
        Some(Cut::Reset) => reset(&connection.into_parts().io.into_inner()),
        Some(Cut::Close { .. }) => {}
        None => debug!(%error, "connection ended"),
    }
}

/// Makes the coming drop of the stream a TCP reset.
pub(crate) fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        warn!(%error, "the connection is closed instead of reset");
    }
}
