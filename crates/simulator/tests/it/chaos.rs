use std::io::ErrorKind;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::client::{Client, is_reset};
use crate::running::{Running, id, start, until};

async fn chaos(body: &str) -> Running {
    let simulator = start().await;
    assert_eq!(simulator.put("/admin/chaos", body).await.status, 200);
    simulator
}

#[tokio::test]
async fn settings_change_in_part_and_are_told() {
    let simulator = chaos(r#"{"lateInsert":0.25,"lateInsertMs":70,"seed":5}"#).await;
    let reply = simulator
        .put("/admin/chaos", r#"{"errorAfterInsert":1}"#)
        .await;
    let expected = json!({
        "resetBeforeInsert": 0.0,
        "lateInsert": 0.25,
        "lateInsertMs": 70,
        "resetAfterInsert": 0.0,
        "hangAfterInsert": 0.0,
        "hangAfterInsertMs": 30_000,
        "errorAfterInsert": 1.0,
        "refuse": 0.0,
        "seed": 5,
    });
    assert_eq!(reply.json(), expected);
    assert_eq!(simulator.get("/admin/chaos").await.json(), expected);
}

#[tokio::test]
async fn reset_before_insert_stores_nothing() {
    let simulator = chaos(r#"{"resetBeforeInsert":1}"#).await;
    let mut client = Client::connect(simulator.address).await;
    let error = client.pay(id(1)).await.unwrap_err();
    assert!(is_reset(&error), "{error:?}");
    assert!(!simulator.holds(id(1)));
    assert_eq!(simulator.control.working(), 0);
}

#[tokio::test]
async fn reset_after_insert_stores_the_payment() {
    let simulator = chaos(r#"{"resetAfterInsert":1}"#).await;
    let mut client = Client::connect(simulator.address).await;
    let error = client.pay(id(1)).await.unwrap_err();
    assert!(is_reset(&error), "{error:?}");
    assert!(simulator.holds(id(1)));
}

#[tokio::test]
async fn hang_after_insert_stores_says_nothing_and_closes() {
    let simulator = chaos(r#"{"hangAfterInsert":1,"hangAfterInsertMs":200}"#).await;
    let started = Instant::now();
    let mut client = Client::connect(simulator.address).await;
    let (answer, ()) = tokio::join!(client.pay(id(1)), async {
        until(|| simulator.holds(id(1))).await;
        assert_eq!(simulator.control.working(), 0, "only the answer hangs");
    });
    let error = answer.unwrap_err();
    assert!(error.is_incomplete_message(), "{error:?}");
    assert!(started.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn late_insert_stores_after_the_client_has_gone() {
    let simulator = chaos(r#"{"lateInsert":1,"lateInsertMs":300}"#).await;
    simulator.pay_and_hang_up(id(1), 1).await;
    let path = format!("/payments/{}", id(1));
    assert_eq!(simulator.get(&path).await.status, 404, "not there yet");
    assert_eq!(simulator.control.working(), 1, "it keeps its permit");
    until(|| simulator.holds(id(1))).await;
}

#[tokio::test]
async fn a_late_payment_that_was_overtaken_is_a_duplicate() {
    let simulator = chaos(r#"{"lateInsert":1,"lateInsertMs":200}"#).await;
    let late = simulator.paying(id(1));
    simulator.until_working(1).await;
    simulator.put("/admin/chaos", r#"{"lateInsert":0}"#).await;
    assert_eq!(simulator.pay(id(1)).await, 200);
    assert_eq!(late.await.unwrap(), 422);
}

#[tokio::test]
async fn error_after_insert_stores_and_says_500_with_a_message() {
    let simulator = chaos(r#"{"errorAfterInsert":1}"#).await;
    let mut client = Client::connect(simulator.address).await;
    let reply = client.pay(id(1)).await.unwrap();
    assert_eq!(reply.status, 500);
    assert!(reply.json()["message"].is_string());
    assert!(simulator.holds(id(1)));
}

#[tokio::test]
async fn a_duplicate_has_no_mishap_after_an_insert_that_did_not_happen() {
    let simulator = start().await;
    assert_eq!(simulator.pay(id(1)).await, 200);
    simulator
        .put("/admin/chaos", r#"{"resetAfterInsert":1}"#)
        .await;
    assert_eq!(simulator.pay(id(1)).await, 422);
}

#[tokio::test]
async fn a_share_of_the_connections_is_reset() {
    let simulator = chaos(r#"{"refuse":0.5,"seed":11}"#).await;
    let (mut served, mut refused) = (0, 0);
    for number in 0..60 {
        let Ok(mut client) = Client::try_connect(simulator.address).await else {
            refused += 1;
            continue;
        };
        match client.pay(id(number)).await {
            Ok(reply) => {
                assert_eq!(reply.status, 200);
                served += 1;
            }
            Err(_) => refused += 1,
        }
        assert_eq!(simulator.control.posts(), served);
    }
    assert!(
        served > 15 && refused > 15,
        "{served} served, {refused} not"
    );
}

#[tokio::test]
async fn when_all_connections_are_refused_the_socket_is_closed_until_it_is_opened_again() {
    let simulator = start().await;
    let mut admin = Client::connect(simulator.address).await;
    let mut kept = Client::connect(simulator.address).await;
    let idle = Client::connect(simulator.address).await;
    assert_eq!(kept.pay(id(1)).await.unwrap().status, 200);
    for number in [10, 20] {
        let reply = admin.send("PUT", "/admin/chaos", r#"{"refuse":1}"#).await;
        assert_eq!(reply.unwrap().status, 200);
        let error = Client::try_connect(simulator.address).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);

        let reply = admin.send("PUT", "/admin/chaos", r#"{"refuse":0}"#).await;
        assert_eq!(reply.unwrap().status, 200);
        assert_eq!(simulator.pay(id(number)).await, 200);
    }
    kept.pay(id(2)).await.unwrap_err();
    assert!(!simulator.holds(id(2)), "kept connections were ended");
    idle.ended().await;
}

#[tokio::test]
async fn the_second_address_is_never_refused() {
    let simulator = chaos(r#"{"refuse":1}"#).await;
    let mut admin = Client::connect(simulator.admin_address).await;
    assert_eq!(
        admin.get("/admin/chaos").await.unwrap().json()["refuse"],
        1.0
    );
    admin
        .send("PUT", "/admin/chaos", r#"{"refuse":0}"#)
        .await
        .unwrap();
    assert_eq!(simulator.pay(id(1)).await, 200);
}
