use feeway_simulator::SimulatorConfig;

use crate::running::{id, payment, start, start_with};

const PATH: &str = "/admin/payments-summary";

#[tokio::test]
async fn a_summary_is_inclusive_to_the_microsecond() {
    let simulator = start().await;
    for (number, at) in [
        (1, "2025-07-15T12:00:00.999999Z"),
        (2, "2025-07-15T12:00:01.000000Z"),
        (3, "2025-07-15T12:00:02.500000Z"),
        (4, "2025-07-15T12:00:03.000001Z"),
    ] {
        let body = payment(id(number), "10.10", at);
        assert_eq!(simulator.post("/payments", &body).await.status, 200);
    }
    for (from, to, count, amount) in [
        ("12:00:01Z", "12:00:03.000001Z", 3, "30.30"),
        ("12:00:01Z", "12:00:03Z", 2, "20.20"),
        ("12:00:00.999999Z", "12:00:03.000001Z", 4, "40.40"),
        ("12:00:02.5Z", "12:00:02.5Z", 1, "10.10"),
        ("12:00:02.500001", "12:00:03", 0, "0.00"),
        ("12:00:03.000002Z", "13:00:00Z", 0, "0.00"),
        ("13:00:00Z", "12:00:00Z", 0, "0.00"),
    ] {
        let query = format!("{PATH}?from=2025-07-15T{from}&to=2025-07-15T{to}");
        let reply = simulator.get(&query).await;
        assert_eq!(reply.status, 200, "{query}");
        let expected = format!(r#"{{"totalRequests":{count},"totalAmount":{amount},"#);
        assert!(reply.text.starts_with(&expected), "{query}: {}", reply.text);
    }
}

#[tokio::test]
async fn a_missing_end_gives_everything_and_the_fee_is_exact() {
    let simulator = start_with(SimulatorConfig {
        fee: "0.15".parse().unwrap(),
        ..SimulatorConfig::default()
    })
    .await;
    for number in 0..3 {
        assert_eq!(simulator.pay(id(number)).await, 200);
    }
    let everything =
        r#"{"totalRequests":3,"totalAmount":59.70,"totalFee":8.955,"feePerTransaction":0.15}"#;
    for query in ["", "?from=2030-01-01T00:00:00Z", "?to=2000-01-01T00:00:00Z"] {
        let reply = simulator.get(&format!("{PATH}{query}")).await;
        assert_eq!(reply.text, everything, "{query}");
    }
    let nothing =
        r#"{"totalRequests":0,"totalAmount":0.00,"totalFee":0.00,"feePerTransaction":0.15}"#;
    simulator.control.purge();
    assert_eq!(simulator.get(PATH).await.text, nothing);
}

#[tokio::test]
async fn a_malformed_end_is_refused() {
    let simulator = start().await;
    for query in [
        "from=yesterday",
        "to=",
        "from=2025-07-15&to=2025-07-16",
        "from=2025-07-15T00:00:00Z&to=x",
    ] {
        let reply = simulator.get(&format!("{PATH}?{query}")).await;
        assert_eq!(reply.status, 400, "{query}");
    }
}
