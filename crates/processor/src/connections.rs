use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::debug;

use crate::addresses::Addresses;
use crate::endpoint::Endpoint;
use crate::tls::Tls;

/// A request that is ready to be written.
pub(crate) type Message = Request<Full<Bytes>>;

/// The most a connection buffers of an answer's head; hyper's least is 8 KiB, its default
/// 400 KiB.
const BUFFER_LEN_MAX: usize = 16 * 1024;

/// The connections to one processor: those in use are counted and limited, those not in
/// use wait on a stack, where the one used last is taken first and the others grow old.
pub(crate) struct Connections {
    endpoint: Endpoint,
    tls: Option<Tls>,
    addresses: Addresses,
    connect_timeout: Duration,
    idle_timeout: Duration,
    permits: Arc<Semaphore>,
    idle: Mutex<Idle>,
}

/// Sorted by age: the oldest is at the bottom.
#[derive(Default)]
struct Idle {
    stack: Vec<IdleConnection>,
    /// Whether a task is there that closes those that grow too old.
    is_reaped: bool,
}

struct IdleConnection {
    sender: SendRequest<Full<Bytes>>,
    since: Instant,
}

/// One connection in use. Dropping it closes the connection; [`Connection::give_back`]
/// keeps it for the next request.
pub(crate) struct Connection {
    pub(crate) sender: SendRequest<Full<Bytes>>,
    connections: Arc<Connections>,
    permit: OwnedSemaphorePermit,
}

/// Which connection a request may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A kept one, or a new one when none is kept.
    Any,
    /// A new one: a kept one has just turned out to be dead.
    New,
}

impl Connections {
    pub(crate) fn new(
        endpoint: Endpoint,
        tls: Option<Tls>,
        connections_max: usize,
        connect_timeout: Duration,
        idle_timeout: Duration,
    ) -> Self {
        Self {
            endpoint,
            tls,
            addresses: Addresses::default(),
            connect_timeout,
            idle_timeout,
            permits: Arc::new(Semaphore::new(
                connections_max.clamp(1, Semaphore::MAX_PERMITS),
            )),
            idle: Mutex::default(),
        }
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// A connection that was open a moment ago; nothing when there is none by the deadline.
    /// Waits while the most connections allowed are in use.
    pub(crate) async fn take(
        self: &Arc<Self>,
        wanted: Wanted,
        deadline: Instant,
    ) -> Option<Connection> {
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => timeout_at(deadline, Arc::clone(&self.permits).acquire_owned())
                .await
                .ok()?
                .ok()?,
        };
        let kept = match wanted {
            Wanted::Any => self.take_idle(),
            Wanted::New => None,
        };
        let sender = match kept {
            Some(sender) => sender,
            None => self.open(deadline).await?,
        };
        Some(Connection {
            sender,
            connections: Arc::clone(self),
            permit,
        })
    }

    fn take_idle(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle();
        while let Some(IdleConnection { sender, since }) = idle.stack.pop() {
            if since.elapsed() >= self.idle_timeout {
                // All below it are older still.
                idle.stack.clear();
                return None;
            }
            // One that is open but not ready has more to read than it should: drop it.
            if sender.is_ready() && !sender.is_closed() {
                return Some(sender);
            }
        }
        None
    }

    async fn open(&self, deadline: Instant) -> Option<SendRequest<Full<Bytes>>> {
        let deadline = deadline.min(Instant::now() + self.connect_timeout);
        let Endpoint { host, port, .. } = &self.endpoint;
        let opened = timeout_at(deadline, async {
            let stream = self.addresses.connect(host, *port).await?;
            stream.set_nodelay(true)?;
            Ok::<_, std::io::Error>(match &self.tls {
                None => speak_http(stream).await,
                Some(tls) => speak_http(tls.handshake(stream).await?).await,
            })
        });
        match opened.await {
            Ok(Ok(sender)) => sender,
            Ok(Err(error)) => {
                debug!(host, port, %error, "no connection to the processor");
                None
            }
            Err(_elapsed) => {
                debug!(host, port, "no connection to the processor in time");
                None
            }
        }
    }

    fn keep(self: &Arc<Self>, sender: SendRequest<Full<Bytes>>) {
        let since = Instant::now();
        let mut idle = self.idle();
        idle.stack.push(IdleConnection { sender, since });
        if !idle.is_reaped {
            idle.is_reaped = true;
            tokio::spawn(reap(Arc::downgrade(self), since + self.idle_timeout));
        }
    }

    /// Closes the connections that were not used for too long. Says when the next one will
    /// be due; nothing when none is left.
    fn close_old(&self) -> Option<Instant> {
        let mut idle = self.idle();
        let now = Instant::now();
        let old = idle
            .stack
            .partition_point(|connection| connection.since + self.idle_timeout <= now);
        idle.stack.drain(..old);
        let next = idle.stack.first().map(|oldest| oldest.since);
        idle.is_reaped = next.is_some();
        next.map(|since| since + self.idle_timeout)
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        // Nothing panics while holding it, and a stack is whole after every step.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The handshake of HTTP/1 sends nothing and waits for nothing.
async fn speak_http<S>(stream: S) -> Option<SendRequest<Full<Bytes>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = Builder::new()
        .max_buf_size(BUFFER_LEN_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .ok()?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            debug!(%error, "a connection to a processor ended");
        }
    });
    Some(sender)
}

/// Runs while connections are kept, so that a quiet processor costs no timer at all.
async fn reap(connections: Weak<Connections>, mut due: Instant) {
    loop {
        sleep_until(due).await;
        let Some(connections) = connections.upgrade() else {
            return;
        };
        match connections.close_old() {
            Some(next) => due = next,
            None => return,
        }
    }
}

impl Connection {
    /// Keeps the connection for the next request; its answer must have been read in full.
    pub(crate) fn give_back(self) {
        let Self {
            sender,
            connections,
            permit,
        } = self;
        if !sender.is_closed() {
            connections.keep(sender);
        }
        // After the connection is on the stack: whoever waits for the permit finds it there.
        drop(permit);
    }
}
