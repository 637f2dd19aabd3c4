use hyper::Uri;
use hyper::header::HeaderValue;

/// Where a processor listens: `http://host:port`, nothing more.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// A name or an address; an IPv6 address without its brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The `Host` header, as the URL writes it.
    pub(crate) authority: HeaderValue,
}

/// The text is not a URL a processor can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not a URL at all, or one without a host.
    #[error("not a URL such as http://host:8001")]
    NotAUrl,
    /// Another scheme than `http`.
    #[error("only http:// is spoken to processors")]
    Scheme,
    /// A path, a query or a user: a processor's paths are fixed.
    #[error("a processor's URL is scheme, host and port, without a path")]
    MoreThanHostAndPort,
}

impl Endpoint {
    pub(crate) fn parse(url: &str) -> Result<Self, EndpointError> {
        let uri: Uri = url.parse().or(Err(EndpointError::NotAUrl))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some(_) => return Err(EndpointError::Scheme),
            None => return Err(EndpointError::NotAUrl),
        }
        let authority = uri.authority().ok_or(EndpointError::NotAUrl)?;
        if authority.as_str().contains('@') || uri.query().is_some() || uri.path() != "/" {
            return Err(EndpointError::MoreThanHostAndPort);
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
            None => 80,
            Some((_, port)) => port.parse().or(Err(EndpointError::NotAUrl))?,
        };
        if host.is_empty() || port == 0 {
            return Err(EndpointError::NotAUrl);
        }
        let header = HeaderValue::from_str(authority.as_str()).or(Err(EndpointError::NotAUrl))?;
        Ok(Self {
            host: host.to_owned(),
            port,
            authority: header,
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
    }

    #[test]
    fn anything_else_is_refused() {
        use EndpointError::{MoreThanHostAndPort, NotAUrl, Scheme};
        check("", Err(NotAUrl));
        check("localhost:8001", Err(NotAUrl));
        check("http://", Err(NotAUrl));
        check("http://:8001", Err(NotAUrl));
        check("http://localhost:", Err(NotAUrl));
        check("http://localhost:0", Err(NotAUrl));
        check("http://localhost:99999", Err(NotAUrl));
        check("http://local host", Err(NotAUrl));
        check("https://localhost:8001", Err(Scheme));
        check("http://user@localhost", Err(MoreThanHostAndPort));
        check("http://localhost/base", Err(MoreThanHostAndPort));
        check("http://localhost/?a", Err(MoreThanHostAndPort));
    }
}
