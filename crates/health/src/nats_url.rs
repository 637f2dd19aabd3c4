use std::fmt;
use std::str::FromStr;

use async_nats::ServerAddr;
use feeway_domain::Secret;
use percent_encoding::percent_decode_str;

use crate::NatsCredentials;

/// Where NATS is: `nats://host:port`, or `tls://host:port` for never without TLS. It may name
/// a user and a password, or a token in a user's place; it prints itself without them.
#[derive(Clone)]
pub struct NatsUrl {
    /// Without user and password: the client would print them.
    address: ServerAddr,
    credentials: NatsCredentials,
}

/// The text is not such a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a URL such as nats://127.0.0.1:4222 or tls://nats.example:4222")]
pub struct NatsUrlError;

impl NatsUrl {
    pub(crate) fn address(&self) -> ServerAddr {
        self.address.clone()
    }

    /// Who it says that we are.
    pub fn credentials(&self) -> &NatsCredentials {
        &self.credentials
    }
}

impl FromStr for NatsUrl {
    type Err = NatsUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let given: ServerAddr = text.parse().or(Err(NatsUrlError))?;
        // An empty host passes for a URL.
        if given.host().is_empty() || !matches!(given.scheme(), "nats" | "tls") {
            return Err(NatsUrlError);
        }
        let credentials = match (given.username(), given.password()) {
            (None, None) => NatsCredentials::None,
            (Some(token), None) => NatsCredentials::Token(secret(token)?),
            (None, Some(_)) => return Err(NatsUrlError),
            (Some(user), Some(password)) => NatsCredentials::User {
                user: secret(user)?.expose().to_owned(),
                password: secret(password)?,
            },
        };
        let (scheme, host, port) = (given.scheme(), given.host(), given.port());
        let bare = if host.contains(':') {
            format!("{scheme}://[{host}]:{port}")
        } else {
            format!("{scheme}://{host}:{port}")
        };
        Ok(Self {
            address: bare.parse().or(Err(NatsUrlError))?,
            credentials,
        })
    }
}

/// A part of a URL as it is meant.
fn secret(encoded: &str) -> Result<Secret, NatsUrlError> {
    let decoded = percent_decode_str(encoded).decode_utf8();
    decoded.map(|text| Secret::new(&text)).or(Err(NatsUrlError))
}

/// The URL without user and password.
impl fmt::Display for NatsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = &self.address;
        let (scheme, host, port) = (address.scheme(), address.host(), address.port());
        write!(f, "{scheme}://{host}:{port}")
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
        check("tls://nats.example", Some("tls://nats.example:4222"));
        check("ws://nats.example", None);
        check("nats://:secret@host", None);
        check("http://127.0.0.1:4222", None);
        check("nats://127.0.0.1:99999", None);
    }

    #[test]
    fn user_and_password_are_read_and_not_printed() {
        let credentials = |text: &str| text.parse::<NatsUrl>().unwrap().credentials().clone();
        assert_eq!(credentials("nats://host"), NatsCredentials::None);
        assert_eq!(
            credentials("nats://s3%40cret@host"),
            NatsCredentials::Token(Secret::new("s3@cret"))
        );
        let user = credentials("tls://me:s3cret@host");
        let expected = NatsCredentials::User {
            user: "me".to_owned(),
            password: Secret::new("s3cret"),
        };
        assert_eq!(user, expected);
        assert!(!format!("{user:?}").contains("s3cret"));
    }
}
