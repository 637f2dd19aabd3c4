//! Fronts stand back from a processor, and what is pinned there is decided while they live.

use std::time::Duration;

use feeway_ctl::{StoodBack, Waited};
use feeway_domain::{
    Adopt, CorrelationId, Custody, Incarnation, Ledger as _, ProcessorName, Resolutions, Resolve,
    Settle, Status, Store, Verdict,
};
use feeway_memory_store::MemoryStore;
use tokio::time::{Instant, sleep, timeout};

use crate::front::{Front, configured};
use crate::gate::Gate;
use crate::scripted_processor::{ATTEMPT_TIMEOUT, Mood, ScriptedProcessor};
use crate::shop::payment;
use crate::unreliable_store::UnreliableStore;
use crate::weather::Weather;

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Two fronts, and two processors of which the first one leaves its payments in doubt.
struct Scene {
    dawn: Instant,
    store: MemoryStore,
    weather: Weather,
    processors: [ScriptedProcessor; 2],
    fronts: [Front; 2],
}

impl Scene {
    async fn begin() -> Self {
        let scene = Self::start_all(false);
        sleep(100 * MILLI).await;
        scene
    }

    /// With a store that may forget what it has acknowledged.
    async fn begin_with_forgetful_store() -> Self {
        let scene = Self::start_all(true);
        // Until then it might forget that there are these fronts, and they send nothing.
        sleep(4 * SECOND).await;
        scene
    }

    fn start_all(is_store_forgetful: bool) -> Self {
        let store = MemoryStore::default();
        let weather = Weather::fair(3);
        let processors = [ScriptedProcessor::new(1), ScriptedProcessor::new(2)];
        let fronts = [0, 1].map(|place| Front::down(place, 60 * SECOND, 0));
        let mut scene = Self {
            dawn: Instant::now(),
            store,
            weather,
            processors,
            fronts,
        };
        for place in 0..2 {
            scene.fronts[place].is_store_forgetful = is_store_forgetful;
            scene.start(place);
        }
        scene
    }

    fn start(&mut self, place: usize) {
        let (store, weather) = (&self.store, &self.weather);
        self.fronts[place].start(store, weather, &self.processors, self.dawn);
    }

    async fn submit(&self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            let front = &self.fronts[number as usize % 2];
            front.gateway().unwrap().submit(payment(number)).await;
        }
    }

    /// Payments whose POST at `default` has no answer, and that processor gone for good.
    async fn pin(&self, numbers: std::ops::Range<u32>, mood: Mood) {
        self.processors[0].set_mood(mood);
        self.submit(numbers).await;
        sleep(SECOND).await;
        self.processors[0].set_mood(Mood::Gone);
        sleep(SECOND).await;
    }

    fn operator(&self) -> UnreliableStore {
        UnreliableStore::new(self.store.clone(), self.weather.clone(), Gate::open())
    }

    fn named(&self, number: u32) -> Option<String> {
        let entry = self.store.entry(payment(number).id)?;
        entry.processor.map(|name| name.to_string())
    }

    async fn custody(&self, id: CorrelationId) -> Custody {
        self.store.case(id).await.unwrap().unwrap().custody.unwrap()
    }

    async fn settled_at(&self, number: u32) -> String {
        let state = self.store.find(payment(number).id).await.unwrap().unwrap();
        let Status::Settled { processor, .. } = state.status else {
            panic!("{state:?}");
        };
        processor.to_string()
    }

    fn posts_at_default(&self) -> usize {
        self.processors[0].posts().len()
    }
}

fn default() -> ProcessorName {
    configured()[0].name.clone()
}

async fn stand_back<S: Resolutions>(store: &S) -> StoodBack<'_, S> {
    let mut back = StoodBack::begin(store, &default(), "ann").await.unwrap();
    let waited = back.wait(40 * SECOND, |_| {}).await.unwrap();
    assert_eq!(waited, Waited::All);
    back
}

