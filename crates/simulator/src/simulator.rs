use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::info;

use crate::config::SimulatorConfig;
use crate::connection::{reset, serve};
use crate::control::Control;
use crate::door::{Door, accept};
use crate::state::State;

/// The most connections at once; the next ones wait in the kernel's queue. With 16 KiB read
/// ahead and a body of 16 KiB each, they hold 256 MiB at the very most.
const MAX_CONNECTIONS: usize = 8_192;

/// How long requests in hand may take after the shutdown began.
const GRACE: Duration = Duration::from_secs(2);

/// A processor that is bound to its address and not running yet.
pub struct Simulator {
    state: Arc<State>,
    door: Door,
    admin: Option<AdminListener>,
}

struct AdminListener {
    listener: TcpListener,
    address: SocketAddr,
}

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    /// Which.
    pub address: SocketAddr,
    /// Why.
    #[source]
    pub source: io::Error,
}

impl Simulator {
    /// Listens; connections wait until [`run`](Self::run).
    pub async fn bind(config: SimulatorConfig) -> Result<Self, BindError> {
        let (address, admin) = (config.listen, config.admin_listen);
        let state = Arc::new(State::new(config));
        let door = Door::bind(address, Arc::clone(&state))
            .await
            .map_err(|source| BindError { address, source })?;
        let admin = match admin {
            Some(address) => Some(
                AdminListener::bind(address)
                    .await
                    .map_err(|source| BindError { address, source })?,
            ),
            None => None,
        };
        Ok(Self { state, door, admin })
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.door.address()
    }

    /// The address that chaos never refuses, if one was asked for.
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|admin| admin.address)
    }

    /// Its switches and its books, for tests in the same process.
    pub fn control(&self) -> Control {
        Control::new(Arc::clone(&self.state))
    }

    /// Serves until `shutdown` is ready, then finishes the requests in hand, for 2 s at
    /// most. Dropping the future cuts all connections; payments that are waiting inside
    /// are stored all the same while the runtime lives.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        info!(
            processor = %self.state.name,
            fee = %self.state.fee,
            address = %self.door.address(),
            admin_address = self.admin.as_ref().map(|admin| admin.address.to_string()),
            "listening"
        );
        let mut shutdown = pin!(shutdown);
        let mut connections = JoinSet::new();
        loop {
            let room = connections.len() < MAX_CONNECTIONS;
            tokio::select! {
                () = &mut shutdown => break,
                stream = self.door.accept(), if room => {
                    if self.state.fortune().refuses() {
                        reset(&stream);
                    } else {
                        connections.spawn(serve(stream, Arc::clone(&self.state), false));
                    }
                }
                stream = AdminListener::accept(self.admin.as_ref()), if room => {
                    connections.spawn(serve(stream, Arc::clone(&self.state), true));
                }
                Some(_) = connections.join_next() => {}
            }
        }
        drop(self.door);
        drop(self.admin);
        self.state.gate.end();
        let drained = timeout(GRACE, async {
            while connections.join_next().await.is_some() {}
        });
        let cut = drained.await.is_err();
        info!(processor = %self.state.name, cut, "ended");
    }
}

impl AdminListener {
    async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self {
            address: listener.local_addr()?,
            listener,
        })
    }

    /// The next connection, or never when there is no such listener.
    async fn accept(admin: Option<&Self>) -> TcpStream {
        match admin {
            Some(admin) => accept(&admin.listener).await,
            None => pending().await,
        }
    }
}
