use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::{ConnectionInfo, IntoConnectionInfo, ProtocolVersion};

/// Where Redis is: `unix:///path`, `redis+unix:///path` or `redis://host:port`.
#[derive(Clone)]
pub struct RedisUrl {
    text: String,
    info: ConnectionInfo,
}

/// The text is not such a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a URL such as unix:///path/redis.sock or redis://host:6379")]
pub struct RedisUrlError;

impl RedisUrl {
    pub(crate) fn info(&self) -> ConnectionInfo {
        self.info.clone()
    }
}

impl FromStr for RedisUrl {
    type Err = RedisUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let info = text.into_connection_info().or(Err(RedisUrlError))?;
        // Only with this protocol does the client say at once that a connection has ended.
        let settings = info
            .redis_settings()
            .clone()
            .set_protocol(ProtocolVersion::RESP3);
        Ok(Self {
            text: text.to_owned(),
            info: info
                .set_redis_settings(settings)
                .set_tcp_settings(TcpSettings::default().set_nodelay(true)),
        })
    }
}

/// The URL without its password.
impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.text.split_once("://"), self.text.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => write!(f, "{scheme}://{host}"),
            _ => f.write_str(self.text.split('?').next().unwrap_or_default()),
        }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a [`RedisStore`](crate::RedisStore) has to know.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// Where Redis is.
    pub url: RedisUrl,
    /// The most payments that may be open at once; intake is refused beyond.
    pub max_open: u64,
    /// How long single payments are kept.
    pub retention: Duration,
}

impl RedisConfig {
    /// The most open payments unless said otherwise: at 350 bytes each, 700 MB.
    pub const MAX_OPEN: u64 = 2_000_000;

    /// How long single payments are kept unless said otherwise: 7 days.
    pub const RETENTION: Duration = Duration::from_secs(7 * 24 * 3_600);

    /// The defaults, with Redis at this URL.
    pub fn new(url: RedisUrl) -> Self {
        Self {
            url,
            max_open: Self::MAX_OPEN,
            retention: Self::RETENTION,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_and_hosts_are_urls() {
        for (text, good) in [
            ("unix:///run/redis.sock", true),
            ("redis+unix:///run/redis.sock", true),
            ("redis://127.0.0.1:6379", true),
            ("redis://localhost", true),
            ("http://localhost", false),
            ("/run/redis.sock", false),
            ("", false),
        ] {
            assert_eq!(text.parse::<RedisUrl>().is_ok(), good, "{text}");
        }
    }

    #[test]
    fn passwords_are_not_printed() {
        for (text, printed) in [
            ("redis://:secret@host:1", "redis://host:1"),
            (
                "unix:///run/redis.sock?pass=secret",
                "unix:///run/redis.sock",
            ),
        ] {
            assert_eq!(text.parse::<RedisUrl>().unwrap().to_string(), printed);
        }
    }
}