#[tokio::test(start_paused = true)]
async fn a_processor_that_works_gets_nothing_until_the_order_ends() {
    let scene = Scene::begin().await;
    scene.submit(0..4).await;
    sleep(SECOND).await;
    assert_eq!(scene.posts_at_default(), 4);
    let store = scene.operator();
    let back = timeout(3 * SECOND, stand_back(&store)).await.unwrap();
    scene.submit(4..40).await;
    sleep(2 * SECOND).await;
    assert_eq!(scene.posts_at_default(), 4);
    assert_eq!(scene.settled_at(39).await, "fallback");
    back.end(false).await.unwrap();
    sleep(2 * SECOND).await;
    scene.submit(40..44).await;
    sleep(SECOND).await;
    assert_eq!(scene.settled_at(43).await, "default");
    assert_eq!(scene.store.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_in_flight_is_waited_for_and_its_yes_is_booked() {
    let scene = Scene::begin().await;
    scene.processors[0].set_mood(Mood::Slow(10 * SECOND));
    scene.submit(0..2).await;
    sleep(100 * MILLI).await;
    let store = scene.operator();
    let began = Instant::now();
    let _back = stand_back(&store).await;
    let took = began.elapsed();
    assert!((9 * SECOND..11 * SECOND).contains(&took), "{took:?}");
    assert!(scene.processors[0].waiting().is_empty());
    assert_eq!(scene.settled_at(0).await, "default");
    assert_eq!(scene.settled_at(1).await, "default");
}

#[tokio::test(start_paused = true)]
async fn a_front_that_hangs_is_named_and_then_confirms() {
    let scene = Scene::begin().await;
    scene.processors[0].set_mood(Mood::Hanging);
    scene.submit(0..1).await;
    sleep(100 * MILLI).await;
    let store = scene.operator();
    let mut back = StoodBack::begin(&store, &default(), "ann").await.unwrap();
    let mut told = Vec::new();
    let waited = back
        .wait(5 * SECOND, |names| told.push(names.to_vec()))
        .await;
    let still = Waited::Still(vec!["front-0.1.1".to_owned()]);
    assert_eq!(waited, Ok(still));
    assert_eq!(told.last(), Some(&vec!["front-0.1.1".to_owned()]));
    assert_eq!(back.wait(ATTEMPT_TIMEOUT, |_| {}).await, Ok(Waited::All));
}

/// Those that are held are settled, those that are not go elsewhere; new ones go on meanwhile.
#[tokio::test(start_paused = true)]
async fn many_are_decided_while_the_fronts_live() {
    let scene = Scene::begin().await;
    scene.pin(0..8, Mood::ResetBeforeInsert).await;
    scene.pin(8..16, Mood::ResetAfterInsert).await;
    let book = scene.processors[0].book();
    let store = scene.operator();
    let back = stand_back(&store).await;
    scene.submit(100..120).await;
    // What is named there and was never sent goes elsewhere by itself.
    sleep(2 * SECOND).await;
    let pinned: Vec<u32> = (0..16)
        .filter(|number| scene.named(*number).as_deref() == Some("default"))
        .collect();
    assert!(pinned.len() >= 3, "{pinned:?}");
    for number in &pinned {
        let id = payment(*number).id;
        let custody = scene.custody(id).await;
        let (verdict, expected) = match book.get(&id) {
            Some(&(_, requested_at)) => (
                Verdict::Held {
                    requested_at,
                    fee: configured()[0].fee,
                },
                Resolve::Settled(Settle::Settled),
            ),
            None => (Verdict::NotHeld, Resolve::Released),
        };
        assert_eq!(back.decide(&custody, &verdict).await, Ok(expected));
    }
    back.end(true).await.unwrap();
    sleep(3 * SECOND).await;
    assert_eq!(scene.store.open(), 0);
    for number in pinned {
        let is_held = book.contains_key(&payment(number).id);
        let expected = if is_held { "default" } else { "fallback" };
        assert_eq!(scene.settled_at(number).await, expected);
    }
    assert_eq!(scene.settled_at(119).await, "fallback");
    assert_eq!(
        scene.store.fronts().await.unwrap().living().len(),
        2,
        "nobody was fenced"
    );
    assert_eq!(scene.processors[0].book(), book);
}

#[tokio::test(start_paused = true)]
async fn a_front_that_starts_in_the_middle_stands_back_before_it_sends_anything() {
    let mut scene = Scene::begin().await;
    scene.pin(0..6, Mood::ResetBeforeInsert).await;
    let store = scene.operator();
    let _back = stand_back(&store).await;
    scene.processors[0].set_mood(Mood::Fine);
    let before = scene.posts_at_default();
    scene.fronts[1].crash();
    sleep(SECOND).await;
    scene.start(1);
    sleep(MILLI).await;
    for _ in 0..40 {
        scene.submit(0..40).await;
        sleep(500 * MILLI).await;
    }
    // It has adopted what its former life had pinned there, and leaves it alone.
    assert_eq!(scene.posts_at_default(), before);
}

/// What was confirmed before the store forgot counts no more, and neither does an order that
/// comes back to life by that.
#[tokio::test(start_paused = true)]
async fn a_store_that_forgets_wants_every_confirmation_anew() {
    let scene = Scene::begin_with_forgetful_store().await;
    scene.pin(0..6, Mood::ResetBeforeInsert).await;
    let number = (0..6)
        .find(|number| scene.named(*number).is_some())
        .unwrap();
    let store = scene.operator();
    let back = stand_back(&store).await;
    let custody = scene.custody(payment(number).id).await;
    let snapshot = scene.store.snapshot();
    scene.store.restore(&snapshot);
    scene.weather.forgot();
    assert!(!scene.store.is_open(), "it waits for the fronts");
    sleep(6 * SECOND).await;
    let decided = back.decide(&custody, &Verdict::NotHeld).await;
    assert_eq!(decided, Ok(Resolve::Changed));
    let mut back = back;
    assert_eq!(back.wait(5 * SECOND, |_| {}).await, Ok(Waited::All));
    let decided = back.decide(&custody, &Verdict::NotHeld).await;
    assert_eq!(decided, Ok(Resolve::Released));
}

/// A payment that nothing ties stays in its lane, although its entry names the processor, and an
/// operator lets it go: what its front believes of the entry must not suffice for a POST.
#[tokio::test(start_paused = true)]
async fn what_was_let_go_is_named_again_before_it_is_sent_there_again() {
    let scene = Scene::begin().await;
    // The next heartbeats are near, so that all of it is over before a naming grows old.
    sleep(850 * MILLI).await;
    scene.processors[0].set_mood(Mood::Gone);
    scene.submit(0..1).await;
    sleep(40 * MILLI).await;
    let posts = scene.posts_at_default();
    assert_eq!((posts, scene.named(0).as_deref()), (1, Some("default")));
    let store = scene.operator();
    // There is nowhere else to go either.
    let other = &configured()[1].name;
    let other = StoodBack::begin(&store, other, "ann").await.unwrap();
    let back = stand_back(&store).await;
    let custody = scene.custody(payment(0).id).await;
    let decided = back.decide(&custody, &Verdict::NotHeld).await;
    assert_eq!(decided, Ok(Resolve::Released));
    scene.processors[0].set_mood(Mood::Slow(SECOND));
    back.end(false).await.unwrap();
    let begun = Instant::now();
    while scene.posts_at_default() == posts {
        assert!(begun.elapsed() < 2 * SECOND, "it is sent soon");
        sleep(MILLI).await;
    }
    let entry = scene.store.entry(payment(0).id).unwrap();
    assert_eq!(
        entry.processor,
        Some(default()),
        "whoever adopts it has to know"
    );
    assert_eq!(entry.moves, 2);
    other.end(false).await.unwrap();
    sleep(5 * SECOND).await;
    assert_eq!(scene.settled_at(0).await, "default");
}

/// Two tools at once: neither takes the other's order away in the middle of its work.
#[tokio::test(start_paused = true)]
async fn two_operators_share_an_order() {
    let scene = Scene::begin().await;
    scene.pin(0..6, Mood::ResetBeforeInsert).await;
    let number = (0..6)
        .find(|number| scene.named(*number).is_some())
        .unwrap();
    let store = scene.operator();
    let one = stand_back(&store).await;
    let mut other = stand_back(&store).await;
    assert!(one.is_ours() && !other.is_ours());
    one.end(false).await.unwrap();
    let custody = scene.custody(payment(number).id).await;
    let decided = other.decide(&custody, &Verdict::NotHeld).await;
    assert_eq!(decided, Ok(Resolve::Changed), "the order is at an end");
    assert_eq!(other.wait(9 * SECOND, |_| {}).await, Ok(Waited::All));
    assert!(other.is_ours());
    let custody = scene.custody(payment(number).id).await;
    let decided = other.decide(&custody, &Verdict::NotHeld).await;
    assert_eq!(decided, Ok(Resolve::Released));
}

/// Whoever goes by another's order gives it anew at the end, and looks before that.
#[tokio::test(start_paused = true)]
async fn an_order_that_ends_at_any_moment_stays_at_an_end() {
    let scene = Scene::begin().await;
    let store = scene.operator();
    let mut given_anew = 0;
    for millis in 0..16 {
        let one = stand_back(&store).await;
        let other = stand_back(&store).await;
        assert!(one.is_ours() && !other.is_ours());
        let order = scene.store.stand_backs().await.unwrap().remove(0);
        let end = async {
            sleep(millis * MILLI).await;
            let (processor, token) = (&order.processor, &order.token);
            scene.store.end_stand_back(processor, token).await.unwrap()
        };
        let (is_ended, goes) = tokio::join!(end, other.end(false));
        goes.unwrap();
        let orders = scene.store.stand_backs().await.unwrap();
        assert_eq!(orders.is_empty(), is_ended, "after {millis} ms");
        for order in orders {
            given_anew += 1;
            let (processor, token) = (&order.processor, &order.token);
            let ended = scene.store.end_stand_back(processor, token).await;
            assert_eq!(ended, Ok(true));
        }
    }
    assert!((1..16).contains(&given_anew), "{given_anew} given anew");
}

#[tokio::test(start_paused = true)]
async fn without_any_front_nobody_is_waited_for() {
    let mut scene = Scene::begin().await;
    for front in &mut scene.fronts {
        front.crash();
    }
    let store = scene.operator();
    let mut back = StoodBack::begin(&store, &default(), "ann").await.unwrap();
    assert_eq!(back.wait(9 * SECOND, |_| {}).await, Ok(Waited::Nobody));
    let alone = Incarnation::new("front-0.1.1");
    let fronts = scene.store.fronts().await.unwrap();
    assert!(fronts.owners.iter().any(|owner| owner.hold.owner == alone));
}

/// An incarnation that lost its own hold cannot confirm anything, so it holds nothing either.
#[tokio::test(start_paused = true)]
async fn a_front_that_lost_its_own_hold_gives_up_what_it_had_adopted() {
    let mut scene = Scene::begin().await;
    scene.pin(0..6, Mood::ResetBeforeInsert).await;
    scene.fronts[0].crash();
    sleep(10 * SECOND).await;
    let (dead, sleeper) = ["front-0.1.1", "front-1.1.1"].map(Incarnation::new).into();
    let holder = |store: &MemoryStore, owner: &Incarnation| {
        let (store, owner) = (store.clone(), owner.clone());
        async move {
            let fronts = store.fronts().await.unwrap();
            let mut owners = fronts.owners.into_iter();
            let found = owners.find(|one| one.hold.owner == owner);
            found.map(|one| one.hold.holder)
        }
    };
    assert_eq!(holder(&scene.store, &dead).await, Some(sleeper.clone()));
    scene.fronts[1].gate.set_open(false);
    sleep(6 * SECOND).await;
    // Somebody takes its own payments over, and is gone before it takes the others.
    let other = Incarnation::new("front-2.1.1");
    let adopted = scene.store.adopt(&sleeper, &other).await.unwrap();
    assert!(matches!(adopted, Adopt::Adopted(_)));
    scene.fronts[1].gate.set_open(true);
    sleep(20 * SECOND).await;
    let next = Incarnation::new("front-1.1.2");
    for owner in [&dead, &sleeper] {
        assert_eq!(holder(&scene.store, owner).await, Some(next.clone()));
    }
    stand_back(&scene.operator()).await;
}
