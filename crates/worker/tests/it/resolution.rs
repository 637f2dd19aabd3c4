//! An operator decides about a payment whose processor never comes back, while the front
//! that had it in hand sleeps and wakes up at any moment.

use std::time::Duration;

use feeway_domain::{
    CorrelationId, Fee, Ledger as _, Money, Payment, Proof, Resolutions, Resolve, Settle, Status,
    Verdict,
};
use feeway_memory_store::MemoryStore;
use tokio::time::{Instant, sleep};

use crate::front::Front;
use crate::scripted_processor::{Mood, ScriptedProcessor};
use crate::weather::Weather;

const ID: CorrelationId = CorrelationId::from_bytes([7; 16]);

struct Scene {
    store: MemoryStore,
    weather: Weather,
    processors: [ScriptedProcessor; 2],
    sleeper: Front,
    dawn: Instant,
}

impl Scene {
    /// A front has a payment in hand that is pinned to `default`, which then is gone for
    /// good, and falls asleep. None when that processor happened to be in order.
    async fn begin(seed: u64, mood: Mood) -> Option<Self> {
        let dawn = Instant::now();
        let store = MemoryStore::default();
        let processors = [
            ScriptedProcessor::new(seed),
            ScriptedProcessor::new(seed + 1),
        ];
        let mut sleeper = Front::down(0, Duration::from_secs(60), 0);
        let weather = Weather::fair(seed);
        sleeper.start(&store, &weather, &processors, dawn);
        sleep(Duration::from_millis(100)).await;
        processors[0].set_mood(mood);
        let payment = Payment {
            id: ID,
            amount: Money::from_cents(1990).unwrap(),
        };
        let gateway = sleeper.gateway().unwrap();
        gateway.submit(payment).await;
        // It lingers for 10 ms before it is sent.
        sleep(Duration::from_millis(20 + seed % 400)).await;
        processors[0].set_mood(Mood::Gone);
        sleep(Duration::from_secs(1 + seed % 90)).await;
        let entry = store.entry(ID)?;
        assert_eq!(entry.processor.unwrap().as_str(), "default");
        sleeper.gate.set_open(false);
        // A heartbeat that was under way is heard of before anybody looks.
        sleep(Duration::from_millis(100)).await;
        Some(Self {
            store,
            weather,
            processors,
            sleeper,
            dawn,
        })
    }

    /// As the tool does it: the same custody for a lapse, then the verdict.
    async fn resolve(&self, verdict: &Verdict) -> Option<Resolve> {
        let seen = self.store.case(ID).await.unwrap()?.custody?;
        sleep(Duration::from_secs(6)).await;
        let resolve = self.store.resolve(&seen, verdict, &Proof::Silence, "ann");
        Some(resolve.await.unwrap())
    }

    fn start_another(&self) -> Front {
        let mut front = Front::down(1, Duration::from_secs(60), 0);
        front.start(&self.store, &self.weather, &self.processors, self.dawn);
        front
    }

    fn holders(&self) -> Vec<usize> {
        let held = (0..2).filter(|&place| self.processors[place].book().contains_key(&ID));
        held.collect()
    }

    async fn settled_at(&self) -> String {
        let status = self.store.find(ID).await.unwrap().unwrap().status;
        let Status::Settled { processor, .. } = status else {
            panic!("it is {status:?}");
        };
        assert_eq!(self.store.settlements().len(), 1);
        processor.to_string()
    }
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_a_living_front_has_in_hand_is_not_resolved() {
    let scene = Scene::begin(1, Mood::ResetBeforeInsert).await.unwrap();
    scene.sleeper.gate.set_open(true);
    sleep(Duration::from_secs(5)).await;
    let resolved = scene.resolve(&Verdict::NotHeld).await;
    assert_eq!(resolved, Some(Resolve::Changed));
}

/// Whenever the sleeper wakes up: before the verdict, which is refused then, between the
/// verdict and the next front's start, or long after.
#[tokio::test(start_paused = true)]
async fn what_the_processor_never_took_is_charged_once_elsewhere_whoever_wakes_up_when() {
    let (mut refused, mut released) = (0, 0);
    for seed in 0..300 {
        let Some(scene) = Scene::begin(seed, Mood::ResetBeforeInsert).await else {
            continue;
        };
        let gate = scene.sleeper.gate.clone();
        let wakes_after = Duration::from_millis(4_000 + seed * 37);
        tokio::spawn(async move {
            sleep(wakes_after).await;
            gate.set_open(true);
        });
        let resolved = scene.resolve(&Verdict::NotHeld).await;
        if resolved == Some(Resolve::Changed) {
            refused += 1;
            continue;
        }
        assert_eq!(resolved, Some(Resolve::Released));
        sleep(Duration::from_millis(seed * 13 % 3_000)).await;
        let _front = scene.start_another();
        sleep(Duration::from_secs(200)).await;
        assert_eq!(scene.holders(), [1], "seed {seed}");
        assert_eq!(scene.settled_at().await, "fallback");
        assert_eq!(scene.store.open(), 0);
        released += 1;
    }
    assert!(refused > 10 && released > 100, "{refused}, {released}");
}

#[tokio::test(start_paused = true)]
async fn the_sleeper_alone_finishes_what_was_released() {
    let scene = Scene::begin(3, Mood::ResetBeforeInsert).await.unwrap();
    sleep(Duration::from_secs(10)).await;
    let resolved = scene.resolve(&Verdict::NotHeld).await;
    assert_eq!(resolved, Some(Resolve::Released));
    scene.sleeper.gate.set_open(true);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(scene.settled_at().await, "fallback");
    assert_eq!(scene.holders(), [1]);
}

#[tokio::test(start_paused = true)]
async fn what_the_processor_holds_is_settled_once_whoever_wakes_up_when() {
    let mut resolved_scenes = 0;
    for seed in 0..100 {
        let Some(scene) = Scene::begin(seed, Mood::ResetAfterInsert).await else {
            continue;
        };
        resolved_scenes += 1;
        let book = scene.processors[0].book();
        let Some(&(_, requested_at)) = book.get(&ID) else {
            panic!("it was inserted");
        };
        let fee = Fee::from_millionths(50_000).unwrap();
        let resolved = scene.resolve(&Verdict::Held { requested_at, fee }).await;
        assert_eq!(resolved, Some(Resolve::Settled(Settle::Settled)));
        // The processor comes back after all, and the front asks it again.
        if seed % 2 == 0 {
            scene.processors[0].set_mood(Mood::Fine);
        }
        scene.sleeper.gate.set_open(true);
        let _front = scene.start_another();
        sleep(Duration::from_secs(200)).await;
        assert_eq!(scene.holders(), [0], "seed {seed}");
        assert_eq!(scene.settled_at().await, "default");
        let [settlement] = &scene.store.settlements()[..] else {
            panic!("one");
        };
        assert_eq!(settlement.requested_at, requested_at);
        assert_eq!(scene.processors[0].book(), book);
    }
    assert!(resolved_scenes > 20, "{resolved_scenes}");
}
