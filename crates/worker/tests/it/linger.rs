//! Payments that come one after another are sent together, unless they are many.

use std::time::Duration;

use feeway_domain::{Ledger as _, Status};
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

const MILLI: Duration = Duration::from_millis(1);

/// How long a payment lingers, in milliseconds.
const LINGER: i64 = 10;

struct World {
    dawn: Instant,
    store: MemoryStore,
    processors: [ScriptedProcessor; 2],
    gateway: Gateway<UnreliableStore, Line>,
    front: Front,
}

impl World {
    async fn with_permits(max_in_flight: usize) -> Self {
        let store = MemoryStore::default();
        let processors = [ScriptedProcessor::new(1), ScriptedProcessor::new(2)];
        let mut front = Front::down(0, 1_000 * MILLI, 0);
        front.max_in_flight = max_in_flight;
        let dawn = Instant::now();
        front.start(&store, &Weather::fair(5), &processors, dawn);
        sleep(100 * MILLI).await;
        Self {
            dawn,
            store,
            processors,
            gateway: front.gateway().unwrap(),
            front,
        }
    }

    async fn submit(&self, number: u32) {
        assert_eq!(self.gateway.submit(payment(number)).await, Submit::Kept);
    }

    /// Milliseconds since dawn at which payments were sent, in order.
    fn sent(&self) -> Vec<i64> {
        let book = self.processors[0].book();
        let instants = book.values().map(|(_, requested_at)| requested_at.micros());
        let mut sent: Vec<i64> = instants
            .map(|at| (at - crate::front::DAWN_MICROS) / 1_000)
            .collect();
        sent.sort_unstable();
        sent
    }

    fn now(&self) -> i64 {
        i64::try_from(self.dawn.elapsed().as_millis()).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn those_that_come_shortly_after_another_are_sent_with_it_and_answered_before() {
    let world = World::with_permits(64).await;
    world.submit(0).await;
    let answered = world.now();
    for number in 1..3 {
        sleep(MILLI).await;
        world.submit(number).await;
    }
    assert!(world.now() < answered + LINGER, "nobody was kept waiting");
    sleep(100 * MILLI).await;
    let sent = world.sent();
    assert_eq!(sent.len(), 3);
    assert!(
        (answered + LINGER - 1..=answered + LINGER + 2).contains(&sent[0]),
        "{answered} {sent:?}"
    );
    assert!(sent[2] <= sent[0] + 1, "{sent:?}");
    assert_eq!(world.store.open(), 0);
    // Whoever comes later waits for a company of his own.
    let later = world.now();
    world.submit(9).await;
    sleep(100 * MILLI).await;
    assert!(
        world.sent()[3] >= later + LINGER - 1,
        "{later} {:?}",
        world.sent()
    );
}

/// How long after the last answer the last of so many was sent that came at once.
async fn last_sent_after(world: &World, payments: u32) -> i64 {
    let submits = (0..payments).map(|number| world.submit(number));
    join_all(submits).await;
    let answered = world.now();
    sleep(100 * MILLI).await;
    let sent = world.sent();
    assert_eq!(sent.len(), usize::try_from(payments).unwrap());
    sent[sent.len() - 1] - answered
}

#[tokio::test(start_paused = true)]
async fn when_there_are_enough_nobody_lingers() {
    let world = World::with_permits(64).await;
    assert!(last_sent_after(&world, 31).await >= LINGER - 5);
    let world = World::with_permits(64).await;
    assert!(last_sent_after(&world, 32).await <= 1);
}

#[tokio::test(start_paused = true)]
async fn when_permits_are_scarce_nobody_lingers_on_one() {
    let world = World::with_permits(8).await;
    assert!(last_sent_after(&world, 8).await >= LINGER - 5);
    let world = World::with_permits(8).await;
    // The ninth has to wait until one of the others is back.
    let submits = (0..9).map(|number| world.submit(number));
    join_all(submits).await;
    let answered = world.now();
    sleep(100 * MILLI).await;
    let sent = world.sent();
    assert!(sent[7] <= answered + 1, "{answered} {sent:?}");
}

#[tokio::test(start_paused = true)]
async fn a_probe_does_not_linger() {
    let world = World::with_permits(64).await;
    // One that is held shows that what a look-up does not find is absent.
    world.submit(9).await;
    sleep(1_000 * MILLI).await;
    world.processors[0].set_mood(Mood::Failing);
    world.submit(0).await;
    // Until the other one has it; nobody waits then who could be a probe.
    sleep(40_000 * MILLI).await;
    assert_eq!(world.store.open(), 0);
    world.processors[0].set_mood(Mood::Fine);
    world.submit(1).await;
    let answered = world.now();
    sleep(100 * MILLI).await;
    let sent = world.sent();
    assert_eq!(sent.len(), 2);
    assert!(sent[1] <= answered + 1, "{answered} {sent:?}");
}

/// The processor that the entry of an open payment names.
async fn named(world: &World, number: u32) -> Option<String> {
    let state = world.store.find(payment(number).id).await.unwrap();
    match state.expect("it is known").status {
        Status::Open { processor } => processor.map(|name| name.to_string()),
        ended @ (Status::Settled { .. } | Status::Rejected { .. } | Status::Conflict { .. }) => {
            panic!("{ended:?}")
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_lingers_when_its_processor_begins_to_fail_is_not_sent_there() {
    let world = World::with_permits(64).await;
    world.processors[0].set_mood(Mood::Gone);
    world.submit(0).await;
    // It has been sent, and nobody knows yet what becomes of it.
    sleep(u32::try_from(LINGER).unwrap() * MILLI).await;
    join_all((1..4).map(|number| world.submit(number))).await;
    for number in 1..4 {
        assert_eq!(named(&world, number).await.as_deref(), Some("default"));
    }
    sleep(100 * MILLI).await;
    assert_eq!(world.processors[0].requests(), 1);
    assert_eq!(world.store.open(), 4);
    // Nothing was started there but the one that was refused, so all may go elsewhere.
    sleep(2_000 * MILLI).await;
    assert_eq!(world.processors[1].book().len(), 4);
    assert_eq!(world.store.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_lingers_when_a_front_goes_stays_in_the_journal() {
    let mut world = World::with_permits(64).await;
    world.submit(0).await;
    world.front.drain(1_000 * MILLI).await;
    sleep(100 * MILLI).await;
    assert!(world.sent().is_empty());
    assert_eq!(world.store.open(), 1);
}
