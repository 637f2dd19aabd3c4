//! What a shop does: it pays, learns what became of the payment, and reads the summary.
//!
//! ```sh
//! cargo run --package feeway-examples --bin feeway-example-shop -- localhost:9999 19.90
//! ```

use std::env;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::sleep;
use uuid::Uuid;

/// How long to wait when a refusal does not say.
const PAUSE: Duration = Duration::from_secs(1);

const LOOK: Duration = Duration::from_millis(100);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next().unwrap_or("localhost:9999".to_owned());
    let amount = arguments.next().unwrap_or("19.90".to_owned());
    let mut shop = Shop::connect(&address).await?;

    // Made once for each payment, and kept until it is known what became of it.
    let id = Uuid::new_v4();
    shop.pay(id, &amount).await?;
    println!("{id} is accepted");
    let payment = shop.outcome(id).await?;
    println!("{payment}");
    let summary = shop.ask(Method::GET, "/payments-summary", "").await?;
    println!("{}", text(summary).await?);
    Ok(())
}

struct Shop {
    host: String,
    connection: SendRequest<Full<Bytes>>,
}

impl Shop {
    async fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("cannot connect to {address}"))?;
        let (connection, driver) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        Ok(Self {
            host: address.to_owned(),
            connection,
        })
    }

    /// Sends a payment until it is accepted. It is the same payment each time, because the id is.
    async fn pay(&mut self, id: Uuid, amount: &str) -> Result<()> {
        let body = format!(r#"{{"correlationId":"{id}","amount":{amount}}}"#);
        loop {
            let answer = self.ask(Method::POST, "/payments", &body).await?;
            match answer.status() {
                StatusCode::ACCEPTED => return Ok(()),
                // Not kept, or nobody knows: in both cases it may be sent again.
                StatusCode::SERVICE_UNAVAILABLE => {
                    let pause = pause(&answer);
                    eprintln!("{}", text(answer).await?);
                    sleep(pause).await;
                }
                refused => bail!("{refused}: {}", text(answer).await?),
            }
        }
    }

    /// Looks until the payment is at an end.
    async fn outcome(&mut self, id: Uuid) -> Result<Value> {
        loop {
            let path = format!("/payments/{id}");
            let answer = self.ask(Method::GET, &path, "").await?;
            if answer.status() == StatusCode::OK {
                let payment: Value = serde_json::from_str(&text(answer).await?)?;
                if payment["status"] != "open" {
                    return Ok(payment);
                }
            }
            sleep(LOOK).await;
        }
    }

    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: &str,
    ) -> Result<Response<hyper::body::Incoming>> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.host)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))?;
        self.connection.ready().await?;
        Ok(self.connection.send_request(request).await?)
    }
}

fn pause<B>(answer: &Response<B>) -> Duration {
    let seconds = answer.headers().get(RETRY_AFTER);
    let seconds = seconds.and_then(|value| value.to_str().ok()?.parse().ok());
    seconds.map_or(PAUSE, Duration::from_secs)
}

async fn text(answer: Response<hyper::body::Incoming>) -> Result<String> {
    let body = answer.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&body).into_owned())
}
