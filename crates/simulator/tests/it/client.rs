//! One HTTP/1.1 connection, which the test can watch being reset, closed or refused.

use std::error::Error;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use feeway_domain::CorrelationId;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::running::{AT, payment};

pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    connection: JoinHandle<hyper::Result<()>>,
    pub(crate) token: &'static str,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

/// A client that is dropped hangs up.
impl Drop for Client {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).await.unwrap()
    }

    pub(crate) async fn try_connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        Ok(Self {
            sender,
            connection: tokio::spawn(connection),
            token: "123",
        })
    }

    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: &str,
    ) -> hyper::Result<Reply> {
        self.sender.ready().await?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "simulator")
            .header("X-Rinha-Token", self.token)
            .body(Full::from(body.to_owned()))
            .unwrap();
        let reply = self.sender.send_request(request).await?;
        let (status, headers) = (reply.status().as_u16(), reply.headers().clone());
        let body = reply.into_body().collect().await?.to_bytes();
        Ok(Reply {
            status,
            headers,
            text: String::from_utf8(body.to_vec()).unwrap(),
        })
    }

    pub(crate) async fn get(&mut self, path: &str) -> hyper::Result<Reply> {
        self.send("GET", path, "").await
    }

    pub(crate) async fn pay(&mut self, id: CorrelationId) -> hyper::Result<Reply> {
        self.send("POST", "/payments", &payment(id, "19.90", AT))
            .await
    }

    /// Waits until the other side ends the connection, whether or not it was used.
    pub(crate) async fn ended(mut self) {
        drop((&mut self.connection).await.unwrap());
    }
}

/// Whether a fault is a TCP reset.
pub(crate) fn is_reset(error: &hyper::Error) -> bool {
    error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
}
