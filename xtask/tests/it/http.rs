use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Longer than the gateway takes to give up in any case of ours.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What the far end answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let named = self.headers.iter().find(|(each, _)| each == name);
        named.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts that this is an error that a person can act on.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        let problem = self.json();
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.len() > 10, "no useful detail: {self:?}");
        assert_eq!(problem["status"], status, "{self:?}");
    }

    /// Asserts that this is a 404 that says what there is instead.
    #[track_caller]
    pub(crate) fn assert_lists_every_route(&self) {
        self.assert_problem(404);
        let problem = self.json();
        let detail = problem["detail"].as_str().unwrap_or_default();
        for route in [
            "POST and GET /payments,",
            "GET /payments/{id}",
            "GET /payments-summary",
            "POST /purge-payments",
        ] {
            assert!(detail.contains(route), "no {route}: {detail}");
        }
    }
}

/// One connection that is kept open.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn open(port: u16) -> Self {
        Self::open_at(Ipv4Addr::LOCALHOST, port)
    }

    /// To another address of this machine.
    pub(crate) fn open_at(address: Ipv4Addr, port: u16) -> Self {
        let stream = TcpStream::connect((address, port)).expect("it listens");
        stream.set_nodelay(true).expect("it is a TCP socket");
        stream.set_read_timeout(Some(TIMEOUT)).expect("not zero");
        Self(BufReader::new(stream))
    }

    /// The whole answer to one GET, head included, as it came: read to the connection's end,
    /// so that its length need not be told.
    pub(crate) fn fetch(port: u16, path: &str) -> String {
        let mut connection = Self::open(port);
        let request = format!("GET {path} HTTP/1.0\r\nHost: feeway\r\n\r\n");
        connection.send(request.as_bytes());
        let mut answer = String::new();
        let read = connection.0.read_to_string(&mut answer);
        read.expect("a whole answer within the time");
        answer
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).expect("it is open");
    }

    /// Reads one answer.
    pub(crate) fn answer(&mut self) -> Answer {
        self.read_answer().expect("a whole answer within the time")
    }

    /// Asks for what a GET would be answered with. Whatever comes behind the head is in the
    /// way of the next answer on this connection.
    pub(crate) fn head(&mut self, path: &str) -> Answer {
        self.send(format!("HEAD {path} HTTP/1.1\r\nHost: feeway\r\n\r\n").as_bytes());
        let (status, headers) = self.read_head().expect("a whole head within the time");
        Answer {
            status,
            headers,
            body: String::new(),
        }
    }

    fn read_head(&mut self) -> io::Result<(u16, Vec<(String, String)>)> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("status line {line:?}")))?;
        let mut headers = Vec::new();
        loop {
            line.clear();
            self.0.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok((status, headers))
    }

    fn read_answer(&mut self) -> io::Result<Answer> {
        let (status, headers) = self.read_head()?;
        let value = |name| {
            headers
                .iter()
                .find(|(each, _)| each == name)
                .map(|(_, value)| value)
        };
        let body = if value("transfer-encoding").is_some_and(|coding| coding == "chunked") {
            self.read_chunks()?
        } else {
            let length = value("content-length").map_or(Ok(0), |length| length.parse());
            let mut body = vec![0; length.map_err(io::Error::other)?];
            self.0.read_exact(&mut body)?;
            body
        };
        Ok(Answer {
            status,
            headers,
            body: String::from_utf8(body).map_err(io::Error::other)?,
        })
    }

    /// A body whose length is told piece by piece (RFC 9112, 7.1).
    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line)?;
            let length = usize::from_str_radix(line.trim_end(), 16).map_err(io::Error::other)?;
            let start = body.len();
            body.resize(start + length, 0);
            self.0.read_exact(&mut body[start..])?;
            // The end of the chunk's line, or of the trailer, which nobody sends here.
            self.0.read_line(&mut String::new())?;
            if length == 0 {
                return Ok(body);
            }
        }
    }

    /// One request, whatever comes of it.
    pub(crate) fn try_request(
        &mut self,
        method: &str,
        path: &str,
        body: &str,
    ) -> io::Result<Answer> {
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: feeway\r\n");
        let request = format!("{head}Content-Length: {length}\r\n\r\n{body}");
        self.0.get_mut().write_all(request.as_bytes())?;
        self.read_answer()
    }

    pub(crate) fn request(&mut self, method: &str, path: &str, body: &str) -> Answer {
        self.request_with(method, path, "", body)
    }

    /// Sends a request with more header lines, each with its end of line.
    pub(crate) fn request_with(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Answer {
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: feeway\r\n{headers}");
        let request = format!("{head}Content-Length: {length}\r\n\r\n{body}");
        self.send(request.as_bytes());
        self.answer()
    }
}
