//! `docs/processor-openapi.json` says what Feeway sends and concludes, and a simulator answers as
//! it says.

use std::fs;

use bytes::Bytes;
use feeway_certify::certify;
use feeway_domain::{CorrelationId, Doubt, GetAnswer, Payment, PostAnswer, RequestedAt};
use feeway_processor::{
    HealthAnswer, HttpProcessor, HttpProcessorConfig, payment_body, read_health, read_look_up,
    read_post,
};
use http_body_util::BodyExt;
use hyper::client::conn::http1::handshake;
use hyper::{HeaderMap, Method};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use crate::document::{Answer, Document, GET, HEALTH, POST};
use crate::recorder::Recorder;
use crate::running::{Running, options};

/// Sends what the product would send, on a connection of its own.
async fn ask(client: &HttpProcessor, method: Method, below: &str, body: Bytes) -> Answer {
    let stream = client.dial().await.unwrap();
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    let task = tokio::spawn(connection);
    let request = client.bare_request(method, below, body).await.unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let (head, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    task.abort();
    Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body,
    }
}

fn id(number: u128) -> CorrelationId {
    CorrelationId::from_bytes(number.to_be_bytes())
}

async fn post(client: &HttpProcessor, number: u128) -> Answer {
    let payment = Payment {
        id: id(number),
        amount: "19.90".parse().unwrap(),
    };
    let at = "2025-07-15T12:34:56.000001Z".parse().unwrap();
    ask(client, Method::POST, "", payment_body(&payment, at)).await
}

async fn get(client: &HttpProcessor, below: &str) -> Answer {
    ask(client, Method::GET, below, Bytes::new()).await
}

#[tokio::test]
async fn a_simulator_gives_every_answer_of_the_document_and_no_other() {
    let mut document = Document::read();
    let simulator = Running::start("{}").await;
    let client = HttpProcessor::new(&simulator.url, HttpProcessorConfig::default()).unwrap();
    posts(&mut document, &simulator, &client).await;
    look_ups(&mut document, &simulator, &client).await;
    health_questions(&mut document, &simulator, &client).await;
    let foreseen = document.foreseen();
    let unseen: Vec<_> = foreseen.difference(&document.seen).collect();
    assert!(unseen.is_empty(), "never answered: {unseen:?}");
}

