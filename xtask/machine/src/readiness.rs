use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use serde::{Deserialize, Serialize};

/// How long one question may take.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(1);

/// Where a process listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    /// An address and a port.
    Tcp(SocketAddr),
    /// The path of a socket.
    Unix(PathBuf),
}

impl Address {
    /// As a person reads it.
    pub fn text(&self) -> String {
        match self {
            Self::Tcp(address) => address.to_string(),
            Self::Unix(path) => path.display().to_string(),
        }
    }
}

/// How to find out whether a process is ready for work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// Redis answers PONG: it has loaded its data.
    RedisPong {
        /// Where it listens.
        at: Address,
    },
    /// NATS greets with INFO.
    NatsInfo {
        /// Where it listens.
        at: Address,
    },
    /// A GET is answered with 200.
    HttpOk {
        /// Where it listens.
        at: Address,
        /// What is asked for.
        path: String,
        /// A whole header line, if the question needs one.
        header: Option<String>,
    },
}

impl Readiness {
    /// Asks once. Whatever goes wrong means "not yet".
    pub fn ask(&self) -> bool {
        match self {
            Self::RedisPong { at } => answers(at, "PING\r\n", b"+PONG"),
            Self::NatsInfo { at } => answers(at, "", b"INFO "),
            Self::HttpOk { at, path, header } => {
                let header = header
                    .as_ref()
                    .map_or_else(String::new, |line| format!("{line}\r\n"));
                let request = format!(
                    "GET {path} HTTP/1.1\r\nHost: feeway\r\n{header}Connection: close\r\n\r\n"
                );
                answers(at, &request, b"HTTP/1.1 200")
            }
        }
    }
}

fn answers(at: &Address, question: &str, expected: &[u8]) -> bool {
    let answer = match at {
        Address::Tcp(address) => open_tcp(*address).and_then(|s| talk(s, question, expected)),
        Address::Unix(path) => open_unix(path).and_then(|s| talk(s, question, expected)),
    };
    answer.is_ok_and(|answer| answer == expected)
}

fn talk(mut stream: impl Read + Write, question: &str, expected: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(question.as_bytes())?;
    let mut answer = vec![0; expected.len()];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

fn open_tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, QUESTION_TIMEOUT)?;
    stream.set_read_timeout(Some(QUESTION_TIMEOUT))?;
    stream.set_write_timeout(Some(QUESTION_TIMEOUT))?;
    Ok(stream)
}

/// A connect to a Unix socket waits as long as the queue of a paused listener is full, and
/// only a timeout that is set before it bounds that wait.
fn open_unix(path: &PathBuf) -> io::Result<UnixStream> {
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    set_socket_timeout(&socket, Timeout::Send, Some(QUESTION_TIMEOUT))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(QUESTION_TIMEOUT))?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(UnixStream::from(socket))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    fn check(answer: &'static str, expected: bool) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let readiness = Readiness::HttpOk {
            at: Address::Tcp(address),
            path: "/readyz".to_owned(),
            header: Some("X-Rinha-Token: 123".to_owned()),
        };
        assert_eq!(readiness.ask(), expected, "{answer}");
        let request = server.join().unwrap();
        assert!(request.starts_with("GET /readyz HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("\r\nX-Rinha-Token: 123\r\n"), "{request}");
    }

    #[test]
    fn only_a_200_is_ready() {
        check("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true);
        check("HTTP/1.1 503 Service Unavailable\r\n\r\n", false);
        check("HTTP", false);
    }

    #[test]
    fn a_missing_socket_is_not_ready() {
        let at = Address::Unix(PathBuf::from("/nonexistent/feeway.sock"));
        assert!(!Readiness::RedisPong { at }.ask());
    }
}
