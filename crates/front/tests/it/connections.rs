//! Connections: how they are kept, shared out, limited and bound.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use feeway_front::{Limits, ListenAddress, Server};
use feeway_worker::Submit;
use tokio::time::timeout;

use crate::front::{Front, short_limits, until};
use crate::wire::{Client, payment, post};

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let front = Front::start().await;
    let mut client = Client::unix(&front).await;
    for amount in 1..=20 {
        assert_eq!(client.post(&payment(&amount.to_string())).await.status, 202);
        assert_eq!(client.ask("GET", "/readyz").await.status, 200);
    }
    assert_eq!(front.submitted_cents().len(), 20);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let front = Front::start().await;
    let mut client = Client::tcp(&front).await;
    let requests = [
        post(&payment("1")),
        "GET /readyz HTTP/1.1\r\nhost: front\r\n\r\n".to_owned(),
        post("{}"),
        post(&payment("2")),
        "GET /nothing HTTP/1.1\r\nhost: front\r\n\r\n".to_owned(),
        post(&payment("3")),
    ];
    client.write(&requests.concat()).await;
    for status in [202, 200, 400, 202, 404, 202] {
        assert_eq!(client.reply().await.status, status);
    }
    assert_eq!(front.submitted_cents(), [100, 200, 300]);
}

