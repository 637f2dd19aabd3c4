//! HTTP/1.1 as bytes: what a client writes, and what it reads back.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::front::Front;

pub(crate) const ID: &str = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3";

/// An answer that was read whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks that this is a refusal as RFC 9457 has it, and gives its detail.
    pub(crate) fn detail(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        let retry_after = (status == 503).then_some("1");
        assert_eq!(self.header("retry-after"), retry_after, "{self:?}");
        let body = self.json();
        assert_eq!(body["status"], status, "{self:?}");
        assert_eq!(body["type"], "about:blank", "{self:?}");
        assert!(!body["title"].as_str().unwrap().is_empty(), "{self:?}");
        body["detail"].as_str().unwrap().to_owned()
    }
}

/// One connection.
pub(crate) struct Client<T> {
    stream: T,
    buffer: Vec<u8>,
}

impl Client<TcpStream> {
    pub(crate) async fn tcp(front: &Front) -> Self {
        Self::new(TcpStream::connect(front.tcp).await.unwrap())
    }

    /// Waits until there is something to read, and leaves it there.
    pub(crate) async fn until_readable(&self) {
        self.stream.readable().await.unwrap();
    }

    pub(crate) async fn admin(front: &Front) -> Self {
        Self::new(TcpStream::connect(front.admin).await.unwrap())
    }
}

impl Client<UnixStream> {
    pub(crate) async fn unix(front: &Front) -> Self {
        Self::unix_at(&front.unix).await.unwrap()
    }

    pub(crate) async fn unix_at(path: &Path) -> io::Result<Self> {
        UnixStream::connect(path).await.map(Self::new)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Client<T> {
    fn new(stream: T) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    pub(crate) async fn write(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// Writes what the front may no longer want to read.
    pub(crate) async fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Says that nothing more will be written.
    pub(crate) async fn finish(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    pub(crate) async fn ask(&mut self, method: &str, target: &str) -> Reply {
        self.write(&format!(
            "{method} {target} HTTP/1.1\r\nhost: front\r\n\r\n"
        ))
        .await;
        self.reply().await
    }

    pub(crate) async fn post(&mut self, body: &str) -> Reply {
        self.write(&post(body)).await;
        self.reply().await
    }

    /// Reads one answer.
    pub(crate) async fn reply(&mut self) -> Reply {
        self.try_reply().await.expect("the front answers")
    }

    /// Reads one answer, or nothing when the connection is closed instead.
    pub(crate) async fn try_reply(&mut self) -> Option<Reply> {
        loop {
            if let Some((reply, length)) = split_reply(&self.buffer) {
                self.buffer.drain(..length);
                return Some(reply);
            }
            if self.read().await == 0 {
                assert_eq!(String::from_utf8_lossy(&self.buffer), "", "half an answer");
                return None;
            }
        }
    }

    /// Reads up to the end of the connection: the answer to a HEAD has no body.
    pub(crate) async fn head_only(&mut self) -> String {
        while self.read().await > 0 {}
        let text = String::from_utf8(std::mem::take(&mut self.buffer)).unwrap();
        assert!(text.ends_with("\r\n\r\n"), "{text}");
        text
    }

    /// Checks that the front closes the connection without another word.
    pub(crate) async fn expect_close(&mut self) {
        assert!(self.try_reply().await.is_none());
    }

    /// Says that nothing more will be written, reads to the end of the connection, and
    /// counts the payments that were accepted on the way.
    pub(crate) async fn accepted_until_close(&mut self) -> usize {
        // A front that has cut it off already is at the end as well.
        self.stream.shutdown().await.unwrap_or_default();
        while self.read().await > 0 {}
        String::from_utf8_lossy(&self.buffer)
            .matches("HTTP/1.1 202 ")
            .count()
    }

    async fn read(&mut self) -> usize {
        let read = timeout(
            Duration::from_secs(10),
            self.stream.read_buf(&mut self.buffer),
        );
        // A reset ends a connection just as well.
        read.await
            .expect("the front does something within 10 s")
            .unwrap_or(0)
    }
}

/// A `POST /payments` with this body.
pub(crate) fn post(body: &str) -> String {
    let length = body.len();
    format!("POST /payments HTTP/1.1\r\nhost: front\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// The body of a payment.
pub(crate) fn payment(amount: &str) -> String {
    format!(r#"{{"correlationId":"{ID}","amount":{amount}}}"#)
}

fn split_reply(bytes: &[u8]) -> Option<(Reply, usize)> {
    let text = std::str::from_utf8(bytes).unwrap();
    let (head, rest) = text.split_once("\r\n\r\n")?;
    let mut reply = Reply {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: String::new(),
    };
    let length: usize = reply
        .header("content-length")
        .unwrap_or("0")
        .parse()
        .unwrap();
    reply.body = rest.get(..length)?.to_owned();
    Some((reply, head.len() + 4 + length))
}
