//! Which paths and methods there are, on the payment socket and on the admin listener.

use feeway_front::Limits;

use crate::front::Front;
use crate::wire::{Client, ID, payment};

#[tokio::test]
async fn a_wrong_method_is_told_the_right_one() {
    let front = Front::start().await;
    let id = format!("/payments/{ID}");
    for (method, path, allow) in [
        ("PUT", "/payments", "GET, HEAD, POST"),
        ("OPTIONS", "/payments", "GET, HEAD, POST"),
        ("NONSENSE", "/payments?status=open", "GET, HEAD, POST"),
        ("POST", "/payments-summary", "GET, HEAD"),
        ("OPTIONS", "/payments-summary", "GET, HEAD"),
        ("DELETE", &id, "GET, HEAD"),
        ("GET", "/purge-payments", "POST"),
        ("OPTIONS", "/purge-payments", "POST"),
        ("POST", "/readyz", "GET, HEAD"),
    ] {
        let mut client = Client::tcp(&front).await;
        let reply = client.ask(method, path).await;
        reply.detail(405);
        assert_eq!(reply.header("allow"), Some(allow), "{method} {path}");
    }
}

/// A HEAD, on a connection of its own: after its answer nothing follows.
async fn head(front: &Front, path: &str) -> String {
    let mut client = Client::tcp(front).await;
    let close = "host: front\r\nconnection: close";
    client
        .write(&format!("HEAD {path} HTTP/1.1\r\n{close}\r\n\r\n"))
        .await;
    client.head_only().await
}

#[tokio::test]
async fn a_head_is_a_get_without_the_body() {
    let front = Front::start().await;
    let id = format!("/payments/{ID}");
    for (path, status) in [
        ("/payments", 200),
        ("/payments?limit=1", 200),
        ("/payments?Limit=1", 400),
        ("/payments-summary", 200),
        ("/payments-summary?to=now", 400),
        (&id, 404),
        ("/payments/x", 404),
        ("/nothing", 404),
        ("/purge-payments", 405),
        ("/readyz", 200),
    ] {
        let get = Client::tcp(&front).await.ask("GET", path).await;
        let head = head(&front, path).await;
        assert_eq!(get.status, status, "{path}");
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        for name in ["content-length", "content-type", "allow"] {
            let line = get
                .header(name)
                .map(|value| format!("\r\n{name}: {value}\r\n"));
            let has_it = line.map_or(!head.contains(&format!("\r\n{name}:")), |line| {
                head.contains(&line)
            });
            assert!(has_it, "{path}: {get:?} {head}");
        }
        assert_eq!(
            get.header("content-length"),
            Some(&*get.body.len().to_string())
        );
    }
    let mut client = Client::admin(&front).await;
    client.write("HEAD /metrics HTTP/1.0\r\n\r\n").await;
    let metrics = client.head_only().await;
    assert!(metrics.starts_with("HTTP/1.0 200 "), "{metrics}");
}

#[tokio::test]
async fn a_path_without_an_id_is_answered_with_what_an_id_is() {
    let front = Front::start().await;
    let mut client = Client::unix(&front).await;
    for id in ["x", "4a7901b87d264d9daa194dc1c7cf60b3", "%34a7901b8"] {
        let detail = client.ask("GET", &format!("/payments/{id}")).await;
        let detail = detail.detail(404);
        assert!(detail.contains("a UUID with hyphens"), "{detail}");
    }
}

#[tokio::test]
async fn a_request_that_takes_no_parameters_refuses_them() {
    let front = Front::start().await;
    let id = format!("/payments/{ID}");
    for (method, path) in [
        ("POST", "/payments"),
        ("GET", &id),
        ("POST", "/purge-payments"),
        ("GET", "/readyz"),
    ] {
        let mut client = Client::unix(&front).await;
        let reply = client.ask(method, &format!("{path}?dry-run=1")).await;
        let detail = reply.detail(400);
        assert!(detail.contains("\"dry-run\""), "{detail}");
        assert!(detail.ends_with("allowed: none"), "{detail}");
    }
    let mut client = Client::unix(&front).await;
    client.ask("GET", &format!("{id}?")).await.detail(404);
    assert!(front.submitted_cents().is_empty());
}

#[tokio::test]
async fn any_other_path_is_answered_with_404() {
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
    assert_eq!(reply.header("allow"), Some("GET, HEAD"));
    assert!(front.submitted_cents().is_empty());
}
