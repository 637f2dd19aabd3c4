//! What waited for a processor is sent over a time, and no faster.

use std::time::Duration;

use feeway_memory_store::MemoryStore;
use feeway_worker::{Gateway, Submit};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use crate::front::Front;
use crate::line::Line;
use crate::scripted_processor::{Mood, ScriptedProcessor};
use crate::shop::payment;
use crate::unreliable_store::UnreliableStore;
use crate::weather::Weather;

const SECOND: Duration = Duration::from_secs(1);

struct World {
    store: MemoryStore,
    processors: [ScriptedProcessor; 2],
    gateway: Gateway<UnreliableStore, Line>,
    _front: Front,
}

impl World {
    /// A front whose processors are both gone, with so many payments.
    async fn with_backlog(catch_up: Duration, payments: u32) -> Self {
        let store = MemoryStore::default();
        let processors = [ScriptedProcessor::new(1), ScriptedProcessor::new(2)];
        let mut front = Front::down(0, 60 * SECOND, 0);
        front.catch_up = catch_up;
        front.start(&store, &Weather::fair(5), &processors, Instant::now());
        let world = Self {
            gateway: front.gateway().unwrap(),
            _front: front,
            store,
            processors,
        };
        world.set_mood(Mood::Gone);
        sleep(SECOND / 10).await;
        for number in 0..payments {
            assert_eq!(world.gateway.submit(payment(number)).await, Submit::Kept);
        }
        // Nothing comes in for longer than a heartbeat.
        sleep(3 * SECOND).await;
        world
    }

    fn set_mood(&self, mood: Mood) {
        self.processors.iter().for_each(|one| one.set_mood(mood));
    }
}

/// How many of a backlog are open each second once the processors are back.
async fn open_by_second(catch_up: Duration, payments: u32) -> Vec<usize> {
    let world = World::with_backlog(catch_up, payments).await;
    world.set_mood(Mood::Fine);
    let mut open = Vec::new();
    while open.last() != Some(&0) && open.len() < 60 {
        sleep(SECOND).await;
        open.push(world.store.open());
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

#[tokio::test(start_paused = true)]
async fn new_payments_do_not_keep_a_backlog_alive() {
    // So long that without what comes in only 500 a second would go.
    let catch_up = 60 * SECOND;
    let world = World::with_backlog(catch_up, 1_000).await;
    world.set_mood(Mood::Fine);
    // 1 000 a second, for four seconds.
    for round in 0..400 {
        let first = 1_000 + 10 * round;
        let posts = (first..first + 10).map(|number| world.gateway.submit(payment(number)));
        for submit in join_all(posts).await {
            assert_eq!(submit, Submit::Kept);
        }
        sleep(SECOND / 100).await;
    }
    let open = world.store.open();
    assert!(open <= 100, "{open}");
}
