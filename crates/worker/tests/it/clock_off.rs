//! A front whose clock is wrong.

use std::time::Duration;

use feeway_domain::{CorrelationId, Money, Payment, Status, Store};
use feeway_store::MemoryStore;
use feeway_worker::Submit;
use tokio::time::{Instant, sleep};

use crate::front::Front;
use crate::scripted_processor::ScriptedProcessor;
use crate::weather::Weather;

const SECOND: Duration = Duration::from_secs(1);
const DAY_MS: i64 = 24 * 3_600_000;

/// How much later than it was accepted the books have a payment, by the store's clock, in ms.
/// The first one is accepted before the front's first heartbeat is answered.
async fn booked_later_ms(skew_ms: i64) -> Vec<i64> {
    let store = MemoryStore::default();
    let processors = [ScriptedProcessor::new(1), ScriptedProcessor::new(2)];
    let mut front = Front::down(0, SECOND, skew_ms);
    front.start(&store, &Weather::fair(7), &processors, Instant::now());
    let gateway = front.gateway().expect("it was started");
    gateway.enlisted().await;
    let mut later = Vec::new();
    for number in 0..3 {
        let payment = Payment {
            id: CorrelationId::from_bytes([number; 16]),
            amount: Money::from_cents(1990).expect("an amount"),
        };
        let accepted_at = store.now();
        assert_eq!(gateway.submit(payment).await, Submit::Kept);
        sleep(5 * SECOND).await;
        let found = store.find(payment.id).await.unwrap().expect("it was kept");
        let Status::Settled { requested_at, .. } = found.status else {
            panic!("{found:?}");
        };
        later.push((requested_at.micros() - accepted_at.micros()) / 1_000);
    }
    later
}

#[tokio::test(start_paused = true)]
async fn beyond_the_slip_payments_are_stamped_by_the_clock_of_the_store() {
    for skew_ms in [-10 * DAY_MS, -4_000, 4_000, 10 * DAY_MS] {
        let later = booked_later_ms(skew_ms).await;
        let near = later.iter().all(|later| (0..1_500).contains(later));
        assert!(near, "{skew_ms}: {later:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn within_the_slip_they_are_stamped_by_its_own() {
    let later = booked_later_ms(1_500).await;
    let own = later.iter().all(|later| (1_500..3_000).contains(later));
    assert!(own, "{later:?}");
}
