//! Processors that hold a payment and say a time at which they cannot have taken it.

use std::time::Duration;

use feeway_domain::{
    CorrelationId, Ledger as _, Money, Payment, RequestedAt, Resolutions, Restamp, Status,
};
use feeway_memory_store::MemoryStore;
use feeway_worker::Submit;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use crate::front::{DAWN_MICROS, Front};
use crate::scripted_processor::{Mood, Nature, ScriptedProcessor};
use crate::weather::Weather;

const SECOND: Duration = Duration::from_secs(1);
const HOUR_MICROS: i64 = 3_600_000_000;

struct World {
    dawn: Instant,
    store: MemoryStore,
    processors: [ScriptedProcessor; 2],
    fronts: [Front; 2],
}

fn payment(number: u8) -> Payment {
    let mut bytes = [5; 16];
    bytes[0] = number;
    bytes[14..].copy_from_slice(&[99, 60]);
    Payment {
        id: CorrelationId::from_bytes(bytes),
        amount: Money::from_cents(1990).unwrap(),
    }
}

fn off(off_micros: i64) -> Nature {
    Nature {
        off_micros,
        ..Nature::default()
    }
}

impl World {
    /// Two fronts, of which the second is half a second ahead.
    async fn begin() -> Self {
        let mut world = Self {
            dawn: Instant::now(),
            store: MemoryStore::default(),
            processors: [ScriptedProcessor::new(1), ScriptedProcessor::new(2)],
            fronts: [Front::down(0, SECOND, 0), Front::down(1, SECOND, 500)],
        };
        for front in &mut world.fronts {
            front.max_in_flight = 64;
            front.start(
                &world.store,
                &Weather::fair(7),
                &world.processors,
                world.dawn,
            );
        }
        sleep(SECOND / 10).await;
        world
    }

    async fn submit(&self, number: u8) -> Payment {
        let gateway = self.fronts[0].gateway().unwrap();
        assert_eq!(gateway.submit(payment(number)).await, Submit::Kept);
        payment(number)
    }

    /// So many payments, on their way before anything becomes of the first.
    async fn submit_together(&self, count: u8) -> Vec<Payment> {
        join_all((0..count).map(|number| self.submit(number))).await
    }

    async fn status(&self, payment: Payment) -> Status {
        self.store.find(payment.id).await.unwrap().unwrap().status
    }

    async fn booked_at(&self, payment: Payment) -> Option<RequestedAt> {
        match self.status(payment).await {
            Status::Settled { requested_at, .. } => Some(requested_at),
            Status::Open { .. } | Status::Rejected { .. } | Status::Conflict { .. } => None,
        }
    }

    /// When the first processor was really asked to take it.
    fn sent_at(&self, payment: Payment) -> RequestedAt {
        self.processors[0].book()[&payment.id].1
    }

    async fn restamps(&self) -> Vec<Restamp> {
        let noted = self.store.restamped().await.unwrap();
        noted.into_iter().map(|noted| noted.restamp).collect()
    }
}

fn earlier(at: RequestedAt, micros: i64) -> RequestedAt {
    RequestedAt::from_micros(at.micros() - micros).unwrap()
}

