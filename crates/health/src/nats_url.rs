use std::fmt;
use std::str::FromStr;

use async_nats::ServerAddr;

/// Where NATS is: `nats://host:port`.
#[derive(Clone)]
pub struct NatsUrl(ServerAddr);

/// The text is not such a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a URL such as nats://127.0.0.1:4222")]
pub struct NatsUrlError;

impl NatsUrl {
    pub(crate) fn address(&self) -> ServerAddr {
        self.0.clone()
    }
}

impl FromStr for NatsUrl {
    type Err = NatsUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address: ServerAddr = text.parse().or(Err(NatsUrlError))?;
        // An empty host passes for a URL.
        if address.host().is_empty() {
            return Err(NatsUrlError);
        }
        Ok(Self(address))
    }
}

/// The URL without its password.
impl fmt::Display for NatsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}://{}:{}",
            self.0.scheme(),
            self.0.host(),
            self.0.port()
        )
    }
}

impl fmt::Debug for NatsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let read = text.parse::<NatsUrl>().ok().map(|url| url.to_string());
        assert_eq!(read.as_deref(), expected, "{text}");
    }

    #[test]
    fn only_addresses_are_read() {
        check("nats://127.0.0.1:4222", Some("nats://127.0.0.1:4222"));
        check("nats://me:secret@host", Some("nats://host:4222"));
        check("host:4223", Some("nats://host:4223"));
        check("", None);
        check("nats://", None);
        check("http://127.0.0.1:4222", None);
        check("nats://127.0.0.1:99999", None);
    }
}
