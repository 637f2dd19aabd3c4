//! Requests of our own, each on a connection of its own unless said otherwise, and what came
//! back.

use std::time::Duration;

use bytes::Bytes;
use feeway_domain::{CorrelationId, Doubt, GetAnswer, PostAnswer};
use feeway_processor::{
    BODY_LEN_MAX, BodyFault, HttpProcessor, garbled_look_up, read_look_up, read_post,
};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

/// How often a request is made again that was answered with 429.
const REPEATS_MAX: usize = 2;

/// The pause after a 429 that does not say how long to wait.
const USUAL_PAUSE: Duration = Duration::from_secs(1);

/// How long Feeway waits for the body of an answer to a POST.
const RECEIPT_TIMEOUT: Duration = Duration::from_secs(1);

/// Sends to one processor.
#[derive(Clone)]
pub(crate) struct Wire {
    processor: HttpProcessor,
    /// The longest pause that a 429 may ask for.
    pause_max: Duration,
}

/// An answer, as far as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    body: Result<Bytes, BodyFault>,
    /// From sending the request to the answer's head.
    pub(crate) took: Duration,
}

impl Seen {
    /// The whole body, or why there is none.
    pub(crate) fn body(&self) -> Result<&[u8], BodyFault> {
        match &self.body {
            Ok(body) => Ok(body),
            Err(fault) => Err(*fault),
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No connection could be made.
    Unreachable,
    /// It took longer than Feeway waits.
    TimedOut,
    /// The connection ended.
    Reset,
    /// What came is no HTTP.
    Garbled,
}

pub(crate) type Answer = Result<Seen, Fault>;

impl Wire {
    pub(crate) fn new(processor: HttpProcessor, pause_max: Duration) -> Self {
        Self {
            processor,
            pause_max,
        }
    }

    /// The product's client of the same processor.
    pub(crate) fn processor(&self) -> &HttpProcessor {
        &self.processor
    }

    pub(crate) async fn post(&self, body: Bytes) -> Answer {
        self.patiently(Method::POST, "", body).await
    }

    pub(crate) async fn look_up(&self, id: &str) -> Answer {
        let below = format!("/{id}");
        self.patiently(Method::GET, &below, Bytes::new()).await
    }

    /// Asks once, whatever is answered: processors allow one such question in 5 s.
    pub(crate) async fn health(&self) -> Answer {
        self.once(Method::GET, "/service-health", Bytes::new())
            .await
    }

    /// Makes a request again that came too early.
    async fn patiently(&self, method: Method, below: &str, body: Bytes) -> Answer {
        for _ in 0..REPEATS_MAX {
            let answer = self.once(method.clone(), below, body.clone()).await;
            let Some(pause) = answer.as_ref().ok().and_then(pause_asked) else {
                return answer;
            };
            sleep(pause.min(self.pause_max)).await;
        }
        self.once(method, below, body).await
    }

    async fn once(&self, method: Method, below: &str, body: Bytes) -> Answer {
        Line::open(&self.processor)
            .await?
            .ask(method, below, body)
            .await
    }
}

/// How long to wait, if the answer is that we asked too often.
fn pause_asked(seen: &Seen) -> Option<Duration> {
    let nobody = CorrelationId::from_bytes([0; 16]);
    let said = read_post(seen.status, &seen.headers, Ok(b""), nobody);
    if let PostAnswer::Overloaded { retry_after } = said {
        return Some(retry_after.unwrap_or(USUAL_PAUSE));
    }
    None
}

/// What the client makes of the answer to a POST.
pub(crate) fn post_answer(answer: &Answer, id: CorrelationId) -> PostAnswer {
    match answer {
        Ok(seen) => read_post(seen.status, &seen.headers, seen.body(), id),
        Err(Fault::Unreachable) => PostAnswer::Unreachable,
        Err(Fault::TimedOut) => PostAnswer::Lost(Doubt::TimedOut),
        Err(Fault::Reset) => PostAnswer::Lost(Doubt::Reset),
        Err(Fault::Garbled) => PostAnswer::Lost(Doubt::Unclear),
    }
}

/// What the client makes of the answer to a look-up.
pub(crate) fn look_up_answer(answer: &Answer, id: CorrelationId) -> GetAnswer {
    match answer {
        Ok(seen) => read_look_up(seen.status, seen.body(), id),
        Err(Fault::Unreachable) => GetAnswer::Unreachable,
        Err(Fault::TimedOut | Fault::Reset) => GetAnswer::Unclear,
        Err(Fault::Garbled) => garbled_look_up(),
    }
}

/// One connection. It is closed when it is dropped.
pub(crate) struct Line<'a> {
    processor: &'a HttpProcessor,
    sender: SendRequest<Full<Bytes>>,
    task: JoinHandle<hyper::Result<()>>,
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<'a> Line<'a> {
    pub(crate) async fn open(processor: &'a HttpProcessor) -> Result<Self, Fault> {
        let stream = processor.dial().await.or(Err(Fault::Unreachable))?;
        let (sender, connection) = Builder::new()
            .max_buf_size(BODY_LEN_MAX)
            // As the product's client reads them.
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .handshake(TokioIo::new(stream))
            .await
            .or(Err(Fault::Reset))?;
        Ok(Self {
            processor,
            sender,
            task: tokio::spawn(connection),
        })
    }

    /// One request and its answer.
    pub(crate) async fn ask(&mut self, method: Method, below: &str, body: Bytes) -> Answer {
        let (limit, body_limit) = match (&method, below) {
            (&Method::POST, _) => (self.processor.attempt_timeout(), RECEIPT_TIMEOUT),
            (_, "/service-health") => (self.processor.health_timeout(), Duration::MAX),
            (_, _) => (self.processor.look_up_timeout(), Duration::MAX),
        };
        let request = self.processor.bare_request(method, below, body).await;
        self.send(request.or(Err(Fault::Garbled))?, limit, body_limit)
            .await
    }

    async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
        limit: Duration,
        body_limit: Duration,
    ) -> Answer {
        let sent = Instant::now();
        let deadline = sent + limit;
        let response = match timeout_at(deadline, self.exchange(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if error.is_parse() => return Err(Fault::Garbled),
            Ok(Err(_)) => return Err(Fault::Reset),
            Err(_elapsed) => return Err(Fault::TimedOut),
        };
        let took = sent.elapsed();
        let (head, body) = response.into_parts();
        let deadline = deadline.min(Instant::now() + body_limit.min(limit));
        let body = timeout_at(deadline, whole(body)).await;
        Ok(Seen {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.unwrap_or(Err(BodyFault::Late)),
            took,
        })
    }

    async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<hyper::Response<Incoming>> {
        self.sender.ready().await?;
        self.sender.send_request(request).await
    }
}

async fn whole(body: Incoming) -> Result<Bytes, BodyFault> {
    match Limited::new(body, BODY_LEN_MAX).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(BodyFault::TooLong),
        Err(_) => Err(BodyFault::Broken),
    }
}
