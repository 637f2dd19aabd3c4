use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use feeway_domain::Standstill;
use redis::io::tcp::TcpSettings;
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion};

use crate::access::RedisAccess;
use crate::settings::Settings;

/// Where Redis is: `unix:///path`, `redis+unix:///path`, `redis://host:port`, or with TLS
/// `rediss://host:port`. It may name a user and a password; it prints itself without them.
#[derive(Clone)]
pub struct RedisUrl {
    info: ConnectionInfo,
}

/// The text is not such a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a URL such as unix:///path/redis.sock, redis://host:6379 or rediss://host:6379")]
pub struct RedisUrlError;

impl RedisUrl {
    /// Whether TLS is spoken there.
    pub fn is_tls(&self) -> bool {
        matches!(self.info.addr(), ConnectionAddr::TcpTls { .. })
    }

    /// Whether it names a user or a password.
    pub fn has_credentials(&self) -> bool {
        let settings = self.info.redis_settings();
        settings.username().is_some() || settings.password().is_some()
    }
}

impl FromStr for RedisUrl {
    type Err = RedisUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let info = text.into_connection_info().or(Err(RedisUrlError))?;
        // TLS with whoever answers is no TLS.
        if let ConnectionAddr::TcpTls { insecure: true, .. } = info.addr() {
            return Err(RedisUrlError);
        }
        // Only with this protocol does the client say at once that a connection has ended.
        let settings = info
            .redis_settings()
            .clone()
            .set_protocol(ProtocolVersion::RESP3)
            // It would need a right of its own, and tells Redis nothing of use.
            .set_skip_set_lib_name();
        Ok(Self {
            info: info
                .set_redis_settings(settings)
                .set_tcp_settings(TcpSettings::default().set_nodelay(true)),
        })
    }
}

/// The URL without user and password.
impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.info.addr();
        let scheme = if self.is_tls() {
            "rediss"
        } else if matches!(address, ConnectionAddr::Unix(_)) {
            "unix"
        } else {
            "redis"
        };
        write!(f, "{scheme}://{address}")
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a [`Redis`](crate::Redis), and a store in it, has to know.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// Where Redis is.
    pub url: RedisUrl,
    /// The credentials, and what is needed to verify its identity.
    pub access: RedisAccess,
    /// The most payments that may be open at once; intake is refused beyond.
    pub max_open: u64,
    /// How long single payments are kept.
    pub retention: Duration,
    /// Whether this program only reads: then it loads no functions and writes no schema, and
    /// says what is missing.
    pub only_reads: bool,
    /// What is done about unsafe settings of Redis.
    pub settings: Settings,
    /// Whether this program belongs to the data that it finds first, and stands still before any
    /// other. A tool goes on with what it finds.
    pub keeps_identity: bool,
    /// Where the store says why nothing new may be started.
    pub standstill: Arc<Standstill>,
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
            access: RedisAccess::default(),
            max_open: Self::MAX_OPEN,
            retention: Self::RETENTION,
            only_reads: false,
            keeps_identity: false,
            settings: Settings::default(),
            standstill: Arc::default(),
        }
    }

    pub(crate) fn client(&self) -> Client {
        let client = self.access.client(self.url.info.clone());
        client.expect("URL and certificates were checked")
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
            ("rediss://localhost:6380", true),
            ("rediss://localhost:6380#insecure", false),
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
            ("rediss://me:sec%40ret@host:1/2", "rediss://host:1"),
            ("redis://host", "redis://host:6379"),
            (
                "unix:///run/redis.sock?pass=secret",
                "unix:///run/redis.sock",
            ),
        ] {
            assert_eq!(text.parse::<RedisUrl>().unwrap().to_string(), printed);
        }
    }
}
