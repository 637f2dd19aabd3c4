use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use feeway_domain::{
    CorrelationId, Doubt, GetAnswer, Payment, PostAnswer, ProcessorClient, RequestedAt,
};
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Uri};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use crate::access::{Access, SetUpError};
use crate::authorization::Authorization;
use crate::connections::{Connections, Message, Wanted};
use crate::endpoint::Endpoint;
use crate::exchange::{ExchangeFault, exchange};
use crate::tls::Tls;
use crate::wire_format;

/// The limits of one processor's client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpProcessorConfig {
    /// The most connections at once, at least 1: as many as there may be payments in
    /// flight, and a few for look-ups. A request beyond it waits for its turn.
    pub max_connections: usize,
    /// How long making a connection may take, with the look-up of the name and TLS.
    pub connect_timeout: Duration,
    /// How long a POST may take until its answer is there.
    pub attempt_timeout: Duration,
    /// How long `GET /payments/{id}` may take.
    pub look_up_timeout: Duration,
    /// How long `GET /payments/service-health` may take.
    pub health_timeout: Duration,
    /// How long a connection is kept without use. Processors close theirs after 130 s; one
    /// that they close at the moment of a POST makes its fate unknown.
    pub idle_timeout: Duration,
}

impl Default for HttpProcessorConfig {
    fn default() -> Self {
        Self {
            // 256 attempts in flight, the default of a front, and an eighth more for look-ups.
            max_connections: 288,
            connect_timeout: Duration::from_secs(1),
            attempt_timeout: Duration::from_secs(30),
            look_up_timeout: Duration::from_secs(5),
            health_timeout: Duration::from_secs(2),
            idle_timeout: Duration::from_secs(60),
        }
    }
}

/// One processor over HTTP/1.1, with connections of its own that it keeps. A clone is the
/// same client.
#[derive(Clone)]
pub struct HttpProcessor {
    connections: Arc<Connections>,
    authorization: Option<Arc<Authorization>>,
    config: HttpProcessorConfig,
}

/// What a processor said of its health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthAnswer {
    /// It answered.
    Report {
        /// Whether it refuses payments.
        failing: bool,
        /// The least time a payment takes there now.
        min_response_time: Duration,
    },
    /// 429: we asked too early. It says nothing about the processor.
    TooEarly,
    /// Refused, late or unreadable: as good as failing.
    Unanswered,
}

impl HttpProcessor {
    /// A client of the processor at this URL, which lets everybody in. Connects when there is
    /// something to send; its methods must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the URL is none, or with `https://` on a machine that trusts nobody.
    pub fn new(url: &str, config: HttpProcessorConfig) -> Result<Self, SetUpError> {
        Self::with_access(url, &Access::default(), config)
    }

    /// As [`HttpProcessor::new`], for a processor that wants to know who asks, or whose
    /// certificate authority the machine does not trust. Reads the files, blocking.
    ///
    /// # Errors
    /// Also when one of the files cannot be used.
    pub fn with_access(
        url: &str,
        access: &Access,
        config: HttpProcessorConfig,
    ) -> Result<Self, SetUpError> {
        let endpoint = Endpoint::parse(url)?;
        let authorization = access.authorization_file.clone().map(|file| {
            Authorization::read(file.clone())
                .map_err(|error| SetUpError::Authorization(file, error))
        });
        let authorization = authorization.transpose()?.map(Arc::new);
        let tls = match (endpoint.is_tls, &access.ca_file) {
            (true, ca_file) => Some(Tls::new(&endpoint, ca_file.as_ref())?),
            (false, Some(_)) => return Err(SetUpError::CaFileWithoutTls),
            (false, None) => None,
        };
        if tls.is_none() && authorization.is_some() {
            warn!(url, "the authorization header travels unencrypted");
        }
        let connections = Connections::new(
            endpoint,
            tls,
            config.max_connections,
            config.connect_timeout,
            config.idle_timeout,
        );
        Ok(Self {
            connections: Arc::new(connections),
            authorization,
            config,
        })
    }

    /// Makes sure that a connection is open, so that the next request leaves at once. When
    /// none can be made, the next request says so.
    pub async fn warm_up(&self) {
        let deadline = Instant::now() + self.config.connect_timeout;
        let Some(mut connection) = self.connections.take(Wanted::Any, deadline).await else {
            return;
        };
        // A new connection is ready once its task has run.
        if let Ok(Ok(())) = timeout_at(deadline, connection.sender.ready()).await {
            connection.give_back();
        }
    }

