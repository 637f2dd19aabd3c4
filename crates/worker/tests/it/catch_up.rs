//! What waited for a processor is sent over a time, and no faster.

use std::time::Duration;

use feeway_domain::{CorrelationId, Money, Payment};
use feeway_store::MemoryStore;
use feeway_worker::Submit;
use tokio::time::{Instant, sleep};

use crate::front::Front;
use crate::scripted_processor::{Mood, ScriptedProcessor};
use crate::unreliable_store::Weather;

const SECOND: Duration = Duration::from_secs(1);

fn payment(number: u32) -> Payment {
    let mut bytes = [9; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Payment {
        id: CorrelationId::from_bytes(bytes),
        amount: Money::from_cents(1990).unwrap(),
    }
}

/// A front that lets an outage of both processors pass with so many payments, and how many
/// of them are open each second from then on.
async fn open_by_second(catch_up: Duration, payments: u32) -> Vec<usize> {
    let store = MemoryStore::default();
    let processors = [ScriptedProcessor::new(1), ScriptedProcessor::new(2)];
    let set_mood = |mood| processors.iter().for_each(|one| one.set_mood(mood));
    set_mood(Mood::Gone);
    let mut front = Front::down(0, 60 * SECOND, 0);
    front.catch_up = catch_up;
    front.start(&store, &Weather::fair(5), &processors, Instant::now());
    sleep(SECOND / 10).await;
    let gateway = front.gateway().unwrap();
    for number in 0..payments {
        assert_eq!(gateway.submit(payment(number)).await, Submit::Kept);
    }
    // No arrivals for longer than a heartbeat.
    sleep(3 * SECOND).await;
    set_mood(Mood::Fine);
    let mut open = Vec::new();
    while open.last() != Some(&0) && open.len() < 60 {
        sleep(SECOND).await;
        open.push(store.open());
    }
    open
}

#[tokio::test(start_paused = true)]
async fn a_backlog_leaves_the_front_in_its_time_and_not_at_once() {
    let open = open_by_second(4 * SECOND, 2_000).await;
    // 500 a second and the fourth part of what is left; a probe finds out 0.2 s later.
    assert!((1_000..=1_400).contains(&open[0]), "{open:?}");
    assert!((3..=5).contains(&open.len()), "{open:?}");
}

#[tokio::test(start_paused = true)]
async fn what_waits_in_the_journal_counts_as_well() {
    let open = open_by_second(4 * SECOND, 8_000).await;
    // Only 2 304 of them are in the lanes.
    assert!((5_000..=6_400).contains(&open[0]), "{open:?}");
    assert!((5..=12).contains(&open.len()), "{open:?}");
}

#[tokio::test(start_paused = true)]
async fn without_a_time_it_leaves_as_fast_as_it_goes() {
    let open = open_by_second(Duration::ZERO, 2_000).await;
    // Eight attempts of 2 ms at a time.
    assert!(open[0] <= 500 && open.len() <= 2, "{open:?}");
}
