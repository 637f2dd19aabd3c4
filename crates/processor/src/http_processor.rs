mod bare;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use feeway_domain::{
    CorrelationId, Doubt, GetAnswer, Payment, PostAnswer, ProcessorClient, RequestedAt,
};
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, VIA};
use hyper::{HeaderMap, Method, Request, Uri};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use crate::access::{Access, SetUpError};
use crate::authorization::Authorization;
use crate::connections::{Connections, Message, Wanted};
use crate::deployment::Deployment;
use crate::endpoint::Endpoint;
use crate::exchange::{BodyFault, Exchange, ExchangeFault, exchange};
use crate::retry_after::retry_after;
use crate::tls::Tls;
use crate::wire_format::{self, Receipt};

pub use self::bare::{garbled_look_up, payment_body, read_health, read_look_up, read_post};

/// How long the body of an answer to a POST may take once its head is there.
const RECEIPT_TIMEOUT: Duration = Duration::from_secs(1);

/// The limits of one processor's client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpProcessorConfig {
    /// The most connections at once, at least 1: as many as there may be payments in
    /// flight, and a few for look-ups. A request beyond it waits for its turn.
    pub max_connections: usize,
    /// How long making a connection may take, with the look-up of the name and TLS.
    pub connect_timeout: Duration,
    /// How long a POST may take until its answer is there; the body may take a second longer
    /// than its head, but not longer than this in all.
    pub attempt_timeout: Duration,
    /// How long `GET /payments/{id}` may take.
    pub look_up_timeout: Duration,
    /// How long `GET /payments/service-health` may take.
    pub health_timeout: Duration,
    /// How long a connection is kept without use. Processors close theirs after 130 s; one
    /// that they close at the moment of a POST makes its fate unknown.
    pub idle_timeout: Duration,
    /// How long a connection carries requests, less up to a quarter of it, so that those that
    /// were opened together are not replaced together. A processor whose name gets another
    /// address is then found there under traffic too.
    pub connection_life: Duration,
    /// Whose requests these are: each says so in its `Via` header, if it is known.
    pub deployment: Option<Deployment>,
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
            connection_life: Duration::from_secs(60),
            deployment: None,
        }
    }
}

