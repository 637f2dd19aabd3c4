//! A bare connection, for answers that no HTTP library would pass on.

use std::net::SocketAddr;
use std::time::Duration;

use feeway_domain::CorrelationId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::running::{AT, payment};

pub(crate) struct Wire(TcpStream);

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) async fn post(&mut self, id: CorrelationId) {
        let body = payment(id, "19.90", AT);
        let length = body.len();
        self.write(&format!(
            "POST /payments HTTP/1.1\r\nhost: simulator\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
        .await;
    }

    pub(crate) async fn get(&mut self, path: &str) {
        self.write(&format!("GET {path} HTTP/1.1\r\nhost: simulator\r\n\r\n"))
            .await;
    }

    async fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads as much as is expected, and compares it, a byte for each character.
    pub(crate) async fn expect(&mut self, expected: &str) {
        let expected: Vec<u8> = expected.chars().map(|c| u8::try_from(c).unwrap()).collect();
        let mut bytes = vec![0; expected.len()];
        let read = timeout(Duration::from_secs(5), self.0.read_exact(&mut bytes)).await;
        assert_eq!(
            String::from_utf8_lossy(&bytes),
            String::from_utf8_lossy(&expected)
        );
        read.unwrap().unwrap();
        assert_eq!(bytes, expected);
    }

    /// Reads so many bytes, whatever they are.
    pub(crate) async fn skip(&mut self, count: usize) {
        self.0.read_exact(&mut vec![0; count]).await.unwrap();
    }

    /// Reads to the end, and returns what came before it.
    pub(crate) async fn rest(mut self) -> String {
        let mut text = String::new();
        let read = timeout(Duration::from_secs(5), self.0.read_to_string(&mut text)).await;
        read.unwrap().unwrap();
        text
    }

    /// Whether nothing comes for so long.
    pub(crate) async fn is_silent(&mut self, time: Duration) -> bool {
        timeout(time, self.0.read_u8()).await.is_err()
    }
}
