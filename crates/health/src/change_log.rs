use std::sync::{Mutex, PoisonError};

use async_nats::{ClientError, ConnectErrorKind, Event};
use tracing::{error, info, warn};

use crate::report_channel::NatsLink;

/// One line for each change of the connection with NATS, not one for each attempt.
pub(crate) struct ChangeLog {
    /// Nothing before the first attempt has succeeded or failed.
    standing: Mutex<Option<Standing>>,
    link: NatsLink,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Connected,
    Away,
    /// It is there and does not let us in: somebody must see to that.
    Refused,
}

impl ChangeLog {
    /// The log of a client whose connection the link tells of.
    pub(crate) fn of(link: NatsLink) -> Self {
        Self {
            standing: Mutex::new(None),
            link,
        }
    }

    pub(crate) fn take_note(&self, event: &Event) {
        let (standing, why) = match event {
            Event::Connected => (Standing::Connected, String::new()),
            Event::ClientError(error) if is_refusal(error) => {
                (Standing::Refused, error.to_string())
            }
            Event::ClientError(error) => (Standing::Away, error.to_string()),
            Event::Disconnected | Event::Closed => (Standing::Away, event.to_string()),
            Event::SlowConsumer(_) => {
                warn!("health reports come faster than they are read");
                return;
            }
            Event::ServerError(error) => {
                warn!(%error, "NATS complains");
                return;
            }
            Event::LameDuckMode | Event::Draining => return,
        };
        let mut last = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if *last == Some(standing) || standing == Standing::Away && !is_news(*last, event) {
            return;
        }
        *last = Some(standing);
        self.link.set(standing == Standing::Connected);
        match standing {
            Standing::Connected => info!("NATS is connected"),
            Standing::Away => {
                warn!(%why, "NATS is away; the log of async_nats at debug tells more");
            }
            Standing::Refused => error!(%why, "NATS does not let us in"),
        }
    }
}

/// Whether NATS is away since now. A client reports errors of a living connection too, and
/// one that is refused is disconnected each time.
fn is_news(last: Option<Standing>, event: &Event) -> bool {
    match last {
        None => true,
        Some(Standing::Connected) => !matches!(event, Event::ClientError(_)),
        Some(Standing::Away | Standing::Refused) => false,
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
