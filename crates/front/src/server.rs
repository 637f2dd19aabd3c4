use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use feeway_domain::Ledger;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use crate::admin::Admin;
use crate::answer::Answer;
use crate::app::App;
use crate::intake::Intake;
use crate::limits::Limits;
use crate::listen_address::ListenAddress;
use crate::listener::{BindError, Listener};
use crate::meters::{DoorMeters, Visit};
use crate::problem;
use crate::stream::{Socket, Stream};

/// What hyper may buffer of a connection in each direction, so also the largest head.
const CONNECTION_BUFFER_BYTES: usize = 16 * 1024;

/// A scraper, a person and a spare. The admin listeners share them.
const ADMIN_CONNECTIONS: usize = 32;

/// After an accept fails for want of files or memory, the next try would fail as well.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bound listeners that do not serve yet.
#[derive(Debug)]
pub struct Server {
    payments: Vec<Listener>,
    admin: Vec<Listener>,
}

impl Server {
    /// Binds every address, or none.
    pub async fn bind(
        payments: &[ListenAddress],
        admin: &[ListenAddress],
    ) -> Result<Self, BindError> {
        Ok(Self {
            payments: bind_all(payments).await?,
            admin: bind_all(admin).await?,
        })
    }

    /// The addresses that accept payments, with their actual ports.
    pub fn addresses(&self) -> Vec<ListenAddress> {
        addresses(&self.payments)
    }

    /// Where the admin listeners are.
    pub fn admin_addresses(&self) -> Vec<ListenAddress> {
        addresses(&self.admin)
    }

    fn announce(&self) {
        for address in self.addresses() {
            info!(%address, "listening for payments");
        }
        for address in self.admin_addresses() {
            info!(%address, "listening for operators");
        }
    }

    /// Serves until `shutdown` ends, whose result it gives back, and then no longer than the
    /// notice and the farewell of the limits together: it says "not ready" and goes on serving
    /// for the notice, then stops listening and lets requests in hand finish.
    pub async fn run<S: Ledger, I: Intake, T>(
        self,
        app: Arc<App<S, I>>,
        admin: Arc<Admin>,
        shutdown: impl Future<Output = T>,
    ) -> T {
        self.announce();
        let limits = app.limits().clone();
        let readiness = Arc::clone(app.readiness());
        let meters = app.door_meters().clone();
        let hall = Arc::new(Hall::new(&limits));
        let mut doors = JoinSet::new();
        let places = Arc::new(Semaphore::new(limits.connections));
        for listener in self.payments {
            let app = Arc::clone(&app);
            let answer = move |request| {
                let app = Arc::clone(&app);
                async move { app.answer(request).await }
            };
            let door = Door::new(listener, &places, meters.clone());
            doors.spawn(Arc::clone(&hall).receive(door, answer));
        }
        let places = Arc::new(Semaphore::new(ADMIN_CONNECTIONS));
        for listener in self.admin {
            let admin = Arc::clone(&admin);
            let answer = move |request| std::future::ready(admin.answer(&request));
            let door = Door::new(listener, &places, DoorMeters::unseen());
            doors.spawn(Arc::clone(&hall).receive(door, answer));
        }

        let why = shutdown.await;
        readiness.set_draining();
        info!(notice = ?limits.notice, "shutting down: no longer ready");
        sleep(limits.notice).await;
        // Once the doors are gone, this is the only owner of the hall.
        doors.shutdown().await;
        if let Some(hall) = Arc::into_inner(hall)
            && timeout(limits.farewell, hall.guests.shutdown())
                .await
                .is_err()
        {
            warn!("some requests did not finish in time");
        }
        why
    }
}

async fn bind_all(addresses: &[ListenAddress]) -> Result<Vec<Listener>, BindError> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for address in addresses {
        listeners.push(Listener::bind(address).await?);
    }
    Ok(listeners)
}

fn addresses(listeners: &[Listener]) -> Vec<ListenAddress> {
    listeners
        .iter()
        .filter_map(|listener| listener.address().ok())
        .collect()
}

/// One listener, with the places for its clients, which others may share.
struct Door {
    listener: Listener,
    places: Arc<Semaphore>,
    meters: DoorMeters,
}

impl Door {
    fn new(listener: Listener, places: &Arc<Semaphore>, meters: DoorMeters) -> Self {
        Self {
            listener,
            places: Arc::clone(places),
            meters,
        }
    }
}

/// What all listeners of a server share.
struct Hall {
    http: http1::Builder,
    guests: GracefulShutdown,
    write_timeout: Duration,
}

impl Hall {
    fn new(limits: &Limits) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits.head_timeout)
            .max_buf_size(CONNECTION_BUFFER_BYTES)
            // A client that has said all it wants to say still gets its answer, and one
            // that hangs up cuts nothing short that is on its way into the journal.
            .half_close(true);
        Self {
            http,
            guests: GracefulShutdown::new(),
            write_timeout: limits.write_timeout,
        }
    }

    /// Accepts clients for ever, each on a task of its own.
    async fn receive<A, F>(self: Arc<Self>, door: Door, answer: A)
    where
        A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        loop {
            let socket = match door.listener.accept().await {
                Ok(socket) => socket,
                // That client has gone; the next one may be there.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => {
                    debug!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&door.places).try_acquire_owned() else {
                door.meters.refused.increment(1);
                refuse(&socket);
                continue;
            };
            tokio::spawn(serve(
                self.http.clone(),
                Stream::new(socket, self.write_timeout),
                self.guests.watcher(),
                answer.clone(),
                (place, door.meters.enter()),
            ));
        }
    }
}

/// Serves one connection to its end. The place is free when it is dropped.
async fn serve<A, F>(
    http: http1::Builder,
    stream: Stream,
    watcher: Watcher,
    answer: A,
    _place: (OwnedSemaphorePermit, Visit),
) where
    A: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let service = service_fn(move |request| {
        let answered = answer(request);
        async move { Ok::<_, Infallible>(answered.await) }
    });
    let connection = http.serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        // Clients that disconnect, stall or send garbage are normal.
        debug!(%error, "a connection ended early");
    }
}

/// Says why before closing, as far as the kernel accepts it at once: the server does not wait for a
/// client that it refuses.
fn refuse(socket: &Socket) {
    if let Err(error) = socket.try_write(problem::TOO_MANY_CONNECTIONS) {
        debug!(%error, "cannot tell a client that there are too many connections");
    }
}
