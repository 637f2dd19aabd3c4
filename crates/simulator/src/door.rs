use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::state::State;

/// How long to wait before trying again what the kernel refused.
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// How long a change of settings waits for the door to move.
const MOVE_TIMEOUT: Duration = Duration::from_secs(1);

/// What connections and listening sockets are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Serve.
    Serving,
    /// Refuse to be connected to, and end the connections that are not an administrator's.
    Refusing,
    /// Finish the requests in hand and end.
    Ending,
}

/// Where the mood is set, and where the door says whether it is shut.
pub(crate) struct Gate {
    mood: watch::Sender<Mood>,
    shut: watch::Sender<bool>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            mood: watch::Sender::new(Mood::Serving),
            shut: watch::Sender::new(false),
        }
    }
}

impl Gate {
    pub(crate) fn moods(&self) -> watch::Receiver<Mood> {
        self.mood.subscribe()
    }

    /// Refuses connections or takes them again, and waits until it is so.
    pub(crate) async fn set_refusing(&self, refusing: bool) {
        let wanted = if refusing {
            Mood::Refusing
        } else {
            Mood::Serving
        };
        self.mood.send_if_modified(|mood| {
            let moves = *mood != wanted && *mood != Mood::Ending;
            if moves {
                *mood = wanted;
            }
            moves
        });
        let mut shut = self.shut.subscribe();
        if timeout(MOVE_TIMEOUT, shut.wait_for(|shut| *shut == refusing))
            .await
            .is_err()
        {
            warn!(
                refusing,
                "the listening socket did not open or close in time"
            );
        }
    }

    pub(crate) fn end(&self) {
        self.mood.send_replace(Mood::Ending);
    }
}

/// The listening socket, which is closed while connections are to be refused.
pub(crate) struct Door {
    address: SocketAddr,
    listener: Option<TcpListener>,
    state: Arc<State>,
    moods: watch::Receiver<Mood>,
}

impl Door {
    pub(crate) async fn bind(address: SocketAddr, state: Arc<State>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self {
            address: listener.local_addr()?,
            listener: Some(listener),
            moods: state.gate.moods(),
            state,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection. Cancel safe.
    pub(crate) async fn accept(&mut self) -> TcpStream {
        loop {
            let refusing = *self.moods.borrow_and_update() == Mood::Refusing;
            if refusing {
                self.listener = None;
            }
            self.state.gate.shut.send_replace(self.listener.is_none());
            let Some(listener) = &self.listener else {
                if refusing {
                    changed(&mut self.moods).await;
                } else {
                    self.reopen().await;
                }
                continue;
            };
            tokio::select! {
                stream = accept(listener) => return stream,
                () = changed(&mut self.moods) => {}
            }
        }
    }

    async fn reopen(&mut self) {
        match TcpListener::bind(self.address).await {
            Ok(listener) => self.listener = Some(listener),
            Err(error) => {
                warn!(address = %self.address, %error, "cannot listen again yet");
                sleep(RETRY_AFTER).await;
            }
        }
    }
}

async fn changed(moods: &mut watch::Receiver<Mood>) {
    moods
        .changed()
        .await
        .expect("the state outlives the door that holds it");
}

/// The next connection of a listener. Cancel safe.
pub(crate) async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                sleep(RETRY_AFTER).await;
            }
        }
    }
}
