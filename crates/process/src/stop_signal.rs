use std::convert::Infallible;
use std::future::Future;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT, caught from here on.
#[derive(Debug)]
pub struct StopSignal {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignal {
    /// Catches both.
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the first of them. Cancel safe.
    pub async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Waits for the first of them, or for a task beside it to fail. Cancel safe if the
    /// task is.
    pub async fn wait_beside<E>(
        mut self,
        task: impl Future<Output = Result<Infallible, E>>,
    ) -> Result<(), E> {
        tokio::select! {
            () = self.wait() => Ok(()),
            failed = task => failed.map(|never| match never {}),
        }
    }
}
