//! A front comes with another URL for a processor than the one that is known.

use std::time::Duration;

use feeway_domain::{Ledger as _, Processor, Status};
use feeway_memory_store::MemoryStore;
use feeway_worker::{MovedProcessor, Objection, Submit};
use tokio::time::{Instant, sleep, timeout};

use crate::front::{Front, configured};
use crate::moving::Address;
use crate::scripted_processor::{Mood, ScriptedProcessor};
use crate::shop::payment;
use crate::weather::Weather;

const OTHER: Address = Address {
    ledger: 1,
    spelling: 0,
};

struct Scene {
    store: MemoryStore,
    weather: Weather,
    /// The first two are known, and the third is another ledger of the first one's name.
    ledgers: [ScriptedProcessor; 3],
    dawn: Instant,
}

impl Scene {
    fn begin() -> Self {
        Self {
            store: MemoryStore::default(),
            weather: Weather::fair(1),
            ledgers: [1, 2, 3].map(ScriptedProcessor::new),
            dawn: Instant::now(),
        }
    }

    /// A front that finds the first processor there. It vouches for nothing.
    fn start(&self, place: usize, address: Address) -> Front {
        self.start_vouching(place, address, false)
    }

    fn start_vouching(&self, place: usize, address: Address, vouched: bool) -> Front {
        let mut front = Front::down(place, Duration::from_secs(2), 0);
        // A place's lives have names of their own, also those of its later fronts.
        front.lives = u32::try_from(self.dawn.elapsed().as_millis()).unwrap();
        front.addresses[0] = address;
        front.vouched = vouched.then(|| default().name);
        let [known, fallback, other] = &self.ledgers;
        let first = if address.ledger == 0 { known } else { other };
        let processors = [first.clone(), fallback.clone()];
        front.start(&self.store, &self.weather, &processors, self.dawn);
        front
    }

    /// A payment that the first processor stored without an answer, and whose front is gone.
    async fn pinned(&self) -> u32 {
        let mut front = self.start(0, Address::FIRST);
        is_in(&front).await;
        self.ledgers[0].set_mood(Mood::ResetAfterInsert);
        let mut number = 0;
        // Some requests are spared.
        loop {
            number += 1;
            submit(&front, number).await;
            sleep(Duration::from_millis(40)).await;
            self.ledgers[0].set_mood(Mood::Gone);
            if self.store.entry(payment(number).id).is_some() {
                break;
            }
            self.ledgers[0].set_mood(Mood::ResetAfterInsert);
        }
        front.drain(Duration::from_secs(4)).await;
        self.ledgers[0].set_mood(Mood::Fine);
        number
    }

    fn holders(&self, number: u32) -> Vec<usize> {
        let holds = |at: &usize| self.ledgers[*at].book().contains_key(&payment(number).id);
        (0..3).filter(holds).collect()
    }

    async fn status(&self, number: u32) -> Status {
        let found = self.store.find(payment(number).id).await.unwrap();
        found.unwrap().status
    }
}

fn default() -> Processor {
    configured().remove(0)
}

async fn submit(front: &Front, number: u32) {
    let gateway = front.gateway().unwrap();
    assert_eq!(gateway.submit(payment(number)).await, Submit::Kept);
}

/// The front has its place in the journal, within a second.
async fn is_in(front: &Front) {
    let gateway = front.gateway().unwrap();
    let enlisted = timeout(Duration::from_secs(1), gateway.enlisted()).await;
    assert!(enlisted.is_ok(), "it is let in");
}

