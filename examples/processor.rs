//! The least that a processor has to do for Feeway: take a payment once, and tell what it holds.
//! It keeps its books in memory. `docs/processors.md` has the whole contract.
//!
//! ```sh
//! cargo run --package feeway-examples --bin feeway-example-processor -- 127.0.0.1:8101
//! cargo run --package feeway-certify -- http://127.0.0.1:8101 --yes
//! ```

use std::collections::HashMap;
use std::convert::Infallible;
use std::env;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use serde_json::Number;
use tokio::net::TcpListener;
use uuid::Uuid;

/// No payment is longer.
const BODY_MAX: usize = 1024;

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payment {
    correlation_id: String,
    amount: Number,
    requested_at: String,
}

type Books = Arc<Mutex<HashMap<Uuid, Payment>>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let address = env::args().nth(1).unwrap_or("127.0.0.1:8101".to_owned());
    let listener = TcpListener::bind(&address)
        .await
        .with_context(|| format!("cannot listen on {address}"))?;
    println!("listening on http://{}", listener.local_addr()?);
    let books = Books::default();
    loop {
        let (stream, _) = listener.accept().await?;
        let books = Arc::clone(&books);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&books), request));
            let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            if let Err(error) = served.await {
                eprintln!("a connection ended: {error}");
            }
        });
    }
}

async fn answer(
    books: Books,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    Ok(match (request.method(), path.as_str()) {
        (&Method::POST, "/payments") => match read(request).await {
            Some((id, payment)) => take(&books, id, payment),
            None => message(StatusCode::BAD_REQUEST, "not a payment"),
        },
        (&Method::GET, "/payments/service-health") => json(
            StatusCode::OK,
            r#"{"failing":false,"minResponseTime":0}"#.to_owned(),
        ),
        (&Method::GET, path) => match path.strip_prefix("/payments/").map(Uuid::parse_str) {
            Some(Ok(id)) => look_up(&books, id),
            Some(Err(_)) => message(StatusCode::BAD_REQUEST, "not an id"),
            None => message(StatusCode::NOT_FOUND, "no such route"),
        },
        _ => message(StatusCode::METHOD_NOT_ALLOWED, "no such route"),
    })
}

async fn read(request: Request<Incoming>) -> Option<(Uuid, Payment)> {
    let body = Limited::new(request.into_body(), BODY_MAX).collect().await;
    let payment: Payment = serde_json::from_slice(&body.ok()?.to_bytes()).ok()?;
    let id = Uuid::parse_str(&payment.correlation_id).ok()?;
    is_payable(&payment.amount).then_some((id, payment))
}

/// More than nothing, with at most two decimals.
fn is_payable(amount: &Number) -> bool {
    let text = amount.to_string();
    let (whole, cents) = text.split_once('.').unwrap_or((&text, ""));
    let is_number = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
    let is_something = text.bytes().any(|digit| matches!(digit, b'1'..=b'9'));
    is_number(whole) && is_number(cents) && cents.len() <= 2 && is_something
}

/// Stores a payment before it says yes. The same id again is refused, so that nobody is charged
/// twice, however often Feeway has to ask.
fn take(books: &Books, id: Uuid, payment: Payment) -> Response<Full<Bytes>> {
    let mut books = books.lock().unwrap_or_else(PoisonError::into_inner);
    if books.contains_key(&id) {
        return message(StatusCode::UNPROCESSABLE_ENTITY, "this id is known");
    }
    books.insert(id, payment);
    message(StatusCode::OK, "payment processed")
}

fn look_up(books: &Books, id: Uuid) -> Response<Full<Bytes>> {
    let books = books.lock().unwrap_or_else(PoisonError::into_inner);
    match books.get(&id).map(serde_json::to_string) {
        Some(Ok(payment)) => json(StatusCode::OK, payment),
        Some(Err(_)) | None => message(StatusCode::NOT_FOUND, "no such payment"),
    }
}

fn message(status: StatusCode, words: &str) -> Response<Full<Bytes>> {
    json(status, format!(r#"{{"message":"{words}"}}"#))
}

fn json(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let kind = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
