use hyper::Uri;
use hyper::header::HeaderValue;

/// Below a processor's URL.
const PAYMENTS: &str = "/payments";

/// Where a processor listens: `http://host:port` or `https://host:port`, and the path below
/// which its API is.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// Whether TLS is spoken there.
    pub(crate) is_tls: bool,
    /// A name or an address; an IPv6 address without its brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The `Host` header, as the URL writes it.
    pub(crate) authority: HeaderValue,
    /// `POST` goes there.
    pub(crate) payments: Uri,
    /// The question for its health goes there.
    pub(crate) health: Uri,
}

/// The text is not a URL a processor can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not a URL at all, or one without a host.
    #[error("not a URL such as http://host:8001")]
    NotAUrl,
    /// Another scheme than `http` or `https`.
    #[error("a processor's URL must begin with http:// or https://")]
    Scheme,
    /// A query or a user: what opens the door comes from a file.
    #[error("a processor's URL must be scheme, host, port and path, without a user or a query")]
    UserOrQuery,
}

/// A processor's URL as it is kept and compared: see [`parse_processor`](crate::parse_processor).
pub fn normal_url(url: &str) -> Result<String, EndpointError> {
    Endpoint::parse(url.trim_end_matches('/')).map(|endpoint| endpoint.url())
}

impl Endpoint {
    /// The URL as everybody writes it: scheme and host in lower case, a port only if it is not
    /// the scheme's own, the path without a closing slash. Two texts that lead to one endpoint
    /// give one URL.
    pub(crate) fn url(&self) -> String {
        let (scheme, own_port) = if self.is_tls {
            ("https", 443)
        } else {
            ("http", 80)
        };
        let host = self.host.to_ascii_lowercase();
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host
        };
        let port = if self.port == own_port {
            String::new()
        } else {
            format!(":{}", self.port)
        };
        let path = self.payments.path();
        let base = path.strip_suffix(PAYMENTS).unwrap_or(path);
        format!("{scheme}://{host}{port}{base}")
    }

    /// The URL without a path, for those who read a log.
    pub(crate) fn base(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        let authority = self.authority.to_str().unwrap_or(&self.host);
        format!("{scheme}://{authority}")
    }

    pub(crate) fn parse(url: &str) -> Result<Self, EndpointError> {
        let uri: Uri = url.parse().or(Err(EndpointError::NotAUrl))?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(_) => return Err(EndpointError::Scheme),
            None => return Err(EndpointError::NotAUrl),
        };
        let authority = uri.authority().ok_or(EndpointError::NotAUrl)?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(EndpointError::UserOrQuery);
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        // `host:` and `host:99999` parse as an authority, but have no port to connect to.
        let written_port = authority.as_str().rsplit_once(':').filter(|(_, port)| {
            // The colons of a bracketed address are not a port's.
            !port.ends_with(']')
        });
        let port = match written_port {
            None if is_tls => 443,
            None => 80,
            Some((_, port)) => port.parse().or(Err(EndpointError::NotAUrl))?,
        };
        if host.is_empty() || port == 0 {
            return Err(EndpointError::NotAUrl);
        }
        let header = HeaderValue::from_str(authority.as_str()).or(Err(EndpointError::NotAUrl))?;
        let base = uri.path().trim_end_matches('/');
        let below = |path: &str| Uri::try_from(format!("{base}{path}"));
        Ok(Self {
            is_tls,
            host: host.to_owned(),
            port,
            authority: header,
            payments: below(PAYMENTS).or(Err(EndpointError::NotAUrl))?,
            health: below("/payments/service-health").or(Err(EndpointError::NotAUrl))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: Result<(&str, u16), EndpointError>) {
        let read = Endpoint::parse(url).map(|endpoint| (endpoint.host, endpoint.port));
        let expected = expected.map(|(host, port)| (host.to_owned(), port));
        assert_eq!(read, expected, "{url}");
    }

    #[test]
    fn host_and_port_are_read() {
        check("http://localhost:8001", Ok(("localhost", 8001)));
        check("http://localhost:8001/", Ok(("localhost", 8001)));
        check("http://payments.example", Ok(("payments.example", 80)));
        check("http://10.0.0.1:80", Ok(("10.0.0.1", 80)));
        check("http://[::1]:8001", Ok(("::1", 8001)));
        check("http://[::1]", Ok(("::1", 80)));
        check("https://payments.example", Ok(("payments.example", 443)));
        check("https://[::1]:8443/", Ok(("::1", 8443)));
    }

    #[test]
    fn a_path_is_where_the_api_begins() {
        for (url, expected) in [
            ("http://a", "/payments"),
            ("https://a/", "/payments"),
            ("https://a/v2", "/v2/payments"),
            ("https://a:1/acquirer/v2/", "/acquirer/v2/payments"),
        ] {
            let endpoint = Endpoint::parse(url).unwrap();
            assert!(url.starts_with(&endpoint.base()), "{}", endpoint.base());
            assert_eq!(endpoint.payments, expected);
            let health = format!("{expected}/service-health");
            assert_eq!(endpoint.health, health.as_str());
        }
    }

    #[test]
    fn one_endpoint_has_one_url() {
        for (urls, expected) in [
            (
                &[
                    "http://Pay.Example",
                    "HTTP://pay.example:80/",
                    "http://pay.example//",
                ][..],
                "http://pay.example",
            ),
            (
                &["https://a:443/v2", "https://A/v2/", "https://a/v2//"],
                "https://a/v2",
            ),
            (&["https://a:80/V2"], "https://a:80/V2"),
            (
                &["http://[::1]:8001/", "http://[::1]:8001"],
                "http://[::1]:8001",
            ),
            (&["http://[::1]:80"], "http://[::1]"),
            (&["http://127.0.0.1:8001"], "http://127.0.0.1:8001"),
        ] {
            for url in urls {
                assert_eq!(Endpoint::parse(url).unwrap().url(), expected, "{url}");
            }
            // It leads to the same place.
            assert_eq!(Endpoint::parse(expected).unwrap().url(), expected);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        use EndpointError::{NotAUrl, Scheme, UserOrQuery};
        check("", Err(NotAUrl));
        check("localhost:8001", Err(NotAUrl));
        check("http://", Err(NotAUrl));
        check("http://:8001", Err(NotAUrl));
        check("http://localhost:", Err(NotAUrl));
        check("http://localhost:0", Err(NotAUrl));
        check("http://localhost:99999", Err(NotAUrl));
        check("http://local host", Err(NotAUrl));
        check("ftp://localhost:8001", Err(Scheme));
        check("http://user@localhost", Err(UserOrQuery));
        check("https://localhost/base?a", Err(UserOrQuery));
        check("http://localhost/?a", Err(UserOrQuery));
    }
}