/// Why the front is refused, within ten seconds, and after how long.
async fn refusal(front: &Front) -> (MovedProcessor, Duration) {
    let gateway = front.gateway().unwrap();
    let begin = Instant::now();
    let refused = timeout(Duration::from_secs(10), gateway.refused()).await;
    (refused.expect("it is refused"), begin.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_pinned_payment_keeps_a_front_with_another_ledger_out() {
    let scene = Scene::begin();
    let number = scene.pinned().await;
    let mut front = scene.start(1, OTHER);
    let (refused, after) = refusal(&front).await;
    assert!(after < Duration::from_secs(1), "{after:?}");
    let expected = MovedProcessor {
        processor: default().name,
        known: Address::FIRST.url(),
        url: OTHER.url(),
        why: Objection::Open(1),
    };
    assert_eq!(refused, expected);
    let said = refused.to_string();
    for part in [
        "processor default has the URL http://ledger-0/0 in Redis and http://ledger-1/0 here",
        "1 open payments may have been sent to the old URL",
        "--moved default",
    ] {
        assert!(said.contains(part) && !said.contains('\n'), "{said}");
    }
    sleep(Duration::from_secs(60)).await;
    let submitted = front.gateway().unwrap().submit(payment(99)).await;
    assert!(matches!(submitted, Submit::NotKept(_)), "{submitted:?}");
    assert_eq!(scene.ledgers[2].requests(), 0);
    front.crash();
    // As it was, it ends where it is.
    let front = scene.start(1, Address::FIRST);
    is_in(&front).await;
    sleep(Duration::from_secs(30)).await;
    assert_eq!(scene.holders(number), [0]);
    assert!(matches!(scene.status(number).await, Status::Settled { .. }));
}

#[tokio::test(start_paused = true)]
async fn with_a_vouch_it_comes_in_and_the_payment_ends_where_it_is() {
    let scene = Scene::begin();
    let number = scene.pinned().await;
    let moved = Address::FIRST.moved();
    let front = scene.start_vouching(1, moved, true);
    is_in(&front).await;
    sleep(Duration::from_secs(30)).await;
    assert_eq!(scene.holders(number), [0]);
    assert!(matches!(scene.status(number).await, Status::Settled { .. }));
    let urls = scene.store.urls(&default().name);
    assert_eq!(urls, [moved.url(), Address::FIRST.url()]);
    // Both URLs are known from then on, without a word.
    for address in [Address::FIRST, moved] {
        is_in(&scene.start(0, address)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn while_a_front_lives_that_sends_elsewhere_another_ledger_waits_and_is_refused() {
    let scene = Scene::begin();
    let living = scene.start(0, Address::FIRST);
    is_in(&living).await;
    let front = scene.start(1, OTHER);
    let (refused, after) = refusal(&front).await;
    assert!(after > Duration::from_secs(5), "{after:?}");
    let Objection::Front(by) = &refused.why else {
        panic!("{refused:?}");
    };
    assert!(by.as_str().starts_with("front-0."), "{by}");
    assert!(
        refused.to_string().contains("stop every front"),
        "{refused}"
    );
    assert_eq!(scene.ledgers[2].requests(), 0);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_open_another_ledger_takes_the_place() {
    let scene = Scene::begin();
    let mut front = scene.start(0, Address::FIRST);
    is_in(&front).await;
    submit(&front, 1).await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(scene.holders(1), [0]);
    // Killed, it seems to live for a while.
    front.crash();
    let front = scene.start(1, OTHER);
    let gateway = front.gateway().unwrap();
    let waited = timeout(Duration::from_secs(8), gateway.enlisted()).await;
    assert!(waited.is_ok(), "it is let in once the other one is silent");
    assert_eq!(scene.store.urls(&default().name), [OTHER.url()]);
    submit(&front, 2).await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(scene.holders(2), [2]);
    // The old one is another ledger now.
    let (refused, _) = refusal(&scene.start(0, Address::FIRST)).await;
    assert_eq!(refused.known, OTHER.url());
}

/// Whoever slept while another ledger took the place may not send a thing any more, and may not
/// vouch either: what it said was said of the ledger before.
#[tokio::test(start_paused = true)]
async fn who_slept_meanwhile_is_refused_when_it_wakes_up() {
    let scene = Scene::begin();
    let mut first = scene.start(1, Address::FIRST);
    is_in(&first).await;
    let sleeper = scene.start_vouching(0, Address::FIRST.moved(), true);
    is_in(&sleeper).await;
    first.drain(Duration::from_secs(4)).await;
    sleeper.gate.set_open(false);
    sleep(Duration::from_secs(6)).await;
    let front = scene.start(1, OTHER);
    is_in(&front).await;
    let requests = scene.ledgers[0].requests();
    sleeper.gate.set_open(true);
    let submitted = sleeper.gateway().unwrap().submit(payment(1)).await;
    assert_ne!(submitted, Submit::Kept);
    let (refused, _) = refusal(&sleeper).await;
    assert_eq!(refused.known, OTHER.url());
    sleep(Duration::from_secs(30)).await;
    assert_eq!(scene.ledgers[0].requests(), requests);
    assert_eq!(scene.store.urls(&default().name), [OTHER.url()]);
}
