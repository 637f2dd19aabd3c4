use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::PATIENCE;

/// How a stub answers every question.
#[derive(Clone, Copy)]
pub(crate) enum Manner {
    Reports { failing: bool, min_ms: u64 },
    TooEarly,
    NoEndpoint,
    Silent,
}

/// A processor that knows its health only, and remembers when it was asked.
pub(crate) struct ProcessorStub {
    pub(crate) url: String,
    asks: watch::Sender<Vec<Instant>>,
    accept: JoinHandle<()>,
}

impl ProcessorStub {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asks = watch::Sender::default();
        let noted = asks.clone();
        let accept = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, manner, noted.clone()));
            }
        });
        Self { url, asks, accept }
    }

    /// One whose port refuses connections.
    pub(crate) async fn refusing() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            asks: watch::Sender::default(),
            accept: tokio::spawn(std::future::ready(())),
        }
    }

    pub(crate) fn asks(&self) -> Vec<Instant> {
        self.asks.borrow().clone()
    }

    /// Returns when it was asked so often in all.
    pub(crate) async fn until_asked(&self, times: usize) {
        let mut asks = self.asks.subscribe();
        timeout(PATIENCE, asks.wait_for(|asks| asks.len() >= times))
            .await
            .expect("the processor is asked")
            .unwrap();
    }

    /// The times between one question and the next.
    pub(crate) fn gaps(&self) -> Vec<Duration> {
        let asks = self.asks();
        asks.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

impl Drop for ProcessorStub {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

async fn serve(mut stream: TcpStream, manner: Manner, asks: watch::Sender<Vec<Instant>>) {
    let mut read = Vec::new();
    while matches!(stream.read_buf(&mut read).await, Ok(len) if len > 0) {
        if !read.ends_with(b"\r\n\r\n") {
            continue;
        }
        assert!(read.starts_with(b"GET /payments/service-health HTTP/1.1\r\n"));
        read.clear();
        asks.send_modify(|asks| asks.push(Instant::now()));
        let answer = match manner {
            Manner::Reports { failing, min_ms } => {
                let body = format!(r#"{{"failing":{failing},"minResponseTime":{min_ms}}}"#);
                let len = body.len();
                format!("HTTP/1.1 200 OK\r\ncontent-length: {len}\r\n\r\n{body}")
            }
            Manner::TooEarly => {
                "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n".to_owned()
            }
            Manner::NoEndpoint => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(),
            Manner::Silent => continue,
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
