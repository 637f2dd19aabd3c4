//! Intake that answers before the journal has the payment: what it promises all the same.

use std::time::Duration;

use feeway_domain::{
    Adopt, HEARTBEAT, Hold, Incarnation, LAPSE, Ledger as _, Money, Status, Store,
};
use feeway_memory_store::MemoryStore;
use feeway_worker::{IntakeMode, NotKept, Submit};
use tokio::time::{Instant, sleep};

use crate::front::Front;
use crate::scripted_processor::{Mood, ScriptedProcessor};
use crate::shop::payment;
use crate::weather::Weather;

/// What a front has in memory at most, answered and not in the journal.
const ROOM: u32 = 512;

struct World {
    store: MemoryStore,
    weather: Weather,
    front: Front,
}

/// A front with memory intake before processors in this mood.
async fn world(mood: Mood) -> World {
    let store = MemoryStore::default();
    let weather = Weather::fair(5);
    let processors = [ScriptedProcessor::new(1), ScriptedProcessor::new(2)];
    for processor in &processors {
        processor.set_mood(mood);
    }
    let mut front = Front::down(0, Duration::from_secs(60), 0);
    front.intake = IntakeMode::Memory;
    front.start(&store, &weather, &processors, Instant::now());
    sleep(Duration::from_millis(100)).await;
    World {
        store,
        weather,
        front,
    }
}

/// Has a payment kept, and tells under whose name.
async fn keep_one(world: &World) -> Incarnation {
    let gateway = world.front.gateway().unwrap();
    assert_eq!(gateway.submit(payment(0)).await, Submit::Kept);
    sleep(Duration::from_millis(100)).await;
    world.store.entry(payment(0).id).unwrap().owner
}

/// Another front takes over what this one owns.
async fn adopt(world: &World, owner: &Incarnation) {
    let other = Incarnation::new("front-9");
    let adopted = world.store.adopt(owner, &other).await;
    assert!(matches!(adopted, Ok(Adopt::Adopted(_))), "{adopted:?}");
}

