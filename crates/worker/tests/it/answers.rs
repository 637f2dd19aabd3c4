//! What becomes of payments at processors that say no, or nothing clear, one kind at a time.

use std::time::Duration;

use feeway_domain::{CorrelationId, Ledger as _, Money, Payment, RequestedAt, Status};
use feeway_memory_store::MemoryStore;
use feeway_worker::Submit;
use tokio::time::{Instant, sleep};

use crate::front::Front;
use crate::scripted_processor::{Mood, Nature, Posted, ScriptedProcessor};
use crate::weather::Weather;

const SECOND: Duration = Duration::from_secs(1);

struct World {
    dawn: Instant,
    store: MemoryStore,
    weather: Weather,
    processors: [ScriptedProcessor; 2],
    fronts: Vec<Front>,
    patience: Duration,
    submitted: u32,
}

/// Another payment for each number; its last two bytes decide whether a processor declines it
/// or always fails with it.
fn payment(number: u32) -> Payment {
    let mut bytes = [5; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes[14] = 99;
    bytes[15] = u8::try_from(number % 100).unwrap();
    Payment {
        id: CorrelationId::from_bytes(bytes),
        amount: Money::from_cents(1990).unwrap(),
    }
}

impl World {
    /// So many fronts, and processors that have shown that their look-ups work.
    async fn begin(fronts: usize, patience: Duration) -> Self {
        let mut world = Self {
            dawn: Instant::now(),
            store: MemoryStore::default(),
            weather: Weather::fair(7),
            processors: [ScriptedProcessor::new(1), ScriptedProcessor::new(2)],
            fronts: Vec::new(),
            patience,
            submitted: 0,
        };
        for place in 0..fronts {
            world.start_front(place);
        }
        sleep(SECOND / 10).await;
        world
    }

    /// As [`World::begin`], with one payment held at the cheap processor, and found there.
    async fn with_trust(fronts: usize, patience: Duration) -> Self {
        let mut world = Self::begin(fronts, patience).await;
        for _ in 0..fronts {
            world.submit(50).await;
        }
        sleep(20 * SECOND).await;
        assert_eq!(world.store.open(), 0);
        world
    }

    fn start_front(&mut self, place: usize) {
        let mut front = Front::down(place, self.patience, 0);
        front.max_in_flight = 64;
        front.start(&self.store, &self.weather, &self.processors, self.dawn);
        self.fronts.push(front);
    }

    fn set_nature(&self, place: usize, nature: Nature) {
        self.processors[place].set_nature(nature);
    }

    fn set_mood(&self, place: usize, mood: Mood) {
        self.processors[place].set_mood(mood);
    }

    /// Submits a payment whose number ends with these two digits, at the fronts in turn.
    async fn submit(&mut self, ending: u32) -> Payment {
        let number = self.submitted * 100 + ending;
        let front = usize::try_from(self.submitted).unwrap() % self.fronts.len();
        self.submitted += 1;
        let payment = payment(number);
        let gateway = self.fronts[front].gateway().unwrap();
        assert_eq!(gateway.submit(payment).await, Submit::Kept);
        payment
    }

    async fn status(&self, payment: Payment) -> Status {
        self.store.find(payment.id).await.unwrap().unwrap().status
    }

    /// The processor that holds a payment; none while it is open.
    async fn holder(&self, payment: Payment) -> Option<String> {
        match self.status(payment).await {
            Status::Settled { processor, .. } => Some(processor.to_string()),
            Status::Open { .. } => None,
            other @ (Status::Rejected { .. } | Status::Conflict { .. }) => panic!("{other:?}"),
        }
    }

    fn posts(&self, place: usize, payment: Payment) -> Vec<Posted> {
        let mut posts = self.processors[place].posts();
        posts.retain(|post| post.id == payment.id);
        posts
    }
}

fn declines(status: u16) -> Nature {
    Nature {
        declines: 5,
        status,
        ..Nature::default()
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_declined_leaves_once_it_is_absent_for_long_enough_and_not_before() {
    for status in [400, 402, 409, 410, 422] {
        let mut world = World::with_trust(1, 60 * SECOND).await;
        world.set_nature(0, declines(status));
        let declined = world.submit(3).await;
        let taken = world.submit(60).await;
        sleep(14 * SECOND).await;
        assert_eq!(world.holder(taken).await.as_deref(), Some("default"));
        assert_eq!(world.holder(declined).await, None, "{status}");
        sleep(3 * SECOND).await;
        assert_eq!(world.holder(declined).await.as_deref(), Some("fallback"));
        assert_eq!(world.posts(0, declined).len(), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_decline_that_the_operator_vouches_for_leaves_at_once() {
    for (status, is_final) in [(402, true), (422, false)] {
        let mut world = World::with_trust(0, 60 * SECOND).await;
        let mut front = Front::down(0, 60 * SECOND, 0);
        front.declines_are_final = true;
        front.start(&world.store, &world.weather, &world.processors, world.dawn);
        world.fronts.push(front);
        sleep(SECOND / 10).await;
        world.set_nature(0, declines(status));
        let declined = world.submit(3).await;
        sleep(SECOND).await;
        let holder = world.holder(declined).await;
        assert_eq!(holder.is_some(), is_final, "{status} {holder:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_despite_a_no_is_settled_there_however_late_the_look_up_finds_it() {
    let mut world = World::with_trust(1, 2 * SECOND).await;
    let lag = 12 * SECOND;
    world.set_nature(
        0,
        Nature {
            lag,
            ..Nature::default()
        },
    );
    world.set_mood(0, Mood::ErrorAfterInsert);
    let mut payments = Vec::new();
    for _ in 0..20 {
        payments.push(world.submit(60).await);
        sleep(SECOND / 4).await;
    }
    world.set_mood(0, Mood::Failing);
    sleep(40 * SECOND).await;
    for payment in payments {
        let holders = world.processors.each_ref();
        let holders = holders.map(|processor| processor.book().contains_key(&payment.id));
        assert_ne!(holders, [true, true]);
        assert!(world.holder(payment).await.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_look_up_finds_a_minute_too_late_is_shown_as_a_conflict() {
    let mut world = World::with_trust(1, 2 * SECOND).await;
    let lag = 40 * SECOND;
    world.set_nature(
        0,
        Nature {
            lag,
            ..Nature::default()
        },
    );
    world.set_mood(0, Mood::ErrorAfterInsert);
    let mut payments = Vec::new();
    for _ in 0..10 {
        payments.push(world.submit(60).await);
    }
    world.set_mood(0, Mood::Failing);
    sleep(120 * SECOND).await;
    let mut conflicts = 0;
    for payment in payments {
        let holders = world.processors.each_ref();
        let holders = holders.map(|processor| processor.book().contains_key(&payment.id));
        let is_conflict = matches!(world.status(payment).await, Status::Conflict { .. });
        assert_eq!(holders == [true, true], is_conflict);
        conflicts += usize::from(is_conflict);
    }
    assert!(conflicts > 0);
}

#[tokio::test(start_paused = true)]
async fn where_no_look_up_ever_found_anything_absence_proves_nothing() {
    let mut world = World::begin(1, 2 * SECOND).await;
    world.set_nature(
        0,
        Nature {
            lag: 10_000 * SECOND,
            ..Nature::default()
        },
    );
    world.set_mood(0, Mood::ErrorAfterInsert);
    let payment = world.submit(60).await;
    sleep(600 * SECOND).await;
    let Status::Open { processor } = world.status(payment).await else {
        panic!("it is not there");
    };
    assert_eq!(processor.unwrap().as_str(), "default");
    assert!(world.processors[1].posts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_rolling_restart_pins_nothing_that_was_declined() {
    for status in [402, 422] {
        let mut world = World::with_trust(2, 60 * SECOND).await;
        world.set_nature(0, declines(status));
        let mut payments = Vec::new();
        for round in 0..200 {
            payments.push(world.submit(round % 100).await);
            sleep(SECOND / 20).await;
            // One front after the other, in the middle of it.
            if round == 80 || round == 120 {
                let mut front = world.fronts.remove(0);
                front.drain(4 * SECOND).await;
                let place = usize::from(round == 120);
                front.start(&world.store, &world.weather, &world.processors, world.dawn);
                world.fronts.insert(place, front);
                sleep(SECOND / 10).await;
            }
        }
        sleep(90 * SECOND).await;
        assert_eq!(world.store.open(), 0, "{status}");
        for payment in payments {
            let is_declined = world.processors[0].never_takes(payment.id);
            let expected = if is_declined { "fallback" } else { "default" };
            assert_eq!(world.holder(payment).await.as_deref(), Some(expected));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_proxy_keeps_what_it_got_before_its_first_answer_and_nothing_else() {
    let patience = 10 * SECOND;
    let mut world = World::with_trust(2, patience).await;
    world.set_mood(0, Mood::DeadProxy);
    let mut payments = Vec::new();
    for _ in 0..150 {
        payments.push((world.submit(60).await, Instant::now()));
        sleep(SECOND / 2).await;
    }
    sleep(patience + 20 * SECOND).await;
    let mut kept = 0;
    for (payment, _) in &payments {
        match world.holder(*payment).await {
            Some(holder) => assert_eq!(holder, "fallback"),
            None => kept += 1,
        }
    }
    assert!(kept <= 2, "{kept} are pinned");
    // It is seen within seconds that a processor is behind the proxy again.
    world.set_mood(0, Mood::Fine);
    sleep(6 * SECOND).await;
    assert_eq!(world.store.open(), 0);
    let payment = world.submit(60).await;
    sleep(SECOND).await;
    assert_eq!(world.holder(payment).await.as_deref(), Some("default"));
}

#[tokio::test(start_paused = true)]
async fn what_is_limited_gets_as_much_as_it_asks_for_and_its_payments_go_elsewhere() {
    for (seconds, most) in [(60, 2), (0, 12)] {
        let mut world = World::with_trust(1, 2 * SECOND).await;
        world.set_mood(0, Mood::Limiting(seconds));
        // The few that a scripted processor spares would hide what is tested.
        let begin = Instant::now();
        let mut payments = Vec::new();
        for _ in 0..300 {
            payments.push(world.submit(60).await);
            sleep(SECOND / 10).await;
        }
        sleep(5 * SECOND).await;
        assert_eq!(world.store.open(), 0);
        let posts = world.processors[0].posts();
        let refused = posts
            .iter()
            .filter(|post| post.at > begin && !world.processors[0].book().contains_key(&post.id));
        let times: Vec<Duration> = refused.map(|post| post.at - begin).collect();
        let in_a_row = times
            .windows(6)
            .all(|six| six[5] - six[0] >= SECOND - SECOND / 100);
        assert!(in_a_row, "at most five a second: {times:?}");
        assert!(times.len() <= most || seconds == 0, "{seconds}: {times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_always_fails_rests_ever_longer_and_leaves_after_its_patience() {
    let mut world = World::with_trust(1, 60 * SECOND).await;
    let poisons = Nature {
        poisons: 1,
        ..Nature::default()
    };
    world.set_nature(0, poisons);
    let mut poison = payment(7);
    let mut bytes = *poison.id.as_bytes();
    bytes[14] = 100;
    poison.id = CorrelationId::from_bytes(bytes);
    let gateway = world.fronts[0].gateway().unwrap();
    assert_eq!(gateway.submit(poison).await, Submit::Kept);
    let begin = Instant::now();
    let mut slowest = Duration::ZERO;
    while begin.elapsed() < 80 * SECOND {
        let other = world.submit(60).await;
        let accepted = Instant::now();
        sleep(SECOND / 20).await;
        let posts = world.posts(0, other);
        if begin.elapsed() > SECOND {
            slowest = slowest.max(posts.first().map_or(SECOND, |post| post.at - accepted));
        }
    }
    assert!(
        slowest <= SECOND / 40,
        "nobody else is kept waiting: {slowest:?}"
    );
    let posts = world.posts(0, poison);
    assert!((6..=12).contains(&posts.len()), "{}", posts.len());
    assert_eq!(world.holder(poison).await.as_deref(), Some("fallback"));
}

#[tokio::test(start_paused = true)]
async fn what_got_the_answer_to_another_payment_is_looked_up_and_booked_where_it_is_held() {
    let mut world = World::with_trust(1, 60 * SECOND).await;
    // It was told that this one was declined, and so sent it elsewhere; but it is held.
    world.set_nature(0, declines(402));
    let elsewhere = world.submit(3).await;
    sleep(20 * SECOND).await;
    assert_eq!(world.holder(elsewhere).await.as_deref(), Some("fallback"));
    // It waits for the absence of this one to count.
    let open = world.submit(3).await;
    sleep(SECOND).await;
    let settled = world.submit(60).await;
    sleep(SECOND).await;
    for payment in [elsewhere, open, settled] {
        world.processors[0].insert(&payment, RequestedAt::MIN);
        world.processors[0].misdeliver(payment.id);
    }
    sleep(SECOND).await;
    let status = world.status(elsewhere).await;
    assert!(matches!(status, Status::Conflict { .. }), "{status:?}");
    assert_eq!(world.holder(open).await.as_deref(), Some("default"));
    assert_eq!(world.holder(settled).await.as_deref(), Some("default"));
    assert_eq!(world.store.open(), 0);
}