    /// Asks the processor for its health. Processors allow one such question in 5 s; the
    /// caller keeps to that.
    ///
    /// Dropping the future leaves open whether the question arrived.
    pub async fn health(&self) -> HealthAnswer {
        let deadline = Instant::now() + self.config.health_timeout;
        let uri = self.connections.endpoint().health.clone();
        let request = self.request(Method::GET, uri, Bytes::new()).await;
        let Ok(exchange) = exchange(&self.connections, request, deadline).await else {
            return HealthAnswer::Unanswered;
        };
        match exchange.status().as_u16() {
            200 => {}
            429 => {
                exchange.discard().await;
                return HealthAnswer::TooEarly;
            }
            _ => {
                exchange.discard().await;
                return HealthAnswer::Unanswered;
            }
        }
        let body = exchange.body(deadline).await;
        body.as_deref().and_then(wire_format::health).map_or(
            HealthAnswer::Unanswered,
            |(failing, min_response_time)| HealthAnswer::Report {
                failing,
                min_response_time,
            },
        )
    }

    async fn request(&self, method: Method, uri: Uri, body: Bytes) -> Message {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        let authority = self.connections.endpoint().authority.clone();
        request.headers_mut().insert(HOST, authority);
        if let Some(authorization) = &self.authorization {
            let header = authorization.header().await;
            request.headers_mut().insert(AUTHORIZATION, header);
        }
        request
    }
}

impl ProcessorClient for HttpProcessor {
    async fn post(&self, payment: &Payment, requested_at: RequestedAt) -> PostAnswer {
        let deadline = Instant::now() + self.config.attempt_timeout;
        let body = wire_format::payment(payment, requested_at);
        let uri = self.connections.endpoint().payments.clone();
        let mut request = self.request(Method::POST, uri, body).await;
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        match exchange(&self.connections, request, deadline).await {
            Ok(exchange) => {
                // The status says all: a body that breaks off does not undo a 200.
                let answer = post_answer(exchange.status().as_u16());
                exchange.discard().await;
                answer
            }
            Err(ExchangeFault::NotSent) => PostAnswer::Unreachable,
            Err(ExchangeFault::TimedOut) => PostAnswer::Lost(Doubt::TimedOut),
            Err(ExchangeFault::Reset) => PostAnswer::Lost(Doubt::Reset),
            Err(ExchangeFault::Garbled) => PostAnswer::Lost(Doubt::Unclear),
        }
    }

    async fn get(&self, id: CorrelationId) -> GetAnswer {
        let deadline = Instant::now() + self.config.look_up_timeout;
        let payments = self.connections.endpoint().payments.path();
        let Ok(uri) = Uri::try_from(format!("{payments}/{id}")) else {
            return GetAnswer::Unclear;
        };
        let request = self.request(Method::GET, uri, Bytes::new()).await;
        let Ok(exchange) = exchange(&self.connections, request, deadline).await else {
            return GetAnswer::Unclear;
        };
        match exchange.status().as_u16() {
            200 => match exchange.body(deadline).await {
                Some(body) => wire_format::held_payment(&body, id),
                None => GetAnswer::Unclear,
            },
            404 => {
                exchange.discard().await;
                GetAnswer::Absent
            }
            _ => {
                exchange.discard().await;
                GetAnswer::Unclear
            }
        }
    }
}

/// What a status says of a payment that was posted. Only the statuses that a processor is
/// known to send promise that nothing was stored.
fn post_answer(status: u16) -> PostAnswer {
    match status {
        200..=299 => PostAnswer::Stored,
        400 => PostAnswer::Malformed,
        401 | 403 | 404 | 405 => PostAnswer::Misconfigured { status },
        422 => PostAnswer::Duplicate,
        429 => PostAnswer::Overloaded,
        500 => PostAnswer::Failing,
        _ => PostAnswer::Lost(Doubt::Unclear),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_answer() {
        for status in 100..=999 {
            let expected = match status {
                200 | 201 | 202 | 204 => PostAnswer::Stored,
                400 => PostAnswer::Malformed,
                401 | 403 | 404 | 405 => PostAnswer::Misconfigured { status },
                422 => PostAnswer::Duplicate,
                429 => PostAnswer::Overloaded,
                500 => PostAnswer::Failing,
                // Other successes are as good as 200.
                203 | 205..=299 => PostAnswer::Stored,
                100..=199 | 300..=999 => PostAnswer::Lost(Doubt::Unclear),
                _ => continue,
            };
            assert_eq!(post_answer(status), expected, "{status}");
        }
    }
}
