use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use feeway_health::NatsLink;
use feeway_process::{CONTENT_TYPE as METRICS_TYPE, Exposition};
use feeway_store::RedisStore;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tracing::debug;

use crate::lease::Claim;
use crate::meters::observe;

/// Connections at once; those beyond wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 16;

/// How long a connection may take to ask, and how long it may stay at all.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

/// The pause after a connection could not be accepted, mostly for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// hyper's least.
const BUFFER_LEN_MAX: usize = 8 * 1024;

/// What the admin listener tells.
pub(crate) struct Admin {
    pub(crate) standing: watch::Receiver<Claim>,
    pub(crate) store: RedisStore,
    pub(crate) nats: NatsLink,
    pub(crate) exposition: Exposition,
}

impl Admin {
    /// Answers until it is dropped; what it has accepted goes on for a moment.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let admin = Arc::new(self);
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let admin = Arc::clone(&admin);
                    tokio::spawn(async move {
                        admin.serve_connection(stream).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    debug!(%error, "cannot accept an admin connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn serve_connection(&self, stream: TcpStream) {
        let service = service_fn(|request: Request<Incoming>| {
            let response = self.answer(request.method(), request.uri().path());
            std::future::ready(Ok::<_, Infallible>(response))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(BUFFER_LEN_MAX)
            .serve_connection(TokioIo::new(stream), service);
        match timeout(CONNECTION_TIMEOUT, connection).await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(error)) => debug!(%error, "an admin connection ended"),
        }
    }

    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        let claim = *self.standing.borrow();
        let ready = match claim {
            Claim::Ours if self.store.redis().is_up() => Some("ready, holding the lease\n"),
            Claim::Others if self.store.redis().is_up() => Some("ready, standing by\n"),
            Claim::Unknown | Claim::Away | Claim::Ours | Claim::Others => None,
        };
        let (status, text) = match (path, ready) {
            ("/healthz", _) => (StatusCode::OK, "alive\n".to_owned()),
            ("/readyz", Some(text)) => (StatusCode::OK, text.to_owned()),
            ("/readyz", None) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Redis does not answer\n".to_owned(),
            ),
            ("/metrics", _) => (StatusCode::OK, self.metrics()),
            _ => (StatusCode::NOT_FOUND, "not found\n".to_owned()),
        };
        if status != StatusCode::NOT_FOUND && method != Method::GET && method != Method::HEAD {
            let mut response = respond(
                StatusCode::METHOD_NOT_ALLOWED,
                "only GET and HEAD are allowed\n".to_owned(),
            );
            let allow = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, allow);
            return response;
        }
        let mut response = respond(status, text);
        if path == "/metrics" {
            let metrics = HeaderValue::from_static(METRICS_TYPE);
            response.headers_mut().insert(CONTENT_TYPE, metrics);
        }
        response
    }

    fn metrics(&self) -> String {
        observe(self.store.redis().is_up(), self.nats.is_up());
        self.exposition.page()
    }
}

fn respond(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