/// One processor over HTTP/1.1, with connections of its own that it keeps. A clone is the
/// same client.
#[derive(Clone)]
pub struct HttpProcessor {
    connections: Arc<Connections>,
    authorization: Option<Arc<Authorization>>,
    via: Option<HeaderValue>,
    config: Arc<HttpProcessorConfig>,
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
    /// 404, 405 or 501: it cannot be asked. It says nothing about payments.
    NoEndpoint,
    /// Refused, late, unreadable or another status. It says nothing about payments.
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
            warn!(
                url,
                "requests to this processor carry its authorization header unencrypted: its URL is not https://"
            );
        }
        let connections = Connections::new(
            endpoint,
            tls,
            config.max_connections,
            config.connect_timeout,
            config.idle_timeout,
            config.connection_life,
        );
        // A deployment's name is plain text.
        let via = config.deployment.as_ref();
        let via = via.and_then(|deployment| HeaderValue::try_from(deployment.via()).ok());
        Ok(Self {
            connections: Arc::new(connections),
            authorization,
            via,
            config: Arc::new(config),
        })
    }

    /// Makes sure that a connection is open, so that the next request leaves at once. When
    /// none can be made, the next request says so. Does nothing where connections are not kept
    /// because answers came to the wrong request.
    pub async fn warm_up(&self) {
        if self.connections.misdelivery().is_known() {
            return;
        }
        let deadline = Instant::now() + self.config.connect_timeout;
        let Ok(mut connection) = self.connections.take(Wanted::Any, deadline).await else {
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
        let Ok(mut exchange) = exchange(&self.connections, Wanted::Any, request, deadline).await
        else {
            return HealthAnswer::Unanswered;
        };
        let without_body = match exchange.status().as_u16() {
            200 => None,
            404 | 405 | 501 => Some(HealthAnswer::NoEndpoint),
            429 => Some(HealthAnswer::TooEarly),
            _ => Some(HealthAnswer::Unanswered),
        };
        if let Some(answer) = without_body {
            exchange.discard().await;
            return answer;
        }
        let Ok(body) = exchange.body(deadline).await else {
            return HealthAnswer::Unanswered;
        };
        exchange.give_back();
        wire_format::health(&body).map_or(
            HealthAnswer::Unanswered,
            |(failing, min_response_time)| HealthAnswer::Report {
                failing,
                min_response_time,
            },
        )
    }

    /// What an answer whose status says "stored" makes of this payment, and whether answers are
    /// known to have come to the requests that they belong to.
    async fn read_receipt(
        mut exchange: Exchange,
        id: CorrelationId,
        is_order_kept: bool,
        deadline: Instant,
    ) -> PostAnswer {
        if is_html(exchange.headers()) {
            exchange.discard().await;
            return PostAnswer::Inconclusive;
        }
        let deadline = deadline.min(Instant::now() + RECEIPT_TIMEOUT);
        let Ok(body) = exchange.body(deadline).await else {
            return PostAnswer::Inconclusive;
        };
        let is_stored = match wire_format::receipt(&body, id) {
            Receipt::AnotherPayment => {
                exchange.misdelivered();
                return PostAnswer::Inconclusive;
            }
            Receipt::Contradicts => false,
            // Where answers came to the wrong request, only the id shows whose it is.
            Receipt::Fits => is_order_kept || wire_format::is_named_in(&body, id),
        };
        exchange.give_back();
        if is_stored {
            PostAnswer::Stored
        } else {
            PostAnswer::Inconclusive
        }
    }

    async fn look_up(&self, id: CorrelationId, wanted: Wanted) -> GetAnswer {
        let deadline = Instant::now() + self.config.look_up_timeout;
        let payments = self.connections.endpoint().payments.path();
        let Ok(uri) = Uri::try_from(format!("{payments}/{id}")) else {
            return GetAnswer::Unclear;
        };
        let request = self.request(Method::GET, uri, Bytes::new()).await;
        let mut exchange = match exchange(&self.connections, wanted, request, deadline).await {
            Ok(exchange) => exchange,
            Err(ExchangeFault::Unreachable) => return GetAnswer::Unreachable,
            Err(ExchangeFault::Garbled) => {
                return GetAnswer::Unreadable(wire_format::GARBLED_HEAD);
            }
            Err(ExchangeFault::Busy | ExchangeFault::TimedOut | ExchangeFault::Reset) => {
                return GetAnswer::Unclear;
            }
        };
        let without_body = match exchange.status().as_u16() {
            200 => None,
            404 => Some(GetAnswer::Absent),
            _ => Some(GetAnswer::Unclear),
        };
        if let Some(answer) = without_body {
            exchange.discard().await;
            return answer;
        }
        let answer = match exchange.body(deadline).await {
            Ok(body) => wire_format::held_payment(&body, id),
            Err(BodyFault::TooLong) => return GetAnswer::Unreadable(wire_format::LONG_BODY),
            Err(BodyFault::Broken) => return GetAnswer::Unreadable(wire_format::BROKEN_BODY),
            Err(BodyFault::Late) => return GetAnswer::Unclear,
        };
        if answer == GetAnswer::Unreadable(wire_format::ANOTHER_PAYMENT) {
            exchange.misdelivered();
        } else {
            exchange.give_back();
        }
        answer
    }

    async fn request(&self, method: Method, uri: Uri, body: Bytes) -> Message {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        let authority = self.connections.endpoint().authority.clone();
        request.headers_mut().insert(HOST, authority);
        if let Some(via) = &self.via {
            request.headers_mut().insert(VIA, via.clone());
        }
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
        let exchange = match exchange(&self.connections, Wanted::Any, request, deadline).await {
            Ok(exchange) => exchange,
            Err(ExchangeFault::Unreachable | ExchangeFault::Busy) => {
                return PostAnswer::Unreachable;
            }
            Err(ExchangeFault::TimedOut) => return PostAnswer::Lost(Doubt::TimedOut),
            Err(ExchangeFault::Reset) => return PostAnswer::Lost(Doubt::Reset),
            Err(ExchangeFault::Garbled) => return PostAnswer::Lost(Doubt::Unclear),
        };
        let is_order_kept = exchange.note_answered(payment.id);
        let status = exchange.status().as_u16();
        let answer = post_answer(status, exchange.headers());
        if answer == PostAnswer::Stored {
            return Self::read_receipt(exchange, payment.id, is_order_kept, deadline).await;
        }
        // The status says all.
        exchange.discard().await;
        answer
    }

    async fn get(&self, id: CorrelationId) -> GetAnswer {
        self.look_up(id, Wanted::Any).await
    }

    async fn get_apart(&self, id: CorrelationId) -> GetAnswer {
        self.look_up(id, Wanted::Apart).await
    }

    async fn misdelivered(&self) -> Vec<CorrelationId> {
        self.connections.misdelivery().next().await
    }
}

/// What a status says of a payment that was posted. Only where it is "stored" does the body
/// matter.
fn post_answer(status: u16, headers: &HeaderMap) -> PostAnswer {
    match status {
        200 | 201 | 204 => PostAnswer::Stored,
        202 | 203 | 205..=299 => PostAnswer::Inconclusive,
        300..=399 => PostAnswer::Lost(Doubt::Redirected { status }),
        400 | 402 | 410 => PostAnswer::Declined { status },
        401 | 403 | 404 | 405 | 501 => PostAnswer::Misconfigured { status },
        409 | 422 => PostAnswer::Duplicate { status },
        429 => PostAnswer::Overloaded {
            retry_after: retry_after(headers),
        },
        500 | 503 => PostAnswer::Failing { status },
        _ => PostAnswer::Lost(Doubt::Unclear),
    }
}

fn is_html(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.and_then(|kind| kind.get(.."text/html".len()))
        .is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_answer() {
        for status in 100..=999 {
            let expected = match status {
                200 | 201 | 204 => PostAnswer::Stored,
                202 | 203 | 205..=299 => PostAnswer::Inconclusive,
                300..=399 => PostAnswer::Lost(Doubt::Redirected { status }),
                400 | 402 | 410 => PostAnswer::Declined { status },
                401 | 403 | 404 | 405 | 501 => PostAnswer::Misconfigured { status },
                409 | 422 => PostAnswer::Duplicate { status },
                429 => PostAnswer::Overloaded { retry_after: None },
                500 | 503 => PostAnswer::Failing { status },
                // Among them 408, 502 and 504.
                _ => PostAnswer::Lost(Doubt::Unclear),
            };
            let answer = post_answer(status, &HeaderMap::new());
            assert_eq!(answer, expected, "{status}");
        }
    }

    #[test]
    fn a_page_is_known_by_its_content_type() {
        for (kind, expected) in [
            ("text/html", true),
            ("Text/HTML; charset=utf-8", true),
            ("text/plain", false),
            ("application/json", false),
            ("text/htm", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            assert_eq!(is_html(&headers), expected, "{kind}");
        }
        assert!(!is_html(&HeaderMap::new()));
    }
}
