//! A front stands still as long as anything keeps it from trusting its store.

use std::sync::Arc;
use std::time::Duration;

use feeway_domain::{Cause, Ledger as _, Standstill, Status};
use feeway_memory_store::MemoryStore;
use feeway_worker::{NotKept, Submit};
use tokio::time::{Instant, sleep};

use crate::front::Front;
use crate::scripted_processor::{Mood, ScriptedProcessor};
use crate::shop::payment;
use crate::weather::Weather;

const SECOND: Duration = Duration::from_secs(1);

/// A front with two processors and its switch.
struct Scene {
    store: MemoryStore,
    processors: [ScriptedProcessor; 2],
    front: Front,
    standstill: Arc<Standstill>,
}

impl Scene {
    async fn begin() -> Self {
        let store = MemoryStore::default();
        let processors = [ScriptedProcessor::new(1), ScriptedProcessor::new(2)];
        let mut front = Front::down(0, 60 * SECOND, 0);
        let standstill = Arc::clone(&front.standstill);
        front.start(&store, &Weather::fair(3), &processors, Instant::now());
        sleep(SECOND / 10).await;
        Self {
            store,
            processors,
            front,
            standstill,
        }
    }

    async fn submit(&self, number: u32) -> Submit {
        self.front.gateway().unwrap().submit(payment(number)).await
    }

    fn posts(&self) -> usize {
        self.processors.iter().map(|one| one.posts().len()).sum()
    }

    async fn settled(&self, number: u32) -> bool {
        let state = self.store.find(payment(number).id).await.unwrap();
        state.is_some_and(|state| matches!(state.status, Status::Settled { .. }))
    }
}

#[tokio::test(start_paused = true)]
async fn it_accepts_nothing_says_why_and_starts_no_attempt_until_it_is_over() {
    let scene = Scene::begin().await;
    for processor in &scene.processors {
        processor.set_mood(Mood::Failing);
    }
    assert_eq!(scene.submit(1).await, Submit::Kept);
    sleep(SECOND).await;
    scene.standstill.begin(Cause::Refusing, "it is a replica");
    // What is in flight ends.
    sleep(SECOND).await;
    let posts = scene.posts();
    for processor in &scene.processors {
        processor.set_mood(Mood::Fine);
    }
    let refused = Submit::NotKept(NotKept::StandsStill("it is a replica".to_owned()));
    assert_eq!(scene.submit(2).await, refused);
    sleep(120 * SECOND).await;
    assert_eq!(scene.posts(), posts, "also long after its patience");
    assert_eq!(scene.store.find(payment(2).id).await, Ok(None));
    assert!(scene.store.find(payment(1).id).await.unwrap().is_some());
    scene.standstill.end(Cause::Refusing);
    assert_eq!(scene.submit(2).await, Submit::Kept);
    sleep(5 * SECOND).await;
    assert!(scene.settled(1).await && scene.settled(2).await);
}

#[tokio::test(start_paused = true)]
async fn what_lingers_when_it_begins_is_not_sent() {
    let scene = Scene::begin().await;
    assert_eq!(scene.submit(1).await, Submit::Kept);
    scene.standstill.begin(Cause::Refusing, "it is a replica");
    sleep(60 * SECOND).await;
    assert_eq!(scene.posts(), 0);
    scene.standstill.end(Cause::Refusing);
    sleep(5 * SECOND).await;
    assert!(scene.settled(1).await);
}

/// It is not put down, as it is for an operator: then nobody would look for it again.
#[tokio::test(start_paused = true)]
async fn what_is_tied_to_a_processor_waits_there_and_ends_there() {
    let scene = Scene::begin().await;
    scene.processors[0].set_mood(Mood::Hanging);
    assert_eq!(scene.submit(1).await, Submit::Kept);
    sleep(SECOND).await;
    scene.processors[0].set_mood(Mood::Gone);
    sleep(40 * SECOND).await;
    scene.standstill.begin(Cause::Refusing, "it is a replica");
    sleep(60 * SECOND).await;
    let posts = scene.posts();
    scene.processors[0].set_mood(Mood::Fine);
    sleep(60 * SECOND).await;
    assert_eq!(scene.posts(), posts);
    scene.standstill.end(Cause::Refusing);
    sleep(60 * SECOND).await;
    assert!(scene.settled(1).await);
}

#[tokio::test(start_paused = true)]
async fn with_a_full_memory_open_payments_go_on() {
    let scene = Scene::begin().await;
    scene.standstill.begin(Cause::Memory, "memory is full");
    assert_eq!(scene.submit(1).await, Submit::Kept, "the store has the say");
    sleep(5 * SECOND).await;
    assert!(scene.settled(1).await);
}
