use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use feeway_domain::CorrelationId;
use http_body_util::Full;
use hyper::client::conn::http1::Builder;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

use crate::addresses::Addresses;
use crate::endpoint::Endpoint;
use crate::misdelivery::{Misdelivery, Record};
use crate::shelf::{Sender, Shelf};
use crate::socket::Socket;
use crate::tls::Tls;
use crate::unasked::was_unasked;

/// A request that is ready to be written.
pub(crate) type Message = Request<Full<Bytes>>;

/// The most a connection buffers of an answer's head; hyper's least is 8 KiB, its default
/// 400 KiB.
const BUFFER_LEN_MAX: usize = 16 * 1024;

/// How long a connection that carries no further request stays open, to see whether another
/// answer comes on it. A processor that answers 10 000 payments a second fills 20 connections
/// a second: 100 rest at a time.
const RETIRED_REST: Duration = Duration::from_secs(5);

/// The connections to one processor: those in use are counted and limited, those not in
/// use wait on a shelf, where the one used last is taken first and the others grow old.
pub(crate) struct Connections {
    endpoint: Endpoint,
    tls: Option<Tls>,
    addresses: Addresses,
    connect_timeout: Duration,
    /// How long a connection carries requests, and how many were opened.
    life: Duration,
    opened: AtomicU32,
    permits: Arc<Semaphore>,
    idle: Arc<Shelf>,
    /// At most as many as the limit of connections in use.
    retired: Arc<Shelf>,
    misdelivery: Arc<Misdelivery>,
}

/// One connection in use. Dropping it closes the connection; [`Connection::give_back`]
/// keeps it for the next request.
pub(crate) struct Connection {
    pub(crate) sender: Sender,
    record: Arc<Record>,
    /// It is closed after its first answer.
    is_apart: bool,
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
    /// A new one for this request alone: a kept one might deliver a late answer to another.
    Apart,
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoConnection {
    /// The most connections allowed were in use until the deadline.
    Busy,
    /// None can be made.
    Unreachable,
}

impl Connections {
    pub(crate) fn new(
        endpoint: Endpoint,
        tls: Option<Tls>,
        connections_max: usize,
        connect_timeout: Duration,
        idle_timeout: Duration,
        life: Duration,
    ) -> Self {
        let connections_max = connections_max.clamp(1, Semaphore::MAX_PERMITS);
        let misdelivery = Misdelivery::new(endpoint.base());
        Self {
            endpoint,
            tls,
            addresses: Addresses::default(),
            connect_timeout,
            life,
            opened: AtomicU32::new(0),
            permits: Arc::new(Semaphore::new(connections_max)),
            idle: Arc::new(Shelf::new(idle_timeout, connections_max)),
            retired: Arc::new(Shelf::new(RETIRED_REST, connections_max)),
            misdelivery: Arc::new(misdelivery),
        }
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether the answers come to the requests that they belong to.
    pub(crate) fn misdelivery(&self) -> &Misdelivery {
        &self.misdelivery
    }

    /// A connection that was open a moment ago. Waits while the most connections allowed are
    /// in use, but not beyond the deadline.
    pub(crate) async fn take(
        self: &Arc<Self>,
        wanted: Wanted,
        deadline: Instant,
    ) -> Result<Connection, NoConnection> {
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => match timeout_at(deadline, Arc::clone(&self.permits).acquire_owned()).await {
                Ok(Ok(permit)) => permit,
                Ok(Err(_)) | Err(_) => return Err(NoConnection::Busy),
            },
        };
        let kept = match wanted {
            Wanted::Any => self.take_idle(),
            Wanted::New | Wanted::Apart => None,
        };
        let (sender, record) = match kept {
            Some(kept) => kept,
            None => self.open(deadline).await.ok_or(NoConnection::Unreachable)?,
        };
        Ok(Connection {
            sender,
            record,
            is_apart: wanted == Wanted::Apart,
            connections: Arc::clone(self),
            permit,
        })
    }

