//! Passes bytes on to a simulator and keeps what was sent to it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(crate) struct Recorder {
    pub(crate) url: String,
    sent: Arc<Mutex<Vec<u8>>>,
    task: JoinHandle<()>,
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A request, as it was written.
pub(crate) struct Recorded {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Recorded {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(key, _)| key == name);
        let (_, value) = named.next()?;
        assert!(named.next().is_none(), "{name} appears twice");
        Some(value)
    }
}

impl Recorder {
    /// Before the simulator at this URL.
    pub(crate) async fn before(url: &str) -> Self {
        let to: SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let sent = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&sent);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let there = TcpStream::connect(to).await.unwrap();
                tokio::spawn(pass(stream, there, Arc::clone(&kept)));
            }
        });
        Self { url, sent, task }
    }

    /// Everything that was sent, one request after the other. Nobody may have sent two at once.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        let text = String::from_utf8(self.sent.lock().unwrap().clone()).unwrap();
        let mut rest = text.as_str();
        let mut requests = Vec::new();
        while let Some((head, after)) = rest.split_once("\r\n\r\n") {
            let mut lines = head.split("\r\n");
            let line = lines.next().unwrap().to_owned();
            let headers: Vec<_> = lines
                .map(|line| line.split_once(": ").unwrap())
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length = headers.iter().find(|(name, _)| name == "content-length");
            let length = length.map_or(0, |(_, length)| length.parse().unwrap());
            let (body, after) = after.split_at(length);
            requests.push(Recorded {
                line,
                headers,
                body: body.to_owned(),
            });
            rest = after;
        }
        assert_eq!(rest, "");
        requests
    }
}

async fn pass(from: TcpStream, to: TcpStream, sent: Arc<Mutex<Vec<u8>>>) {
    let (mut read, mut write) = from.into_split();
    let (mut answers, mut there) = to.into_split();
    let back = tokio::spawn(async move { drop(copy(&mut answers, &mut write).await) });
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(len @ 1..) = read.read(&mut bytes).await {
        sent.lock().unwrap().extend_from_slice(&bytes[..len]);
        if there.write_all(&bytes[..len]).await.is_err() {
            break;
        }
    }
    back.abort();
}