#[tokio::test]
async fn a_client_that_has_said_everything_still_gets_its_answer() {
    let front = Front::start().await;
    front.script.payment_gate.shut();
    let mut client = Client::tcp(&front).await;
    client.write(&post(&payment("1"))).await;
    client.finish().await;
    front.until_submitted(1).await;
    front.script.payment_gate.open();
    assert_eq!(client.reply().await.status, 202);
    client.expect_close().await;
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_stop_the_intake() {
    let front = Front::start().await;
    front.script.payment_gate.shut();
    front.script.submits.lock().unwrap().push_back(Submit::Kept);
    let mut client = Client::unix(&front).await;
    client.write(&post(&payment("1"))).await;
    front.until_submitted(1).await;
    drop(client);
    // The front has seen the hang-up once it has served somebody else.
    let mut other = Client::unix(&front).await;
    assert_eq!(other.ask("GET", "/readyz").await.status, 200);
    front.script.payment_gate.open();
    until(|| front.script.submits.lock().unwrap().is_empty()).await;
}

#[tokio::test]
async fn one_connection_too_many_is_told_so_and_closed() {
    let limits = Limits {
        connections: 2,
        ..Limits::default()
    };
    let front = Front::start_with(limits, false, true).await;
    let mut first = Client::tcp(&front).await;
    let mut second = Client::unix(&front).await;
    assert_eq!(first.ask("GET", "/readyz").await.status, 200);
    assert_eq!(second.ask("GET", "/readyz").await.status, 200);

    let mut third = Client::tcp(&front).await;
    let reply = third.reply().await;
    assert!(reply.detail(503).contains("too many connections"));
    assert_eq!(reply.header("connection"), Some("close"));
    third.expect_close().await;
    assert_eq!(
        Client::admin(&front)
            .await
            .ask("GET", "/healthz")
            .await
            .status,
        200
    );

    assert_eq!(
        first.post(&payment("1")).await.status,
        202,
        "the others go on"
    );
    drop(second);
    // The place is free as soon as the front has seen the end of the connection.
    let freed = async {
        loop {
            let mut client = Client::tcp(&front).await;
            client
                .try_write(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n")
                .await
                .unwrap_or_default();
            if client.reply().await.status == 200 {
                return;
            }
        }
    };
    timeout(Duration::from_secs(10), freed).await.unwrap();
}

#[tokio::test]
async fn payments_beyond_the_limit_are_shed_and_questions_still_answered() {
    let limits = Limits {
        payments_in_hand: 2,
        ..Limits::default()
    };
    let front = Front::start_with(limits, false, true).await;
    front.script.payment_gate.shut();
    let mut waiting = [Client::unix(&front).await, Client::unix(&front).await];
    for client in &mut waiting {
        client.write(&post(&payment("1"))).await;
    }
    front.until_submitted(2).await;

    let mut client = Client::tcp(&front).await;
    assert!(
        client
            .post(&payment("2"))
            .await
            .detail(503)
            .contains("overloaded")
    );
    assert_eq!(client.ask("GET", "/payments-summary").await.status, 200);
    assert_eq!(client.ask("GET", "/readyz").await.status, 200);

    front.script.payment_gate.open();
    for client in &mut waiting {
        assert_eq!(client.reply().await.status, 202);
    }
    assert_eq!(client.post(&payment("3")).await.status, 202);
    assert_eq!(front.submitted_cents(), [100, 100, 300]);
}

#[tokio::test]
async fn questions_beyond_their_limit_are_shed_and_payments_still_taken() {
    let limits = Limits {
        questions_in_hand: 1,
        ..Limits::default()
    };
    let front = Front::start_with(limits, true, true).await;
    front.script.question_gate.shut();
    let mut waiting = Client::unix(&front).await;
    waiting
        .write("GET /payments-summary HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    until(|| front.script.windows.lock().unwrap().len() == 1).await;

    let mut client = Client::tcp(&front).await;
    client.ask("GET", "/payments-summary").await.detail(503);
    client.ask("POST", "/purge-payments").await.detail(503);
    assert_eq!(client.ask("GET", "/readyz").await.status, 200);
    assert_eq!(client.post(&payment("1")).await.status, 202);

    front.script.question_gate.open();
    assert_eq!(waiting.reply().await.status, 200);
    assert_eq!(client.ask("GET", "/payments-summary").await.status, 200);
}

#[tokio::test]
async fn listings_beyond_their_limit_are_shed_and_summaries_still_answered() {
    let limits = Limits {
        listings_in_hand: 1,
        ..Limits::default()
    };
    let front = Front::start_with(limits, false, true).await;
    front.script.listing_gate.shut();
    let mut waiting = Client::unix(&front).await;
    waiting
        .write("GET /payments HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    until(|| front.script.listings.lock().unwrap().len() == 1).await;

    let mut client = Client::tcp(&front).await;
    client.ask("GET", "/payments?status=open").await.detail(503);
    assert_eq!(client.ask("GET", "/payments-summary").await.status, 200);
    assert_eq!(client.post(&payment("1")).await.status, 202);

    front.script.listing_gate.open();
    assert_eq!(waiting.reply().await.status, 200);
    assert_eq!(client.ask("GET", "/payments").await.status, 200);
}

#[tokio::test]
async fn a_client_that_is_slow_with_its_body_holds_no_place_among_the_payments() {
    let limits = Limits {
        payments_in_hand: 1,
        ..short_limits()
    };
    let front = Front::start_with(limits, false, true).await;
    let mut slow = Client::tcp(&front).await;
    slow.write("POST /payments HTTP/1.1\r\nhost: x\r\ncontent-length: 70\r\n\r\n{")
        .await;
    let mut client = Client::tcp(&front).await;
    assert_eq!(client.post(&payment("1")).await.status, 202);
    slow.reply().await.detail(408);
}

#[tokio::test]
async fn a_socket_is_open_to_all_users_and_goes_away_with_its_front() {
    let mut front = Front::start_with(short_limits(), false, true).await;
    let mode = std::fs::metadata(&front.unix).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o666);
    front.stop();
    front.stopped().await;
    assert!(!front.unix.exists());
}

#[tokio::test]
async fn a_leftover_socket_is_replaced_and_a_live_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.sock");
    // The standard library leaves the file behind, as a killed process does.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let address = [ListenAddress::Unix(path.clone())];
    let server = Server::bind(&address, &[]).await.unwrap();
    assert_eq!(server.addresses(), address);

    let error = Server::bind(&address, &[]).await.unwrap_err().to_string();
    assert!(error.contains(path.to_str().unwrap()), "{error}");
    assert!(path.exists());
    drop(server);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.txt");
    std::fs::write(&path, "precious").unwrap();
    assert!(
        Server::bind(&[ListenAddress::Unix(path.clone())], &[])
            .await
            .is_err()
    );
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

#[tokio::test]
async fn a_front_that_was_replaced_leaves_its_successors_socket_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.sock");
    let address = [ListenAddress::Unix(path.clone())];
    let old = Server::bind(&address, &[]).await.unwrap();
    std::fs::rename(&path, directory.path().join("moved")).unwrap();
    let _new = Server::bind(&address, &[]).await.unwrap();
    drop(old);
    assert!(path.exists());
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let front = Front::start().await;
    let error = Server::bind(&[ListenAddress::Tcp(front.tcp)], &[])
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains(&front.tcp.to_string()),
        "{error}"
    );
}