    fn take_idle(&self) -> Option<(Sender, Arc<Record>)> {
        if self.misdelivery.is_known() {
            // They are watched a little longer: an answer may still come on one of them.
            self.idle.move_to(&self.retired);
            return None;
        }
        loop {
            let (sender, record) = self.idle.take()?;
            if !record.is_spent() {
                record.taken();
                return Some((sender, record));
            }
            // It grew too old while it rested.
            self.retired.put(sender, record);
        }
    }

    /// How long the next connection carries requests: those that are opened together are not
    /// to be replaced together, so that up to a quarter is taken off in sixteen steps.
    fn next_life(&self) -> Duration {
        let step = self.opened.fetch_add(1, Ordering::Relaxed).wrapping_mul(7) % 16;
        self.life - self.life / 64 * step
    }

    async fn open(&self, deadline: Instant) -> Option<(Sender, Arc<Record>)> {
        let deadline = deadline.min(Instant::now() + self.connect_timeout);
        let Endpoint { host, port, .. } = &self.endpoint;
        let record = Arc::new(Record::new(&self.misdelivery, self.next_life()));
        let opened = timeout_at(deadline, async {
            let stream = self.addresses.connect(host, *port).await?;
            stream.set_nodelay(true)?;
            let socket = Socket::new(stream, Arc::clone(&record));
            Ok::<_, io::Error>(match &self.tls {
                None => speak_http(socket, &record).await,
                Some(tls) => speak_http(tls.handshake(socket).await?, &record).await,
            })
        });
        match opened.await {
            Ok(Ok(sender)) => sender.map(|sender| (sender, record)),
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
}

/// A connection that nothing was said on yet.
pub trait BareStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> BareStream for S {}

impl Connections {
    /// A connection beside all these, for the caller alone.
    pub(crate) async fn dial(&self) -> io::Result<Box<dyn BareStream>> {
        let Endpoint { host, port, .. } = &self.endpoint;
        let dialled = timeout(self.connect_timeout, async {
            let stream = self.addresses.connect(host, *port).await?;
            stream.set_nodelay(true)?;
            Ok::<Box<dyn BareStream>, io::Error>(match &self.tls {
                None => Box::new(stream),
                Some(tls) => Box::new(tls.handshake(stream).await?),
            })
        });
        dialled.await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
    }
}

/// The handshake of HTTP/1 sends nothing and waits for nothing.
async fn speak_http<S>(stream: S, record: &Arc<Record>) -> Option<Sender>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, mut connection) = Builder::new()
        .max_buf_size(BUFFER_LEN_MAX)
        // A person could read both, and RFC 9112 (5.1, 5.2) says what they mean in an answer.
        // Both keep the line: one that frames the body still does. Lines that are no headers
        // are not ignored, because one of them may have been meant to frame the body.
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .handshake(TokioIo::new(stream))
        .await
        .ok()?;
    record.opened();
    let record = Arc::clone(record);
    tokio::spawn(async move {
        let ended = (&mut connection).await;
        let unread = connection.into_parts().read_buf;
        if was_unasked(&ended, &unread, &record) {
            record.misdelivered();
        }
        if let Err(error) = ended {
            debug!(%error, "a connection to a processor ended");
        }
    });
    Some(sender)
}

impl Connection {
    /// A request is about to be sent.
    pub(crate) fn begin(&self, message: &Message) {
        if message.method() == Method::POST {
            self.record.count_post();
        }
    }

    /// See [`Record::note_answered`].
    pub(crate) fn note_answered(&self, id: CorrelationId) -> bool {
        self.record.note_answered(id)
    }

    /// The answer is that to another request. Closes the connection.
    pub(crate) fn misdelivered(self) {
        self.record.misdelivered();
    }

    /// Keeps the connection for the next request, if it may carry one; its answer must have
    /// been read in full.
    pub(crate) fn give_back(self) {
        let Self {
            sender,
            record,
            is_apart,
            connections,
            permit,
        } = self;
        if !is_apart && record.is_kept() && !sender.is_closed() {
            record.answered();
            let is_over = record.is_spent() || connections.misdelivery.is_known();
            let shelf = if is_over {
                &connections.retired
            } else {
                &connections.idle
            };
            shelf.put(sender, record);
        }
        // After the connection is on the shelf: whoever waits for the permit finds it there.
        drop(permit);
    }
}
