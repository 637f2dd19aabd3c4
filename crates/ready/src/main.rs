//! The health check of Feeway's containers, in which there is nothing else that could ask.
//!
//! Does: asks `/readyz` at the address that `FEEWAY_ADMIN_LISTEN` gives the process beside it,
//! and ends with 0 if that is answered with 200, else with 1 and the reason.
//!
//! Does not: use a runtime or a client; each check runs within the limits of what it checks.
//!
//! ```text
//! docker ──► feeway-ready ──► /readyz of the front or leader in the same container
//! ```

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

/// Where the process beside it was told to listen.
const VARIABLE: &str = "FEEWAY_ADMIN_LISTEN";

/// For the connection, the question and the answer each.
const TIMEOUT: Duration = Duration::from_secs(2);

const QUESTION: &[u8] = b"GET /readyz HTTP/1.1\r\nHost: feeway\r\nConnection: close\r\n\r\n";
const READY: &[u8] = b"HTTP/1.1 200 ";

fn main() -> ExitCode {
    let Ok(addresses) = std::env::var(VARIABLE) else {
        eprintln!("{VARIABLE} is not set to an address");
        return ExitCode::FAILURE;
    };
    // A front may have several; each tells the same.
    let address = addresses.split(';').next().unwrap_or_default();
    match ask(address) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{address} is not ready: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Asks at `tcp:IP:PORT` or `unix:PATH`.
fn ask(address: &str) -> io::Result<()> {
    if let Some(path) = address.strip_prefix("unix:") {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        return talk(stream);
    }
    let address = address.strip_prefix("tcp:").unwrap_or_default();
    let address: SocketAddr = address.parse().map_err(|_not_one| {
        io::Error::new(ErrorKind::InvalidInput, "neither tcp:IP:PORT nor unix:PATH")
    })?;
    let stream = TcpStream::connect_timeout(&reachable(address), TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    talk(stream)
}

/// Who listens at every address is asked at the loopback one.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

fn talk(mut stream: impl Read + Write) -> io::Result<()> {
    stream.write_all(QUESTION)?;
    let mut answer = [0; READY.len()];
    stream.read_exact(&mut answer)?;
    if answer == READY {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&answer);
    Err(io::Error::other(format!("it answered {said}")))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    fn check(answer: &'static str, expected: bool) {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let address = format!("tcp:{}", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut question = vec![0; QUESTION.len()];
            stream.read_exact(&mut question).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            question
        });
        assert_eq!(ask(&address).is_ok(), expected, "{answer}");
        assert_eq!(server.join().unwrap(), QUESTION);
    }

    #[test]
    fn only_a_200_is_ready() {
        check("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true);
        check("HTTP/1.1 503 Service Unavailable\r\n\r\n", false);
        check("HTTP", false);
    }

    #[test]
    fn an_address_that_nobody_answers_at_is_not_ready() {
        assert!(ask("unix:/nonexistent/feeway.sock").is_err());
        assert!(ask("tcp:127.0.0.1:1").is_err());
        assert!(ask("127.0.0.1:9100").is_err());
        assert!(ask("").is_err());
    }
}
