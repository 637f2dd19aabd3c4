use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use feeway_machine::http_client::{self, read_answer, read_head};
use serde_json::Value;

/// Longer than the gateway takes to give up in any case of ours.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What the far end answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    read: http_client::Answer,
}

impl Answer {
    fn of(read: io::Result<http_client::Answer>) -> io::Result<Self> {
        let read = read?;
        Ok(Self {
            status: read.status,
            body: String::from_utf8(read.body.clone()).map_err(io::Error::other)?,
            read,
        })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.read.header(name)
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
        Answer::of(read_answer(&mut self.0)).expect("a whole answer within the time")
    }

    /// Asks for what a GET would be answered with. Whatever comes behind the head is in the
    /// way of the next answer on this connection.
    pub(crate) fn head(&mut self, path: &str) -> Answer {
        self.send(format!("HEAD {path} HTTP/1.1\r\nHost: feeway\r\n\r\n").as_bytes());
        Answer::of(read_head(&mut self.0)).expect("a whole head within the time")
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
        Answer::of(read_answer(&mut self.0))
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
