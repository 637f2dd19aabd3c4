use std::sync::Arc;
use std::time::Duration;

use feeway_attempt::attempt;
use feeway_domain::{Doubt, GetAnswer, No, Outcome, PostAnswer, ProcessorClient};
use feeway_processor::{Access, HealthAnswer, HttpProcessor, SetUpError};
use feeway_testing::{CaughtLog, ServerCertificate, TestAuthority};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{HandshakeKind, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::scripted_server::{Act, ScriptedServer, answer, id, instant, payment, quick};

const SECRET: &str = "Bearer 6f1c-hush-hush";

fn acceptor(files: &ServerCertificate) -> TlsAcceptor {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(&files.certificate).unwrap()],
            PrivateKeyDer::from_pem_file(&files.key).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn server(authority: &TestAuthority, acts: impl IntoIterator<Item = Act>) -> ScriptedServer {
    let files = authority.certify("127.0.0.1");
    ScriptedServer::start_with(acts, Some(acceptor(&files))).await
}

fn trusting(authority: &TestAuthority) -> Access {
    Access {
        ca_file: Some(authority.ca_file()),
        ..Access::default()
    }
}

fn client(url: &str, access: &Access) -> HttpProcessor {
    HttpProcessor::with_access(url, access, quick()).unwrap()
}

#[tokio::test]
async fn payments_look_ups_and_health_go_over_one_encrypted_connection() {
    let authority = TestAuthority::new();
    let held = format!(
        r#"{{"correlationId":"{}","amount":19.9,"requestedAt":"2020-07-10T12:34:56"}}"#,
        id()
    );
    let server = server(
        &authority,
        [
            Act::Answer(answer(200, "")),
            Act::Answer(answer(200, &held)),
            Act::Answer(answer(200, r#"{"failing":false,"minResponseTime":7}"#)),
        ],
    )
    .await;
    let url = format!("{}/acquirer/v2/", server.url);
    let client = client(&url, &trusting(&authority));
    assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
    assert!(matches!(client.get(id()).await, GetAnswer::Held { .. }));
    let healthy = HealthAnswer::Report {
        failing: false,
        min_response_time: Duration::from_millis(7),
    };
    assert_eq!(client.health().await, healthy);
    assert_eq!(server.connections(), 1);

    let host = server.url.strip_prefix("https://").unwrap();
    let heads = server.requests();
    for (head, line) in heads.iter().zip([
        "POST /acquirer/v2/payments HTTP/1.1\r\n".to_owned(),
        format!("GET /acquirer/v2/payments/{} HTTP/1.1\r\n", id()),
        "GET /acquirer/v2/payments/service-health HTTP/1.1\r\n".to_owned(),
    ]) {
        assert!(head.starts_with(&line), "{head}");
        assert!(head.contains(&format!("\r\nhost: {host}\r\n")), "{head}");
        assert!(!head.contains("authorization"), "{head}");
    }
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_noticed_below_tls_too() {
    let authority = TestAuthority::new();
    let twice = vec![answer(200, ""), answer(200, "")];
    let server = server(
        &authority,
        [
            Act::Answer(answer(200, "")),
            Act::AnswerInParts(twice, Duration::from_millis(36)),
        ],
    )
    .await;
    let client = client(&server.url, &trusting(&authority));
    for _ in 0..2 {
        assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
    }
    assert_eq!(client.misdelivered().await, [id(), id()]);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_bare_connection_is_encrypted_like_the_others() {
    let (theirs, ours) = (TestAuthority::new(), TestAuthority::new());
    let server = server(&theirs, [Act::Answer(answer(404, ""))]).await;
    let mut stream = client(&server.url, &trusting(&theirs))
        .dial()
        .await
        .unwrap();
    let request = "GET /payments/1 HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 404");
    assert_eq!(server.requests(), [request]);
    assert!(client(&server.url, &trusting(&ours)).dial().await.is_err());
}

#[tokio::test]
async fn the_header_from_the_file_is_in_every_request_and_in_no_log() {
    let authority = TestAuthority::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authorization");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    let log = CaughtLog::start();
    let acts = [401, 200, 404, 500].map(|status| Act::Answer(answer(status, "")));
    let server = server(&authority, acts).await;
    let access = Access {
        authorization_file: Some(file),
        ..trusting(&authority)
    };
    let client = client(&server.url, &access);
    let misconfigured = PostAnswer::Misconfigured { status: 401 };
    assert_eq!(client.post(&payment(), instant()).await, misconfigured);
    assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
    assert_eq!(client.get(id()).await, GetAnswer::Absent);
    assert_eq!(client.health().await, HealthAnswer::Unanswered);
    let requests = server.requests();
    assert_eq!(requests.len(), 4);
    for request in requests {
        let line = format!("\r\nauthorization: {SECRET}\r\n");
        assert!(request.contains(&line), "{request}");
    }
    let told = format!("{access:?} {}", log.text());
    assert!(!told.contains("hush"), "{told}");
}

#[tokio::test]
async fn a_processor_that_is_not_trusted_gets_nothing_and_is_told_of_once() {
    let (theirs, ours) = (TestAuthority::new(), TestAuthority::new());
    let log = CaughtLog::start();
    let untrusted = server(&theirs, []).await;
    let client = client(&untrusted.url, &trusting(&ours));
    for _ in 0..3 {
        let outcome = attempt(&client, &payment(), instant(), true, false).await;
        assert_eq!(outcome, Outcome::NotHeld(No::Unreachable));
    }
    assert_eq!(untrusted.requests().len(), 0);
    let told = log.lines("ERROR", "cannot set up TLS to the processor");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("invalid peer certificate"), "{told:?}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let authority = TestAuthority::new();
    let log = CaughtLog::start();
    let files = authority.certify("payments.example");
    let server = ScriptedServer::start_with([], Some(acceptor(&files))).await;
    let client = client(&server.url, &trusting(&authority));
    let got = client.post(&payment(), instant()).await;
    assert_eq!(got, PostAnswer::Unreachable);
    let told = log.lines("ERROR", "not valid for name");
    assert_eq!(told.len(), 1, "{}", log.text());
}

#[tokio::test]
async fn a_server_without_tls_gets_nothing() {
    let authority = TestAuthority::new();
    let server = ScriptedServer::start(vec![Act::ResetUnread; 3]).await;
    let url = server.url.replace("http://", "https://");
    let client = client(&url, &trusting(&authority));
    let got = client.post(&payment(), instant()).await;
    assert_eq!(got, PostAnswer::Unreachable);
    assert_eq!(server.requests().len(), 0);
}

/// The whole handshake has the time-out of a connection.
#[tokio::test]
async fn a_server_without_a_handshake_counts_as_unreachable() {
    let authority = TestAuthority::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let client = client(&url, &trusting(&authority));
    let got = client.post(&payment(), instant()).await;
    assert_eq!(got, PostAnswer::Unreachable);
}

#[tokio::test]
async fn a_connection_that_breaks_after_sending_leaves_a_doubt_and_is_replaced() {
    let authority = TestAuthority::new();
    let acts = [
        Act::AnswerAndReset(String::new()),
        Act::AnswerAndEnd(String::new()),
        Act::Silence,
        Act::AnswerAndEnd(answer(200, "")),
        Act::Answer(answer(200, "")),
    ];
    let server = server(&authority, acts).await;
    let client = client(&server.url, &trusting(&authority));
    for doubt in [Doubt::Reset, Doubt::Reset, Doubt::TimedOut] {
        let got = client.post(&payment(), instant()).await;
        assert_eq!(got, PostAnswer::Lost(doubt));
    }
    assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
    server.until_ended(4).await;
    assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
    assert_eq!(server.connections(), 5);
    assert_eq!(server.requests().len(), 5, "nothing was sent twice");
}

/// The second connection pays for half a handshake only, and speaks HTTP/1.1 though the
/// server would rather have another version.
#[tokio::test]
async fn later_connections_resume_the_session() {
    let authority = TestAuthority::new();
    let acceptor = acceptor(&authority.certify("localhost"));
    let listener = TcpListener::bind("localhost:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = tokio::spawn(async move {
        let mut seen = Vec::new();
        for _ in 0..2 {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(stream).await.unwrap();
            let mut request = [0; 1024];
            let read = tokio::io::AsyncReadExt::read(&mut stream, &mut request).await;
            assert!(read.unwrap() > 0);
            let text = answer(200, "").replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
            tokio::io::AsyncWriteExt::write_all(&mut stream, text.as_bytes())
                .await
                .unwrap();
            let (_, tls) = stream.get_ref();
            assert_eq!(tls.alpn_protocol(), Some(&b"http/1.1"[..]));
            assert_eq!(tls.server_name(), Some("localhost"));
            seen.push(tls.handshake_kind().unwrap());
            tokio::io::AsyncWriteExt::shutdown(&mut stream)
                .await
                .unwrap();
        }
        seen
    });
    let client = client(&format!("https://localhost:{port}"), &trusting(&authority));
    for _ in 0..2 {
        assert_eq!(client.post(&payment(), instant()).await, PostAnswer::Stored);
    }
    let seen = seen.await.unwrap();
    assert_eq!(seen, [HandshakeKind::Full, HandshakeKind::Resumed]);
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named_and_not_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let check = |content: Option<&str>, url: &str, access: Access, expected: &str| {
        match content {
            Some(content) => std::fs::write(&file, content).unwrap(),
            None => assert!(!file.exists()),
        }
        let error = HttpProcessor::with_access(url, &access, quick()).err();
        let error: SetUpError = error.expect("the file is refused");
        let mut told = format!("{error} {error:?}");
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            told = format!("{told}: {inner}");
            source = inner.source();
        }
        assert!(told.contains(expected), "{told}");
        assert!(!told.contains("hush"), "{told}");
    };
    let authorized = Access {
        authorization_file: Some(file.clone()),
        ..Access::default()
    };
    let certified = Access {
        ca_file: Some(file.clone()),
        ..Access::default()
    };
    let https = "https://localhost";
    check(None, "http://localhost", authorized.clone(), "No such file");
    check(None, https, certified.clone(), "No such file");
    check(
        Some("\n"),
        "http://localhost",
        authorized.clone(),
        "is empty",
    );
    check(
        Some("hush\nhush"),
        "http://localhost",
        authorized,
        "one line",
    );
    check(
        Some("hush"),
        https,
        certified.clone(),
        "does not hold certificates",
    );
    check(
        Some(""),
        "http://localhost",
        certified,
        "works only with https://",
    );
}
