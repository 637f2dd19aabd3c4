use std::time::Duration;

use feeway_simulator::SimulatorConfig;
use tokio::time::Instant;

use crate::running::{id, start_with, until};

fn config(permits: u32, queue: u32, delay_ms: u32) -> SimulatorConfig {
    SimulatorConfig {
        permits,
        queue,
        delay_ms,
        ..SimulatorConfig::default()
    }
}

#[tokio::test]
async fn over_permits_and_queue_a_payment_is_refused_and_not_stored() {
    let simulator = start_with(config(2, 1, 300)).await;
    let started = Instant::now();
    let first = [simulator.paying(id(1)), simulator.paying(id(2))];
    simulator.until_working(2).await;
    let queued = simulator.paying(id(3));
    until(|| simulator.control.queued() == 1).await;
    assert_eq!(simulator.pay(id(4)).await, 429);
    for answer in first {
        assert_eq!(answer.await.unwrap(), 200);
    }
    assert_eq!(queued.await.unwrap(), 200);
    assert!(
        started.elapsed() >= Duration::from_millis(600),
        "the third one waited for a permit and then for the delay"
    );
    assert!(!simulator.holds(id(4)));
    assert_eq!(simulator.pay(id(4)).await, 200, "the permits are back");
}

#[tokio::test]
async fn a_lookup_needs_a_permit_too() {
    let simulator = start_with(config(1, 0, 300)).await;
    let path = format!("/payments/{}", id(1));
    let answer = simulator.paying(id(1));
    simulator.until_working(1).await;
    assert_eq!(simulator.get(&path).await.status, 429);
    assert_eq!(answer.await.unwrap(), 200);
    assert_eq!(simulator.get(&path).await.status, 200);
}

#[tokio::test]
async fn ghosts_keep_their_permits_and_their_places_in_the_queue() {
    let simulator = start_with(config(1, 1, 300)).await;
    simulator.pay_and_hang_up(id(1), 1).await;
    simulator.pay_and_hang_up(id(2), 2).await;
    assert_eq!(simulator.control.working(), 1);
    assert_eq!(simulator.control.queued(), 1);
    assert_eq!(simulator.pay(id(3)).await, 429);
    until(|| simulator.holds(id(1)) && simulator.holds(id(2))).await;
    assert_eq!(simulator.control.working(), 0);
}