#[tokio::test(start_paused = true)]
async fn it_answers_without_the_journal_and_the_journal_follows() {
    let world = world(Mood::Fine).await;
    let gateway = world.front.gateway().unwrap();
    let began = Instant::now();
    for number in 0..100 {
        assert_eq!(gateway.submit(payment(number)).await, Submit::Kept);
    }
    assert_eq!(began.elapsed(), Duration::ZERO, "nothing was waited for");
    assert_eq!(world.store.find(payment(0).id).await, Ok(None));
    // Before a heartbeat would find what is in the journal and in nobody's hands.
    sleep(HEARTBEAT / 2).await;
    for number in 0..100 {
        let state = world.store.find(payment(number).id).await.unwrap();
        let status = state.unwrap().status;
        assert!(matches!(status, Status::Settled { .. }), "{status:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_journal_names_the_processor_before_it_is_sent_there() {
    let world = world(Mood::Fine).await;
    let gateway = world.front.gateway().unwrap();
    assert_eq!(gateway.submit(payment(0)).await, Submit::Kept);
    // It is kept after 3 ms, and lingers for 10 ms from then on.
    sleep(Duration::from_millis(5)).await;
    let entry = world.store.entry(payment(0).id).unwrap();
    assert_eq!(entry.processor, Some("default".parse().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn also_when_every_lane_is_full() {
    let world = world(Mood::Failing).await;
    let gateway = world.front.gateway().unwrap();
    // The lanes take 2 304; the rest waits in the journal.
    for round in 0..10 {
        for number in 0..ROOM {
            let began = Instant::now();
            let submit = gateway.submit(payment(round * ROOM + number)).await;
            assert_eq!(submit, Submit::Kept);
            assert_eq!(began.elapsed(), Duration::ZERO, "{round}: {number}");
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(world.store.open(), 10 * ROOM as usize);
}

#[tokio::test(start_paused = true)]
async fn what_memory_has_no_room_for_is_refused_while_the_journal_is_away() {
    let world = world(Mood::Fine).await;
    let gateway = world.front.gateway().unwrap();
    world.weather.set_away(true);
    for number in 0..ROOM {
        assert_eq!(gateway.submit(payment(number)).await, Submit::Kept);
    }
    let refused = gateway.submit(payment(ROOM)).await;
    let away = Submit::NotKept(NotKept::StoreAway);
    assert!([away, Submit::Unknown].contains(&refused), "{refused:?}");
    sleep(Duration::from_secs(30)).await;
    assert_eq!(world.store.open(), 0);
    world.weather.set_away(false);
    sleep(Duration::from_secs(30)).await;
    for number in 0..ROOM {
        let state = world.store.find(payment(number).id).await.unwrap();
        let status = state.unwrap().status;
        assert!(matches!(status, Status::Settled { .. }), "{status:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_takes_what_was_answered_into_the_journal() {
    let mut world = world(Mood::Failing).await;
    let gateway = world.front.gateway().unwrap();
    world.weather.set_away(true);
    for number in 0..ROOM {
        assert_eq!(gateway.submit(payment(number)).await, Submit::Kept);
    }
    let weather = world.weather.clone();
    let comes_back = async move {
        sleep(Duration::from_secs(3)).await;
        weather.set_away(false);
    };
    let drain = world.front.drain(Duration::from_secs(9));
    tokio::join!(drain, comes_back);
    assert_eq!(world.store.open(), ROOM as usize);
}

#[tokio::test(start_paused = true)]
async fn what_was_promised_is_kept_although_the_hold_is_lost_meanwhile() {
    let world = world(Mood::Gone).await;
    let gateway = world.front.gateway().unwrap();
    let owner = keep_one(&world).await;
    world.weather.set_away(true);
    for number in 1..100 {
        assert_eq!(gateway.submit(payment(number)).await, Submit::Kept);
    }
    sleep(LAPSE * 2).await;
    adopt(&world, &owner).await;
    world.weather.set_away(false);
    sleep(Duration::from_secs(30)).await;
    for number in 1..100 {
        let entry = world.store.entry(payment(number).id).unwrap();
        assert_ne!(entry.owner, owner, "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_hold_is_replaced_before_the_next_heartbeat() {
    let world = world(Mood::Gone).await;
    let gateway = world.front.gateway().unwrap();
    let owner = keep_one(&world).await;
    let hold = Hold {
        owner: owner.clone(),
        holder: owner.clone(),
        epoch: 1,
    };
    assert_eq!(world.store.resign(&hold).await, Ok(()));
    adopt(&world, &owner).await;
    assert_eq!(gateway.submit(payment(1)).await, Submit::Kept);
    sleep(HEARTBEAT / 2).await;
    assert_ne!(world.store.entry(payment(1).id).unwrap().owner, owner);
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_contradicts_the_journal_delays_no_other() {
    let world = world(Mood::Gone).await;
    let gateway = world.front.gateway().unwrap();
    assert_eq!(gateway.submit(payment(1)).await, Submit::Kept);
    sleep(Duration::from_millis(100)).await;
    let mut other_amount = payment(1);
    other_amount.amount = Money::from_cents(1).unwrap();
    for submitted in [payment(0), other_amount, payment(2)] {
        assert_eq!(gateway.submit(submitted).await, Submit::Kept);
    }
    sleep(Duration::from_millis(100)).await;
    for number in 0..3 {
        let entry = world.store.entry(payment(number).id).unwrap();
        assert_eq!(entry.payment, payment(number));
    }
    let began = Instant::now();
    for number in 3..ROOM + 3 {
        assert_eq!(gateway.submit(payment(number)).await, Submit::Kept);
    }
    assert_eq!(began.elapsed(), Duration::ZERO, "all room is free again");
}
