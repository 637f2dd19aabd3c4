//! Connections and requests for programs that look at the answers themselves.

use bytes::Bytes;
use feeway_domain::{PostAnswer, ProcessorClient};
use feeway_processor::{Access, Deployment, HttpProcessor, HttpProcessorConfig, payment_body};
use hyper::Method;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;

use crate::scripted_server::{ScriptedServer, answer, instant, payment, quick, refused_url};

#[tokio::test]
async fn a_bare_request_is_the_one_that_the_client_sends() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authorization");
    std::fs::write(&file, "Bearer hush").unwrap();
    let access = Access {
        authorization_file: Some(file),
        ..Access::default()
    };
    let config = HttpProcessorConfig {
        deployment: Some("eu-1".parse::<Deployment>().unwrap()),
        ..quick()
    };
    let server = ScriptedServer::answering([answer(200, ""), answer(200, "")].iter()).await;
    let url = format!("{}/v2", server.url);
    let client = HttpProcessor::with_access(&url, &access, config).unwrap();
    assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);

    let stream = client.dial().await.unwrap();
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    let task = tokio::spawn(connection);
    let body = payment_body(&payment(), instant());
    let request = client.bare_request(Method::POST, "", body).await.unwrap();
    let told = sender.send_request(request).await.unwrap();
    assert_eq!(told.status(), 200);
    let requests = server.requests();
    assert!(requests[0].starts_with("POST /v2/payments HTTP/1.1\r\n"));
    assert!(requests[0].contains("Bearer hush"));
    assert_eq!(requests[0], requests[1]);
    assert_eq!(server.connections(), 2);
    task.abort();
}

#[tokio::test]
async fn a_bare_request_stays_below_the_payments() {
    let client = HttpProcessor::new("http://localhost/v2/", quick()).unwrap();
    for (below, expected) in [
        ("", Some("/v2/payments")),
        ("/service-health", Some("/v2/payments/service-health")),
        ("/not-an-id", Some("/v2/payments/not-an-id")),
        ("/a b", None),
    ] {
        let request = client.bare_request(Method::GET, below, Bytes::new()).await;
        let uri = request.map(|request| request.uri().to_string()).ok();
        assert_eq!(uri.as_deref(), expected);
    }
}

#[tokio::test]
async fn a_bare_request_to_a_closed_port_fails() {
    let client = HttpProcessor::new(&refused_url().await, quick()).unwrap();
    assert!(client.dial().await.is_err());
}
