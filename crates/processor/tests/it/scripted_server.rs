use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use feeway_domain::{CorrelationId, Payment, RequestedAt};
use feeway_processor::{HttpProcessor, HttpProcessorConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What the server does with the next request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Reads it, writes this and keeps the connection.
    Answer(String),
    /// Reads it, writes this, ends its side and waits until the client has ended its own.
    AnswerAndEnd(String),
    /// Reads it, writes this and resets the connection.
    AnswerAndReset(String),
    /// Reads it and writes each part after a pause.
    AnswerInParts(Vec<String>, Duration),
    /// Reads it, writes this, reads the next one, and before it acts on that writes this again
    /// after a pause.
    AnswerAgain(String, Duration),
    /// Reads it and never answers.
    Silence,
    /// Resets the connection as soon as it is accepted.
    ResetUnread,
}

/// A server that follows a script, one act a request, and ends with the test.
pub(crate) struct ScriptedServer {
    pub(crate) url: String,
    seen: Arc<Seen>,
    accept: JoinHandle<()>,
}

struct Seen {
    acts: Mutex<VecDeque<Act>>,
    requests: Mutex<Vec<String>>,
    opened: watch::Sender<usize>,
    ended: watch::Sender<usize>,
}

impl ScriptedServer {
    pub(crate) async fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        Self::start_with(acts, None).await
    }

    /// Keeps its connections and answers one request after the other.
    pub(crate) async fn answering(answers: impl Iterator<Item = &String>) -> Self {
        Self::start(answers.cloned().map(Act::Answer)).await
    }

    /// With TLS, if there is an acceptor.
    pub(crate) async fn start_with(
        acts: impl IntoIterator<Item = Act>,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Seen {
            acts: Mutex::new(acts.into_iter().collect()),
            requests: Mutex::default(),
            opened: watch::Sender::new(0),
            ended: watch::Sender::new(0),
        });
        let accept = tokio::spawn(accept(listener, tls, Arc::clone(&seen)));
        Self { url, seen, accept }
    }

    pub(crate) fn client(&self, config: HttpProcessorConfig) -> HttpProcessor {
        HttpProcessor::new(&self.url, config).unwrap()
    }

    /// The requests that were read in full.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// How many connections were accepted.
    pub(crate) fn connections(&self) -> usize {
        *self.seen.opened.borrow()
    }

    /// Returns when the client has closed so many connections.
    pub(crate) async fn until_ended(&self, count: usize) {
        let mut ended = self.seen.ended.subscribe();
        tokio::time::timeout(
            Duration::from_secs(5),
            ended.wait_for(|&ended| ended >= count),
        )
        .await
        .expect("the client closes its connections")
        .unwrap();
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, seen: Arc<Seen>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        seen.opened.send_modify(|count| *count += 1);
        let seen = Arc::clone(&seen);
        let resets = matches!(seen.acts.lock().unwrap().front(), Some(Act::ResetUnread));
        if resets {
            seen.acts.lock().unwrap().pop_front();
            stream.set_zero_linger().unwrap();
            continue;
        }
        let tls = tls.clone();
        tokio::spawn(async move {
            match tls {
                None => serve(stream, &seen).await,
                // A client that does not trust us says so and goes.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, &seen).await;
                    }
                }
            }
            seen.ended.send_modify(|count| *count += 1);
        });
    }
}

/// A connection that can be reset.
trait Wire: AsyncRead + AsyncWrite + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

async fn serve(mut stream: impl Wire, seen: &Seen) {
    let mut again: Option<(String, Duration)> = None;
    while let Some(request) = read_request(&mut stream).await {
        if let Some((text, pause)) = again.take() {
            tokio::time::sleep(pause).await;
            stream.write_all(text.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
        }
        seen.requests.lock().unwrap().push(request);
        let act = seen.acts.lock().unwrap().pop_front();
        match act.expect("a request that the script allows") {
            Act::Answer(text) => {
                stream.write_all(text.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
            }
            Act::AnswerAgain(text, pause) => {
                stream.write_all(text.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
                again = Some((text, pause));
            }
            Act::AnswerAndEnd(text) => {
                stream.write_all(text.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
                until_end(&mut stream).await;
                return;
            }
            Act::AnswerAndReset(text) => {
                stream.write_all(text.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
                stream.tcp().set_zero_linger().unwrap();
                return;
            }
            Act::AnswerInParts(parts, pause) => {
                for part in parts {
                    tokio::time::sleep(pause).await;
                    if stream.write_all(part.as_bytes()).await.is_err()
                        || stream.flush().await.is_err()
                    {
                        return;
                    }
                }
            }
            Act::Silence => {
                until_end(&mut stream).await;
                return;
            }
            Act::ResetUnread => unreachable!("acted on when the connection was accepted"),
        }
    }
}

async fn until_end(stream: &mut impl Wire) {
    let mut rest = [0; 256];
    while matches!(stream.read(&mut rest).await, Ok(len) if len > 0) {}
}

async fn read_request(stream: &mut impl Wire) -> Option<String> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let len = head
                .to_ascii_lowercase()
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0_usize);
            if body.len() >= len {
                return Some(text);
            }
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
}

/// An answer with a body.
pub(crate) fn answer(status: u16, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} Some Reason\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Time-outs short enough to wait for.
pub(crate) fn quick() -> HttpProcessorConfig {
    HttpProcessorConfig {
        max_connections: 4,
        attempt_timeout: Duration::from_millis(300),
        look_up_timeout: Duration::from_millis(300),
        health_timeout: Duration::from_millis(300),
        ..HttpProcessorConfig::default()
    }
}

pub(crate) const ID: &str = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3";

pub(crate) fn id() -> CorrelationId {
    ID.parse().unwrap()
}

pub(crate) fn payment() -> Payment {
    payment_with(id())
}

pub(crate) fn payment_with(id: CorrelationId) -> Payment {
    Payment {
        id,
        amount: "19.9".parse().unwrap(),
    }
}

/// The id of one of many payments.
pub(crate) fn nth_id(number: u16) -> CorrelationId {
    let mut bytes = [0x4a; 16];
    bytes[14..].copy_from_slice(&number.to_be_bytes());
    CorrelationId::from_bytes(bytes)
}

pub(crate) fn instant() -> RequestedAt {
    "2020-07-10T12:34:56.000001Z".parse().unwrap()
}

/// The URL of a port where nobody listens.
pub(crate) async fn refused_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
