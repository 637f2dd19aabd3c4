use tokio::task::JoinHandle;

use crate::client::Client;
use crate::running::{Running, start, until};

const PATH: &str = "/payments/service-health";

/// Asks in a task of its own; the answer is its status.
fn asking(simulator: &Running) -> JoinHandle<u16> {
    let address = simulator.address;
    tokio::spawn(async move {
        let mut client = Client::connect(address).await;
        client.get(PATH).await.unwrap().status
    })
}

#[tokio::test]
async fn the_health_tells_the_switches() {
    let simulator = start().await;
    simulator.control.set_delay_ms(123);
    simulator.control.set_failing(true);
    let reply = simulator.get(PATH).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.text, r#"{"failing":true,"minResponseTime":123}"#);
}

#[tokio::test]
async fn a_container_s_check_is_no_ask_for_the_health() {
    let simulator = start().await;
    simulator.control.set_failing(true);
    assert_eq!(simulator.get("/readyz").await.status, 200);
    assert_eq!(simulator.control.asks(), Vec::<i64>::new());
}

#[tokio::test]
async fn two_early_asks_wait_and_the_third_is_refused() {
    let simulator = start().await;
    assert_eq!(simulator.get(PATH).await.status, 200);
    let early = [asking(&simulator), asking(&simulator)];
    until(|| simulator.control.asks().len() == 3).await;
    let refused = simulator.get(PATH).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.headers["retry-after"], "5");
    assert!(early.iter().all(|ask| !ask.is_finished()));

    let asks: Vec<i64> = serde_json::from_str(&simulator.get("/admin/asks").await.text).unwrap();
    assert_eq!(asks.len(), 4, "the refused one is among them");
    assert!(asks.is_sorted());
    assert_eq!(asks, simulator.control.asks());
}
