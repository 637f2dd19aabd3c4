use async_nats::{ClientError, ConnectErrorKind, Event, ServerError};
use tracing::{error, info, warn};

use crate::nats_link::{Connection, NatsFault, NatsLink};

/// One line for each change of the connection with NATS, not one for each attempt.
pub(crate) struct ChangeLog {
    link: NatsLink,
}

impl ChangeLog {
    /// The log of a client whose connection the link tells of.
    pub(crate) fn of(link: NatsLink) -> Self {
        Self { link }
    }

    pub(crate) fn take_note(&self, event: &Event) {
        let (connection, why) = match event {
            Event::Connected => (Connection::Connected, String::new()),
            Event::ClientError(error) if is_refusal(error) => {
                (Connection::Refused, error.to_string())
            }
            Event::ClientError(error) => (Connection::Away, error.to_string()),
            Event::Disconnected | Event::Closed => (Connection::Away, event.to_string()),
            Event::SlowConsumer(_) => {
                warn!("health reports arrive faster than they are read");
                return;
            }
            Event::ServerError(error) => {
                match denied(error) {
                    Some(fault) => self.link.denied(fault),
                    None => warn!(%error, "NATS reported an error"),
                }
                return;
            }
            Event::LameDuckMode | Event::Draining => return,
        };
        let last = self.link.connection();
        if last == connection || connection == Connection::Away && !is_news(last, event) {
            return;
        }
        self.link.set_connection(connection);
        match connection {
            Connection::Connected => info!("connected to NATS"),
            Connection::Unknown | Connection::Away => {
                warn!(%why, "no connection to NATS; for details log async_nats at debug");
            }
            Connection::Refused => error!(%why, "NATS rejected the credentials"),
        }
    }
}

/// Whether the connection to NATS is lost since now. A client reports errors of a living connection
/// too, and one that is refused is disconnected each time.
fn is_news(last: Connection, event: &Event) -> bool {
    match last {
        Connection::Unknown => true,
        Connection::Connected => !matches!(event, Event::ClientError(_)),
        Connection::Away | Connection::Refused => false,
    }
}

/// What the server tells us that we may not do: it has no other way than this text. A denied
/// subscription is not repeated by the client, and a denied publication vanishes.
fn denied(error: &ServerError) -> Option<NatsFault> {
    let ServerError::Other(text) = error else {
        return None;
    };
    let text = text.to_lowercase();
    if text.starts_with("permissions violation for subscription") {
        Some(NatsFault::SubscriptionDenied)
    } else if text.starts_with("permissions violation for publish") {
        Some(NatsFault::PublicationDenied)
    } else {
        None
    }
}

/// The client tells of a failed connection by the text of its kind alone.
fn is_refusal(error: &ClientError) -> bool {
    let ClientError::Other(text) = error else {
        return false;
    };
    [
        ConnectErrorKind::Authentication,
        ConnectErrorKind::AuthorizationViolation,
        ConnectErrorKind::Tls,
    ]
    .iter()
    .any(|kind| *text == kind.to_string())
}
