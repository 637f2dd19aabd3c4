use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a front listens: `tcp:127.0.0.1:8080` or `unix:/run/feeway/front-1.sock`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// An IP address and a port; port 0 takes a free one.
    Tcp(SocketAddr),
    /// The path of a socket, which is made.
    Unix(PathBuf),
}

/// The text is not an address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListenAddressError {
    /// Neither kind.
    #[error("must be tcp:IP:PORT or unix:PATH")]
    UnknownKind,
    /// Not an IP address with a port.
    #[error("must be tcp:IP:PORT, such as tcp:127.0.0.1:8080 or tcp:[::]:8080")]
    NotAnIpAndPort,
    /// The kernel takes no longer path.
    #[error("the path of a socket must have 1 to 107 bytes")]
    PathLength,
}

/// `sun_path` has 108 bytes, the last of which is 0.
const SOCKET_PATH_BYTES_MAX: usize = 107;

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(address) = text.strip_prefix("tcp:") {
            let address = address
                .parse()
                .or(Err(ListenAddressError::NotAnIpAndPort))?;
            Ok(Self::Tcp(address))
        } else if let Some(path) = text.strip_prefix("unix:") {
            if (1..=SOCKET_PATH_BYTES_MAX).contains(&path.len()) {
                Ok(Self::Unix(path.into()))
            } else {
                Err(ListenAddressError::PathLength)
            }
        } else {
            Err(ListenAddressError::UnknownKind)
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, good: bool) {
        let read = text.parse::<ListenAddress>();
        assert_eq!(read.is_ok(), good, "{text}");
        if let Ok(address) = read {
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn addresses_say_their_kind() {
        check("tcp:127.0.0.1:0", true);
        check("tcp:[::1]:8080", true);
        check("unix:/run/x.sock", true);
        check("unix:x", true);
        check("unix:", false);
        check(&format!("unix:{}", "x".repeat(107)), true);
        check(&format!("unix:{}", "x".repeat(108)), false);
        check("tcp:localhost:80", false);
        check("tcp:127.0.0.1", false);
        check("127.0.0.1:80", false);
        check("/run/x.sock", false);
        check("", false);
    }
}
