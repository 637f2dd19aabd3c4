//! Which paths and methods there are, on the payment socket and on the admin listener.

use feeway_front::Limits;

use crate::front::Front;
use crate::wire::{Client, ID, payment};

#[tokio::test]
async fn a_wrong_method_is_told_the_right_one() {
    let front = Front::start().await;
    let id = format!("/payments/{ID}");
    for (method, path, allow) in [
        ("PUT", "/payments", "GET, POST"),
        ("OPTIONS", "/payments", "GET, POST"),
        ("NONSENSE", "/payments?status=open", "GET, POST"),
        ("POST", "/payments-summary", "GET"),
        ("DELETE", &id, "GET"),
        ("GET", "/purge-payments", "POST"),
        ("POST", "/readyz", "GET"),
    ] {
        let mut client = Client::tcp(&front).await;
        let reply = client.ask(method, path).await;
        reply.detail(405);
        assert_eq!(reply.header("allow"), Some(allow), "{method} {path}");
    }
    let mut client = Client::tcp(&front).await;
    client
        .write("HEAD /payments-summary HTTP/1.0\r\n\r\n")
        .await;
    client.finish().await;
    let head = client.head_only().await;
    assert!(head.starts_with("HTTP/1.0 405"), "{head}");
}

#[tokio::test]
async fn anything_else_is_not_there() {
    let front = Front::start().await;
    for path in [
        "/",
        "/payments/",
        "/payments/x",
        "/payments-summary/",
        "/p%61yments",
        "//payments",
        "/metrics",
        "/healthz",
        "/admin/payments-summary",
        "/payments/service-health",
        "http://front/nothing",
        "*",
    ] {
        for method in ["GET", "POST"] {
            let mut client = Client::unix(&front).await;
            client.ask(method, path).await.detail(404);
        }
    }
    let mut client = Client::unix(&front).await;
    client
        .write("CONNECT front:80 HTTP/1.1\r\nhost: front\r\n\r\n")
        .await;
    client.reply().await.detail(404);
}

#[tokio::test]
async fn ready_means_that_the_functions_are_loaded() {
    let front = Front::start().await;
    assert_eq!(
        Client::unix(&front)
            .await
            .ask("GET", "/readyz")
            .await
            .status,
        200
    );
    assert_eq!(
        Client::admin(&front)
            .await
            .ask("GET", "/readyz")
            .await
            .status,
        200
    );
    let front = Front::start_with(Limits::default(), false, false).await;
    Client::unix(&front)
        .await
        .ask("GET", "/readyz")
        .await
        .detail(503);
    Client::admin(&front)
        .await
        .ask("GET", "/readyz")
        .await
        .detail(503);
    assert_eq!(
        Client::admin(&front)
            .await
            .ask("GET", "/healthz")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn metrics_are_for_operators_alone() {
    let front = Front::start().await;
    let mut admin = Client::admin(&front).await;
    let reply = admin.ask("GET", "/metrics").await;
    assert_eq!(reply.status, 200);
    let media_type = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(reply.header("content-type"), Some(media_type));
    assert_eq!(reply.body, "written when it is asked for\n");
    admin.ask("POST", "/metrics").await.detail(405);
    let mut client = Client::tcp(&front).await;
    client.ask("GET", "/metrics").await.detail(404);
}

#[tokio::test]
async fn the_admin_listener_takes_no_payments() {
    let front = Front::start().await;
    let mut admin = Client::admin(&front).await;
    admin.post(&payment("1")).await.detail(404);
    let mut admin = Client::admin(&front).await;
    let reply = admin.ask("POST", "/healthz").await;
    reply.detail(405);
    assert_eq!(reply.header("allow"), Some("GET"));
    assert!(front.submitted_cents().is_empty());
}
