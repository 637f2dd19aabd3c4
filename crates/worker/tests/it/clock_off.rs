//! A front whose clock is wrong.

use std::time::Duration;

use feeway_domain::{CorrelationId, Ledger as _, Money, Payment, Status};
use feeway_memory_store::MemoryStore;
use feeway_worker::{NotKept, Submit};
use tokio::time::{Instant, sleep};

use crate::front::Front;
use crate::scripted_processor::ScriptedProcessor;
use crate::weather::Weather;

const SECOND: Duration = Duration::from_secs(1);
const DAY_MS: i64 = 24 * 3_600_000;

/// A front whose clock is off by so much, and what it works with.
struct Scene {
    store: MemoryStore,
    front: Front,
}

impl Scene {
    async fn begin(skew_ms: i64) -> Self {
        let store = MemoryStore::default();
        let processors = [ScriptedProcessor::new(1), ScriptedProcessor::new(2)];
        let mut front = Front::down(0, SECOND, skew_ms);
        front.start(&store, &Weather::fair(7), &processors, Instant::now());
        front.gateway().expect("it was started").enlisted().await;
        Self { store, front }
    }

    /// How much later than it is accepted now the books have a payment, by the store's clock.
    async fn booked_later_ms(&self, number: u8) -> i64 {
        let payment = Payment {
            id: CorrelationId::from_bytes([number; 16]),
            amount: Money::from_cents(1990).expect("an amount"),
        };
        let accepted_at = self.store.now();
        let gateway = self.front.gateway().expect("it was started");
        assert_eq!(gateway.submit(payment).await, Submit::Kept);
        sleep(5 * SECOND).await;
        let found = self.store.find(payment.id).await.unwrap();
        let found = found.expect("it was kept");
        let Status::Settled { requested_at, .. } = found.status else {
            panic!("{found:?}");
        };
        (requested_at.micros() - accepted_at.micros()) / 1_000
    }
}

/// Of three payments. The first is accepted before the front's first heartbeat is answered.
async fn booked_later_ms(skew_ms: i64) -> Vec<i64> {
    let scene = Scene::begin(skew_ms).await;
    let mut later = Vec::new();
    for number in 0..3 {
        later.push(scene.booked_later_ms(number).await);
    }
    later
}

#[tokio::test(start_paused = true)]
async fn beyond_the_slip_payments_are_stamped_by_the_clock_of_the_store() {
    for skew_ms in [-59_000, -4_000, 4_000, 59_000] {
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

/// Nobody knows when the store read its clock for a heartbeat during which the front slept.
#[tokio::test(start_paused = true)]
async fn a_heartbeat_that_took_long_tells_no_time() {
    let scene = Scene::begin(-50_000).await;
    sleep(SECOND / 2).await;
    scene.front.gate.set_open(false);
    sleep(6 * SECOND).await;
    scene.front.gate.set_open(true);
    sleep(SECOND / 20).await;
    let later = scene.booked_later_ms(1).await;
    assert!((0..1_500).contains(&later), "{later}");
}

#[tokio::test(start_paused = true)]
async fn beyond_a_minute_new_payments_are_refused_as_well() {
    for (skew_ms, side) in [
        (-10 * DAY_MS, "behind"),
        (-61_000, "behind"),
        (61_000, "ahead of"),
        (10 * DAY_MS, "ahead of"),
    ] {
        let scene = Scene::begin(skew_ms).await;
        sleep(SECOND / 2).await;
        let gateway = scene.front.gateway().expect("it was started");
        let payment = Payment {
            id: CorrelationId::from_bytes([1; 16]),
            amount: Money::from_cents(1990).expect("an amount"),
        };
        let Submit::NotKept(NotKept::StandsStill(why)) = gateway.submit(payment).await else {
            panic!("{skew_ms} ms");
        };
        assert!(why.contains(side), "{why}");
        assert_eq!(scene.store.find(payment.id).await, Ok(None));
    }
}
