use crate::client::Client;
use crate::running::{AT, id, payment, start, until};

#[tokio::test]
async fn a_payment_is_stored_and_can_be_looked_up() {
    let simulator = start().await;
    for (number, sent, kept) in [
        (1, "2025-07-15T12:34:50.000Z", "2025-07-15T12:34:50"),
        (2, "2025-07-15T12:34:56.120Z", "2025-07-15T12:34:56.12"),
        (
            3,
            "2025-07-15T12:34:56.123456Z",
            "2025-07-15T12:34:56.123456",
        ),
        (
            4,
            "2025-07-15T12:34:56.1234569Z",
            "2025-07-15T12:34:56.123456",
        ),
    ] {
        let id = id(number);
        let reply = simulator
            .post("/payments", &payment(id, "19.9", sent))
            .await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.json()["message"], "payment processed successfully");
        let found = simulator.get(&format!("/payments/{id}")).await;
        assert_eq!(found.status, 200);
        let expected =
            format!(r#"{{"correlationId":"{id}","amount":19.90,"requestedAt":"{kept}"}}"#);
        assert_eq!(found.text, expected);
    }
    let unknown = simulator.get(&format!("/payments/{}", id(9))).await;
    assert_eq!(unknown.status, 404);
    assert_eq!(simulator.get("/payments/9").await.status, 400);
}

#[tokio::test]
async fn amounts_are_kept_half_to_even() {
    let simulator = start().await;
    for (number, sent, cents) in [
        (1, "19.905", 1990),
        (2, "19.915", 1992),
        (3, "19.9050000000000000001", 1991),
        (4, "1e2", 10_000),
    ] {
        let body = payment(id(number), sent, AT);
        assert_eq!(simulator.post("/payments", &body).await.status, 200);
        let (amount, _) = simulator.control.find(id(number)).unwrap();
        assert_eq!(amount.cents(), cents, "{sent}");
    }
}

#[tokio::test]
async fn an_id_that_is_there_already_is_refused_and_the_first_payment_stays() {
    let simulator = start().await;
    assert_eq!(simulator.pay(id(1)).await, 200);
    assert_eq!(simulator.pay(id(1)).await, 422);
    let other = payment(id(1), "5", AT);
    assert_eq!(simulator.post("/payments", &other).await.status, 422);
    assert_eq!(simulator.control.find(id(1)).unwrap().0.cents(), 1990);
    assert_eq!(simulator.control.duplicates(), 2);
}

#[tokio::test]
async fn what_is_malformed_is_refused_and_not_stored() {
    let simulator = start().await;
    for body in [
        "",
        "{}",
        &payment(id(1), "\"1\"", AT),
        &payment(id(1), "-1", AT),
        &payment(id(1), "1", "now"),
    ] {
        assert_eq!(
            simulator.post("/payments", body).await.status,
            400,
            "{body}"
        );
    }
    let huge = "x".repeat(20_000);
    assert_eq!(simulator.post("/payments", &huge).await.status, 413);
    assert!(!simulator.holds(id(1)));
}

#[tokio::test]
async fn while_it_fails_payments_get_an_empty_500_and_lookups_go_on() {
    let simulator = start().await;
    assert_eq!(simulator.pay(id(1)).await, 200);
    simulator.control.set_failing(true);
    simulator.control.set_delay_ms(10);
    let reply = simulator.post("/payments", &payment(id(2), "1", AT)).await;
    assert_eq!((reply.status, reply.text.as_str()), (500, ""));
    assert!(!simulator.holds(id(2)));
    simulator.control.set_delay_ms(3_600_000);
    let found = simulator.get(&format!("/payments/{}", id(1))).await;
    assert_eq!(found.status, 200, "neither delayed nor failing");
}

#[tokio::test]
async fn the_failure_switch_is_read_after_the_delay() {
    let simulator = start().await;
    simulator.control.set_delay_ms(300);
    for (number, failing, expected) in [(1, true, 500), (2, false, 200)] {
        simulator.control.set_failing(!failing);
        let answer = simulator.paying(id(number));
        simulator.until_working(1).await;
        simulator.control.set_failing(failing);
        assert_eq!(answer.await.unwrap(), expected);
        assert_eq!(simulator.holds(id(number)), !failing);
    }
}

#[tokio::test]
async fn a_payment_is_stored_after_its_client_hung_up() {
    let simulator = start().await;
    simulator.control.set_delay_ms(300);
    simulator.pay_and_hang_up(id(1), 1).await;
    assert!(!simulator.holds(id(1)));
    until(|| simulator.holds(id(1))).await;
}

#[tokio::test]
async fn one_connection_carries_many_payments() {
    let simulator = start().await;
    let mut client = Client::connect(simulator.address).await;
    for number in 0..100 {
        assert_eq!(client.pay(id(number)).await.unwrap().status, 200);
    }
    assert_eq!(simulator.control.posts(), 100);
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let simulator = start().await;
    assert_eq!(simulator.get("/").await.status, 404);
    assert_eq!(simulator.get("/payment").await.status, 404);
    for (method, path, allowed) in [
        ("GET", "/payments", "POST"),
        ("POST", "/payments/service-health", "GET"),
        ("PUT", "/admin/dump", "GET"),
        ("GET", "/admin/purge-payments", "POST"),
        ("POST", "/admin/chaos", "GET, PUT"),
        ("POST", "/admin/rules", "GET, PUT"),
        ("PUT", "/admin/payments", "GET"),
        ("PUT", "/admin/payments/1", "GET"),
        ("GET", "/admin/configurations/delay", "PUT"),
    ] {
        let mut client = Client::connect(simulator.address).await;
        let reply = client.send(method, path, "").await.unwrap();
        assert_eq!(reply.status, 405, "{method} {path}");
        assert_eq!(reply.headers["allow"], allowed, "{method} {path}");
    }
}