#[tokio::test(start_paused = true)]
async fn who_insists_on_an_impossible_time_is_booked_at_that_of_the_attempt_and_it_is_noted() {
    for hours in [-1, 1] {
        let world = World::begin().await;
        world.processors[0].set_nature(off(hours * HOUR_MICROS));
        world.processors[0].set_mood(Mood::ResetAfterInsert);
        let payments = world.submit_together(20).await;
        sleep(SECOND / 10).await;
        // Look-ups have clear answers.
        world.processors[0].set_mood(Mood::Fine);
        sleep(60 * SECOND).await;
        let restamps = world.restamps().await;
        for payment in payments {
            let ours = world.sent_at(payment);
            assert_eq!(world.booked_at(payment).await, Some(ours), "{hours}");
            let theirs = earlier(ours, -hours * HOUR_MICROS);
            let noted = restamps.iter().filter(|noted| noted.id == payment.id);
            for noted in noted {
                assert_eq!((noted.theirs, noted.ours), (theirs, ours));
                assert_eq!(noted.processor.as_str(), "default");
            }
        }
        // Some were answered with a plain yes.
        assert!(restamps.len() > 10, "{}", restamps.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_within_the_slip_is_believed() {
    let world = World::begin().await;
    let off_micros = -1_900_000;
    world.processors[0].set_nature(off(off_micros));
    world.processors[0].set_mood(Mood::HangAfterInsert);
    let mut booked = 0;
    let payments = world.submit_together(10).await;
    sleep(200 * SECOND).await;
    for payment in payments {
        let sent = world.sent_at(payment);
        let at = world.booked_at(payment).await.unwrap();
        booked += usize::from(at == earlier(sent, -off_micros));
        assert!(
            [sent, earlier(sent, -off_micros)].contains(&at),
            "{at} {sent}"
        );
    }
    assert!(booked > 5, "{booked}");
    assert_eq!(world.restamps().await, []);
}

#[tokio::test(start_paused = true)]
async fn who_says_a_possible_time_when_it_is_asked_again_is_believed() {
    let world = World::begin().await;
    world.processors[0].set_nature(off(HOUR_MICROS));
    world.processors[0].set_mood(Mood::HangAfterInsert);
    let payments = world.submit_together(10).await;
    // The first look-up comes when the attempt has timed out, 200 ms later.
    sleep(30 * SECOND + SECOND / 4).await;
    world.processors[0].set_nature(Nature::default());
    sleep(60 * SECOND).await;
    for payment in payments {
        let sent = world.sent_at(payment);
        assert_eq!(world.booked_at(payment).await, Some(sent));
    }
    assert_eq!(world.restamps().await, []);
}

#[tokio::test(start_paused = true)]
async fn who_never_sent_it_books_the_nearest_possible_time() {
    let mut world = World::begin().await;
    world.processors[0].set_nature(off(-HOUR_MICROS));
    world.processors[0].set_mood(Mood::HangAfterInsert);
    let payments = world.submit_together(10).await;
    sleep(SECOND).await;
    world.fronts[0].crash();
    sleep(60 * SECOND).await;
    let mut restamped = 0;
    for payment in payments {
        let sent = world.sent_at(payment);
        let at = world.booked_at(payment).await.unwrap();
        // Accepted a moment before, less the two seconds of the slip.
        let early = sent.micros() - at.micros();
        assert!(
            at == sent || (1_990_000..=2_100_000).contains(&early),
            "{early}"
        );
        restamped += usize::from(at != sent);
    }
    assert_eq!(world.restamps().await.len(), restamped);
    assert!(restamped > 5, "{restamped}");
}

#[tokio::test(start_paused = true)]
async fn what_is_found_long_after_it_left_is_booked_at_the_time_of_leaving() {
    let world = World::begin().await;
    // Look-ups are known to work.
    world.submit(200).await;
    sleep(20 * SECOND).await;
    world.processors[0].set_nature(Nature {
        lag: 40 * SECOND,
        off_micros: HOUR_MICROS,
        ..Nature::default()
    });
    world.processors[0].set_mood(Mood::ErrorAfterInsert);
    world.submit_together(10).await;
    sleep(SECOND / 10).await;
    world.processors[0].set_mood(Mood::Failing);
    sleep(150 * SECOND).await;
    let restamps = world.restamps().await;
    let mut conflicts = 0;
    for number in 0..10 {
        if !matches!(world.status(payment(number)).await, Status::Conflict { .. }) {
            continue;
        }
        conflicts += 1;
        let noted = restamps.iter().find(|noted| noted.id == payment(number).id);
        let noted = noted.expect("it was an hour off");
        let sent = world.sent_at(payment(number));
        assert_eq!(noted.theirs, earlier(sent, -HOUR_MICROS));
        // It left when its absence had lasted for 15 s.
        let after = noted.ours.micros() - sent.micros();
        assert!((15_000_000..40_000_000).contains(&after), "{after}");
    }
    assert!(conflicts > 0);
}

#[tokio::test(start_paused = true)]
async fn what_got_the_answer_to_another_payment_is_booked_now_if_its_time_is_impossible() {
    let world = World::begin().await;
    world.processors[0].set_nature(Nature {
        declines: 100,
        status: 402,
        ..Nature::default()
    });
    world.submit(200).await;
    sleep(SECOND).await;
    world.processors[0].set_nature(Nature::default());
    world.submit(201).await;
    sleep(40 * SECOND).await;
    let elsewhere = payment(200);
    let status = world.status(elsewhere).await;
    let at = status.processor().map(ToString::to_string);
    assert_eq!(at.as_deref(), Some("fallback"), "{status:?}");
    world.processors[0].set_nature(off(HOUR_MICROS));
    let sent = RequestedAt::from_micros(DAWN_MICROS + 1_000_000).unwrap();
    assert!(world.processors[0].insert(&elsewhere, earlier(sent, -HOUR_MICROS)));
    world.processors[0].misdeliver(elsewhere.id);
    sleep(10 * SECOND).await;
    let status = world.status(elsewhere).await;
    assert!(matches!(status, Status::Conflict { .. }), "{status:?}");
    let now = world.store.now().micros();
    let restamps = world.restamps().await;
    let [restamp] = &restamps[..] else {
        panic!("{restamps:?}");
    };
    assert!((0..10_000_000).contains(&(now - restamp.ours.micros())));
}
