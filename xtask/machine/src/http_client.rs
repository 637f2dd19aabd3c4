//! A small blocking HTTP/1.1 client over TCP and Unix sockets. It never repeats a request by
//! itself: what a broken connection means is for the caller to say.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::readiness::Address;

/// More headers than this are not an answer of ours.
const MAX_HEADERS: usize = 64;

/// The longest line of a head or of a chunk's size.
const MAX_LINE_BYTES: u64 = 16 * 1024;

/// A dump of a million payments is about 120 MB.
const MAX_BODY_BYTES: u64 = 512 << 20;

/// What the far end answered.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// The body, with its chunks joined.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let named = self.headers.iter().find(|(each, _)| each == name);
        named.map(|(_, value)| value.as_str())
    }

    fn has(&self, name: &str, value: &str) -> bool {
        let found = self.header(name);
        found.is_some_and(|found| found.eq_ignore_ascii_case(value))
    }

    /// The body as text, for a message.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One address, and one connection to it that is kept while it works.
pub struct Client {
    address: Address,
    timeout: Duration,
    connection: Option<BufReader<Socket>>,
}

impl Client {
    /// Connects when it is first used. The time is for each read and each write.
    pub fn new(address: Address, timeout: Duration) -> Self {
        Self {
            address,
            timeout,
            connection: None,
        }
    }

    /// Sends one request and reads its answer.
    pub fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.send(request)?;
        self.receive()
    }

    /// Sends one request; its answer is to be read with [`Self::receive`].
    pub fn send(&mut self, request: &[u8]) -> io::Result<()> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => BufReader::new(Socket::open(&self.address, self.timeout)?),
        };
        connection.get_mut().write_all(request)?;
        self.connection = Some(connection);
        Ok(())
    }

    /// Reads the answer to the request that was sent. A connection that failed is not used
    /// again.
    pub fn receive(&mut self) -> io::Result<Answer> {
        let mut connection = self.connection.take().ok_or(io::ErrorKind::NotConnected)?;
        let answer = read_answer(&mut connection)?;
        if !answer.has("connection", "close") {
            self.connection = Some(connection);
        }
        Ok(answer)
    }
}

/// A whole request. `headers` are whole lines with their ends.
pub fn request(method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: feeway\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Reads an answer to its end, but for a body.
pub fn read_head(connection: &mut impl BufRead) -> io::Result<Answer> {
    let line = read_line(connection)?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| malformed("status line", &line))?;
    let mut headers = Vec::new();
    while headers.len() < MAX_HEADERS {
        let line = read_line(connection)?;
        let Some((name, value)) = line.split_once(':') else {
            return Ok(Answer {
                status,
                headers,
                body: Vec::new(),
            });
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Err(malformed("head", "too many headers"))
}

/// Reads a whole answer.
pub fn read_answer(connection: &mut impl BufRead) -> io::Result<Answer> {
    let mut answer = read_head(connection)?;
    answer.body = if answer.has("transfer-encoding", "chunked") {
        read_chunks(connection)?
    } else {
        let length = answer.header("content-length").unwrap_or("0");
        let length = length.parse().map_err(|_bad| malformed("length", length))?;
        read_exactly(connection, length)?
    };
    Ok(answer)
}

fn read_line(connection: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    connection.take(MAX_LINE_BYTES).read_line(&mut line)?;
    if !line.ends_with('\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end().len());
    Ok(line)
}

fn read_exactly(connection: &mut impl BufRead, length: u64) -> io::Result<Vec<u8>> {
    if length > MAX_BODY_BYTES {
        return Err(malformed("length", "too long"));
    }
    let mut body = Vec::new();
    connection.take(length).read_to_end(&mut body)?;
    if body.len() as u64 == length {
        Ok(body)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn read_chunks(connection: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    while (body.len() as u64) < MAX_BODY_BYTES {
        let line = read_line(connection)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_bad| malformed("chunk size", &line))?;
        body.append(&mut read_exactly(connection, size)?);
        let end = read_line(connection)?;
        if !end.is_empty() {
            return Err(malformed("end of a chunk", &end));
        }
        if size == 0 {
            return Ok(body);
        }
    }
    Err(malformed("body", "too long"))
}

fn malformed(what: &str, found: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("bad {what}: {found}"))
}

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    fn open(address: &Address, timeout: Duration) -> io::Result<Self> {
        match address {
            Address::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, timeout)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(timeout))?;
                stream.set_write_timeout(Some(timeout))?;
                Ok(Self::Tcp(stream))
            }
            Address::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(timeout))?;
                stream.set_write_timeout(Some(timeout))?;
                Ok(Self::Unix(stream))
            }
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(buffer),
            Self::Unix(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            Self::Unix(stream) => stream.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wire: &str, expected: Option<(u16, &str, bool)>) {
        let answer = read_answer(&mut wire.as_bytes()).ok();
        let found = answer.as_ref().map(|answer| {
            (
                answer.status,
                answer.text(),
                answer.has("connection", "close"),
            )
        });
        let expected = expected.map(|(status, body, closes)| (status, body.to_owned(), closes));
        assert_eq!(found, expected, "{wire}");
    }

    #[test]
    fn whole_answers_are_read_and_cut_ones_are_errors() {
        let accepted = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
        check(accepted, Some((202, "", false)));
        check(
            "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
            Some((503, "{}", true)),
        );
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
            Some((200, "abcd", false)),
        );
        for cut in 0..accepted.len() {
            check(&accepted[..cut], None);
        }
        check("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab", None);
        check(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab",
            None,
        );
        check("nonsense\r\n\r\n", None);
    }
}