async fn posts(document: &mut Document, simulator: &Running, client: &HttpProcessor) {
    let mut number = 0;
    for (rules, number, expected) in [
        ("{}", 0, 200),
        (r#"{"rules":[{"post":{"ifHeld":409}}]}"#, 0, 409),
        ("{}", 0, 422),
        (r#"{"preset":"rateLimited"}"#, 50, 429),
    ] {
        simulator.rules(rules);
        let answer = post(client, number).await;
        assert_eq!(answer.status, expected);
        assert!(document.fits(POST, &answer), "{expected}");
    }
    for status in [
        201, 202, 203, 204, 206, 302, 307, 400, 401, 402, 403, 404, 405, 408, 410, 500, 501, 502,
        503, 504,
    ] {
        simulator.rules(&format!(
            r#"{{"rules":[{{"post":{{"status":{status}}}}}]}}"#
        ));
        number += 1;
        let answer = post(client, number).await;
        assert_eq!(answer.status, status);
        assert!(document.fits(POST, &answer), "{status}");
    }
    simulator.rules("{}");
    let answer = ask(client, Method::POST, "", Bytes::from("{}")).await;
    assert_eq!(answer.status, 400);
    assert!(document.fits(POST, &answer));
    simulator.control.set_failing(true);
    let answer = post(client, 99).await;
    assert_eq!(answer.status, 500);
    assert!(document.fits(POST, &answer));
    simulator.control.set_failing(false);
    for (number, body) in [
        r#"{"status":"failed"}"#,
        r#"{"status":"Pending"}"#,
        r#"{"success":false}"#,
        r#"{"data":{"status":"REJECTED"}}"#,
    ]
    .into_iter()
    .enumerate()
    {
        simulator.rules(&format!(r#"{{"rules":[{{"post":{{"body":{body}}}}}]}}"#));
        let number = 100 + u128::try_from(number).unwrap();
        assert!(!document.fits(POST, &post(client, number).await), "{body}");
    }
}

async fn look_ups(document: &mut Document, simulator: &Running, client: &HttpProcessor) {
    let held = format!("/{}", id(0));
    for (rules, expected) in [
        ("{}", 200),
        (
            r#"{"rules":[{"lookUp":{"instant":"offsetTwo","amount":"string"}}]}"#,
            200,
        ),
        (
            r#"{"rules":[{"lookUp":{"instant":"nano","amount":"floatNoise"}}]}"#,
            200,
        ),
        (
            r#"{"rules":[{"lookUp":{"instant":"lowerCase","wrappedIn":"data"}}]}"#,
            200,
        ),
        (
            r#"{"rules":[{"lookUp":{"instant":"seconds","adds":{"status":"ok"}}}]}"#,
            200,
        ),
        (r#"{"preset":"rateLimited"}"#, 429),
        (r#"{"rules":[{"lookUp":{"status":302}}]}"#, 302),
        (r#"{"rules":[{"lookUp":{"status":401}}]}"#, 401),
        (r#"{"rules":[{"lookUp":{"status":503}}]}"#, 503),
    ] {
        simulator.rules(rules);
        let answer = get(client, &held).await;
        assert_eq!(answer.status, expected, "{rules}");
        assert!(document.fits(GET, &answer), "{rules}");
    }
    for rule in [
        r#"{"adds":{"status":"pending"}}"#,
        r#"{"adds":{"status":"failed"},"wrappedIn":"data"}"#,
        r#"{"adds":{"success":false}}"#,
        r#"{"adds":{"amount":null}}"#,
        r#"{"adds":{"requestedAt":"yesterday"}}"#,
        r#"{"amountOffCents":-1990}"#,
    ] {
        simulator.rules(&format!(r#"{{"rules":[{{"lookUp":{rule}}}]}}"#));
        assert!(!document.fits(GET, &get(client, &held).await), "{rule}");
    }
    simulator.rules("{}");
    for (below, expected) in [(format!("/{}", id(7777)), 404), ("/seven".to_owned(), 400)] {
        let answer = get(client, &below).await;
        assert_eq!(answer.status, expected);
        assert!(document.fits(GET, &answer), "{below}");
    }
}

async fn health_questions(document: &mut Document, simulator: &Running, client: &HttpProcessor) {
    for status in [200, 302, 401, 404, 405, 429, 501, 503] {
        simulator.rules(&format!(r#"{{"health":{{"status":{status}}}}}"#));
        let answer = get(client, "/service-health").await;
        assert_eq!(answer.status, status);
        assert!(document.fits(HEALTH, &answer), "{status}");
    }
    simulator.rules(r#"{"health":{"body":{"failing":0}}}"#);
    let answer = get(client, "/service-health").await;
    assert!(!document.fits(HEALTH, &answer));
}

#[test]
fn what_the_document_says_of_each_status_is_what_the_client_reads() {
    let document = Document::read();
    let none = HeaderMap::new();
    let held = format!(
        r#"{{"correlationId":"{}","amount":1,"requestedAt":"2025-07-15T12:34:56Z"}}"#,
        id(1)
    );
    let health = br#"{"failing":false,"minResponseTime":0}"#;
    for status in 200..600 {
        let read = match read_post(status, &none, Ok(b""), id(1)) {
            PostAnswer::Stored => "held",
            PostAnswer::Inconclusive => "look-up",
            PostAnswer::Duplicate { .. } => "duplicate",
            PostAnswer::Failing { .. } => "failing",
            PostAnswer::Overloaded { .. } => "overloaded",
            PostAnswer::Declined { .. } => "declined",
            PostAnswer::Misconfigured { .. } => "misconfigured",
            PostAnswer::Lost(Doubt::Redirected { .. } | Doubt::Unclear) => "pinned",
            other @ (PostAnswer::Lost(_) | PostAnswer::Unreachable) => panic!("{other:?}"),
        };
        let told = document.feeway(POST, status);
        assert_eq!(read, told.unwrap_or("pinned"), "post {status}");

        let read = match read_look_up(status, Ok(held.as_bytes()), id(1)) {
            GetAnswer::Held { .. } => "found",
            GetAnswer::Absent => "absent",
            GetAnswer::Unclear => "unclear",
            other @ (GetAnswer::Pending | GetAnswer::Unreadable(_) | GetAnswer::Unreachable) => {
                panic!("{other:?}")
            }
        };
        let told = document.feeway(GET, status);
        assert_eq!(read, told.unwrap_or("unclear"), "look-up {status}");

        let read = match read_health(status, Ok(health)) {
            HealthAnswer::Report { .. } => "report",
            HealthAnswer::TooEarly => "early",
            HealthAnswer::NoEndpoint => "none",
            HealthAnswer::Unanswered => "unanswered",
        };
        let told = document.feeway(HEALTH, status);
        assert_eq!(read, told.unwrap_or("unanswered"), "health {status}");
    }
}

#[test]
fn bodies_that_the_document_forbids_are_those_that_say_no() {
    let document = Document::read();
    let (receipt, found) = (document.schema("Receipt"), document.schema("Found"));
    let html = HeaderMap::new();
    for (body, expected) in [
        (json!({}), true),
        (json!({"status": "ok", "success": true}), true),
        (json!({"correlationId": id(1).to_string()}), true),
        (json!({"message": "failed"}), true),
        (json!({"data": {"status": "settled"}}), true),
        (json!({"a": {"b": {"status": "failed"}}}), true),
        (json!({"status": "ERROR"}), false),
        (json!({"data": {"success": false}}), false),
    ] {
        assert_eq!(receipt.is_valid(&body), expected, "{body}");
        let text = body.to_string();
        let read = read_post(200, &html, Ok(text.as_bytes()), id(1));
        assert_eq!(read == PostAnswer::Stored, expected, "{body}");
    }
    let payment = json!({
        "correlationId": id(1).to_string(), "amount": 1, "requestedAt": "2025-07-15T12:34:56Z",
    });
    let with = |name: &str, value: Value| {
        let mut payment = payment.clone();
        payment[name] = value;
        payment
    };
    for (body, expected) in [
        (payment.clone(), true),
        (json!({"data": payment}), true),
        (json!({"x": 1, "y": {"amount": 7}, "data": payment}), true),
        (with("amount", json!("1.00")), true),
        (
            with("requestedAt", json!("2025-07-15 14:34:56.1234567+0200")),
            true,
        ),
        (json!({}), false),
        (json!({"data": {"data": payment}}), false),
        (with("amount", json!(-1)), false),
        (with("amount", json!("one")), false),
        (with("requestedAt", json!(1_752_582_896)), false),
        (with("status", json!("pending")), false),
        (json!({"success": false, "data": payment}), false),
    ] {
        assert_eq!(found.is_valid(&body), expected, "{body}");
        let text = body.to_string();
        let read = read_look_up(200, Ok(text.as_bytes()), id(1));
        let is_held = matches!(read, GetAnswer::Held { .. });
        assert_eq!(is_held, expected, "{body}");
    }
}

#[tokio::test]
async fn what_is_sent_is_what_the_document_says() {
    let document = Document::read();
    let simulator = Running::start("{}").await;
    let recorder = Recorder::before(&simulator.url).await;
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), "Bearer hush\n").unwrap();
    let file = format!("--authorization-file={}", secret.path().display());
    // The product's client and the bare one send the same.
    let only = "--only=unknown,post,connections,health";
    let report = certify(&options(&recorder.url, &[&file, only])).await;
    assert!(report.unwrap().fits());

    let via = document.json["paths"]["/payments"]["post"]["parameters"][0].clone();
    let via = document.validator(&via["schema"]);
    let new_payment = document.schema("NewPayment");
    let (mut posts, mut questions) = (0, 0);
    for request in recorder.requests() {
        let sent = json!(request.header("via").unwrap());
        assert!(via.is_valid(&sent), "{sent}");
        assert_eq!(request.header("authorization"), Some("Bearer hush"));
        assert!(recorder.url.ends_with(request.header("host").unwrap()));
        let known = [
            "via",
            "authorization",
            "host",
            "content-type",
            "content-length",
        ];
        for (name, _) in &request.headers {
            assert!(known.contains(&name.as_str()), "{name}");
        }
        match request.line.as_str() {
            "POST /payments HTTP/1.1" => {
                posts += 1;
                assert_eq!(request.header("content-type"), Some("application/json"));
                assert!(request.body.len() <= 123, "{}", request.body);
                let body: Value = serde_json::from_str(&request.body).unwrap();
                assert!(new_payment.is_valid(&body), "{body}");
                let at = body["requestedAt"].as_str().unwrap();
                assert!(at.parse::<RequestedAt>().is_ok(), "{at}");
            }
            "GET /payments/service-health HTTP/1.1" => questions += 1,
            line => {
                let id = line
                    .strip_prefix("GET /payments/")
                    .and_then(|line| line.strip_suffix(" HTTP/1.1"));
                let schema = document.schema("CorrelationId");
                assert!(schema.is_valid(&json!(id.unwrap())), "{line}");
            }
        }
    }
    assert_eq!((posts, questions), (6, 1));
}
