use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{error, info};

/// How long a denied publication is held against NATS. A leader publishes every 5.15 s, so
/// that a denial that lasts is renewed twice meanwhile.
const DENIAL_LIFE: Duration = Duration::from_secs(12);

/// Why this process cannot use NATS. The text follows the word "NATS".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NatsFault {
    /// There is no connection.
    #[error("cannot be reached")]
    Away,
    /// It answers, and rejects our credentials.
    #[error("rejected the credentials of this process")]
    Refused,
    /// We are connected, but may not subscribe.
    #[error("does not allow this process to subscribe to feeway.health.*")]
    SubscriptionDenied,
    /// We are connected, but may not publish.
    #[error("does not allow this process to publish to feeway.health.*")]
    PublicationDenied,
    /// We are connected, but reports that were published do not arrive.
    #[error("did not deliver the last three reports of the leader")]
    Silent,
}

/// What NATS is good for, as its client saw it last. A clone tells of the same one.
#[derive(Clone, Debug, Default)]
pub struct NatsLink(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    connection: Connection,
    denied: Option<(NatsFault, Instant)>,
    silent: bool,
}

/// How the connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Connection {
    /// The first attempt has neither succeeded nor failed.
    #[default]
    Unknown,
    Connected,
    Away,
    /// It rejects our credentials: an operator has to correct them.
    Refused,
}

impl State {
    fn fault(&self) -> Option<NatsFault> {
        match self.connection {
            Connection::Unknown | Connection::Away => Some(NatsFault::Away),
            Connection::Refused => Some(NatsFault::Refused),
            Connection::Connected => {
                let denied = self.denied.map(|(fault, _)| fault);
                denied.or(self.silent.then_some(NatsFault::Silent))
            }
        }
    }
}

impl NatsLink {
    /// Whether it can be used now.
    pub fn is_up(&self) -> bool {
        self.fault().is_none()
    }

    /// Whether there is a connection, used or not.
    pub fn is_connected(&self) -> bool {
        self.connection() == Connection::Connected
    }

    /// Why it cannot be used now, if so.
    pub fn fault(&self) -> Option<NatsFault> {
        self.look(|state| state.fault())
    }

    /// Notes whether the reports that the leader makes fail to come.
    pub fn set_silent(&self, silent: bool) {
        self.judge(|state| state.silent = silent);
    }

    /// A report has come, so nothing is denied.
    pub(crate) fn heard(&self) {
        self.judge(|state| state.denied = None);
    }

    /// NATS denies us what we are connected for.
    pub(crate) fn denied(&self, fault: NatsFault) {
        self.judge(|state| state.denied = Some((fault, Instant::now())));
    }

    /// Forgets a denial that was not renewed for long.
    pub(crate) fn let_denial_fade(&self) {
        self.judge(|state| {
            let fresh = |(_, at): &(NatsFault, Instant)| at.elapsed() < DENIAL_LIFE;
            state.denied = state.denied.filter(fresh);
        });
    }

    pub(crate) fn is_denied(&self) -> bool {
        self.look(|state| state.denied.is_some())
    }

    pub(crate) fn connection(&self) -> Connection {
        self.look(|state| state.connection)
    }

    /// A new connection is judged anew.
    pub(crate) fn set_connection(&self, connection: Connection) {
        self.look(|state| {
            *state = State {
                connection,
                ..State::default()
            };
        });
    }

    fn look<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes what a connection is worth, and tells of it if that is news.
    fn judge(&self, change: impl FnOnce(&mut State)) {
        let (before, now) = self.look(|state| {
            let before = state.fault();
            change(state);
            (before, state.fault())
        });
        match now {
            _ if before == now => {}
            Some(fault) => error!("NATS is connected but cannot be used: it {fault}"),
            None => info!("NATS can be used again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use feeway_testing::CaughtLog;

    use super::*;

    fn connected() -> NatsLink {
        let link = NatsLink::default();
        assert_eq!(link.fault(), Some(NatsFault::Away));
        link.set_connection(Connection::Connected);
        assert_eq!(link.fault(), None);
        link
    }

    #[test]
    fn a_connection_without_reports_is_not_up() {
        let log = CaughtLog::start();
        let link = connected();
        for _ in 0..2 {
            link.denied(NatsFault::SubscriptionDenied);
            link.set_silent(true);
        }
        assert_eq!(link.fault(), Some(NatsFault::SubscriptionDenied));
        assert!(link.is_connected());
        link.heard();
        assert_eq!(link.fault(), Some(NatsFault::Silent));
        link.set_silent(false);
        link.heard();
        assert!(link.is_up());
        let told = log.text();
        for line in [
            "does not allow this process to subscribe",
            "did not deliver the last three reports",
            "can be used again",
        ] {
            assert_eq!(told.matches(line).count(), 1, "{line}: {told}");
        }
    }

    #[test]
    fn a_new_connection_starts_without_faults() {
        let link = connected();
        link.denied(NatsFault::SubscriptionDenied);
        link.set_silent(true);
        link.set_connection(Connection::Away);
        assert_eq!(link.fault(), Some(NatsFault::Away));
        link.set_connection(Connection::Connected);
        assert!(link.is_up());
    }

    #[tokio::test(start_paused = true)]
    async fn a_denial_fades_unless_it_is_renewed() {
        let link = connected();
        for _ in 0..3 {
            link.denied(NatsFault::PublicationDenied);
            tokio::time::advance(Duration::from_secs(11)).await;
            link.let_denial_fade();
            assert_eq!(link.fault(), Some(NatsFault::PublicationDenied));
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        link.let_denial_fade();
        assert!(link.is_up());
    }
}
