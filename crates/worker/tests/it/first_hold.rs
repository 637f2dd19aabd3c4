//! Payments that come in before the front is enlisted for the first time.

use std::time::Duration;

use feeway_memory_store::MemoryStore;
use feeway_worker::{Gateway, NotKept, Submit};
use tokio::time::Instant;

use crate::front::Front;
use crate::line::Line;
use crate::scripted_processor::ScriptedProcessor;
use crate::shop::payment;
use crate::unreliable_store::UnreliableStore;
use crate::weather::Weather;

/// A front of which nothing has run yet, with a store that is away or not.
fn starting(is_store_away: bool) -> (Front, Gateway<UnreliableStore, Line>) {
    let weather = Weather::fair(7);
    weather.set_away(is_store_away);
    let processors = [ScriptedProcessor::new(1), ScriptedProcessor::new(2)];
    let mut front = Front::down(0, Duration::from_secs(60), 0);
    front.start(
        &MemoryStore::default(),
        &weather,
        &processors,
        Instant::now(),
    );
    let gateway = front.gateway().unwrap();
    (front, gateway)
}

#[tokio::test(start_paused = true)]
async fn a_payment_waits_for_the_first_hold() {
    let (_front, gateway) = starting(false);
    assert_eq!(gateway.submit(payment(0)).await, Submit::Kept);
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_half_a_second_in_all() {
    let (_front, gateway) = starting(true);
    let began = Instant::now();
    let away = Submit::NotKept(NotKept::StoreAway);
    assert_eq!(gateway.submit(payment(0)).await, away);
    let waited = began.elapsed();
    assert!(waited.abs_diff(Duration::from_millis(500)) < Duration::from_millis(5));
    assert_eq!(gateway.submit(payment(1)).await, away);
    assert_eq!(began.elapsed(), waited, "later ones are refused at once");
}
