//! When a payment that every processor declines is rejected, and when it stays open.

use std::time::Duration;

use feeway_domain::{
    CorrelationId, Incarnation, Ledger as _, Money, Payment, Reopen, Resolutions, Status,
};
use feeway_memory_store::MemoryStore;
use feeway_worker::Submit;
use tokio::time::{Instant, sleep};

use crate::front::Front;
use crate::scripted_processor::{Nature, ScriptedProcessor};
use crate::weather::Weather;

const SECOND: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(20);

struct World {
    store: MemoryStore,
    processors: [ScriptedProcessor; 2],
    front: Front,
    submitted: Vec<Payment>,
}

impl World {
    async fn begin(patience: Duration, declines_are_final: bool) -> Self {
        let store = MemoryStore::default();
        let processors = [ScriptedProcessor::new(1), ScriptedProcessor::new(2)];
        let mut front = Front::down(0, patience, 0);
        front.declines_are_final = declines_are_final;
        front.max_in_flight = 64;
        front.start(&store, &Weather::fair(3), &processors, Instant::now());
        sleep(SECOND / 10).await;
        Self {
            store,
            processors,
            front,
            submitted: Vec::new(),
        }
    }

    /// Of 100 payments so many are declined with this status.
    fn decline(&self, place: usize, declines: u8, status: u16) {
        self.processors[place].set_nature(Nature {
            declines,
            status,
            ..Nature::default()
        });
    }

    async fn again(&self, payment: Payment) -> Submit {
        self.front.gateway().unwrap().submit(payment).await
    }

    /// Submits a payment whose number ends with these two digits, by which it is declined.
    async fn submit(&mut self, ending: u8) -> Payment {
        let number = u32::try_from(self.submitted.len()).unwrap();
        let mut bytes = [7; 16];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        bytes[15] = ending;
        let payment = Payment {
            id: CorrelationId::from_bytes(bytes),
            amount: Money::from_cents(1990).unwrap(),
        };
        assert_eq!(self.again(payment).await, Submit::Kept);
        self.submitted.push(payment);
        payment
    }

    /// Ten payments a second, of each ending in turn.
    async fn submit_for(&mut self, seconds: u32, endings: &[u8]) {
        for round in 0..10 * usize::try_from(seconds).unwrap() {
            self.submit(endings[round % endings.len()]).await;
            sleep(SECOND / 10).await;
        }
    }

    async fn status(&self, payment: Payment) -> Status {
        self.store.find(payment.id).await.unwrap().unwrap().status
    }

    /// How many of the payments are rejected.
    async fn rejected(&self) -> usize {
        let mut rejected = 0;
        for payment in &self.submitted {
            let status = self.status(*payment).await;
            rejected += usize::from(status.reason().is_some());
        }
        rejected
    }

    fn held(&self) -> [usize; 2] {
        let books = self.processors.each_ref();
        books.map(|processor| processor.book().len())
    }
}

#[tokio::test(start_paused = true)]
async fn what_broken_proxies_decline_for_a_while_is_not_rejected() {
    for (declines_are_final, status) in [(true, 400), (false, 400), (false, 422)] {
        let mut world = World::begin(60 * SECOND, declines_are_final).await;
        // Both have held payments until a moment ago.
        world.decline(0, 50, 402);
        world.submit_for(40, &[30, 60]).await;
        assert!(
            world.held().iter().all(|held| *held > 100),
            "{:?}",
            world.held()
        );
        for place in 0..2 {
            world.decline(place, 100, status);
        }
        world.submit_for(8, &[60]).await;
        for place in 0..2 {
            world.decline(place, 0, status);
        }
        world.submit_for(8, &[60]).await;
        sleep(100 * SECOND).await;
        assert_eq!(
            (world.rejected().await, world.store.open()),
            (0, 0),
            "{status}"
        );
        let held: usize = world.held().iter().sum();
        assert_eq!(held, world.submitted.len(), "{status}: each is held once");
    }
}

#[tokio::test(start_paused = true)]
async fn what_every_processor_declines_amid_others_is_rejected_and_its_repeat_hears_why() {
    let mut world = World::begin(60 * SECOND, false).await;
    world.decline(0, 10, 402);
    world.decline(1, 5, 410);
    // One in ten is declined by the first, and half of them by the second.
    world
        .submit_for(60, &[50, 60, 3, 70, 80, 90, 40, 8, 30, 20])
        .await;
    world.submit_for(20, &[50]).await;
    let mut declined = world.submitted.clone();
    declined.retain(|payment| payment.id.as_bytes()[15] == 3);
    let mut rejected = 0;
    for payment in &declined {
        rejected += usize::from(world.status(*payment).await.reason().is_some());
    }
    // Those of the last half a minute may have to wait for their absence to count.
    assert!(
        2 * rejected > declined.len(),
        "{rejected} of {}",
        declined.len()
    );
    let reason = "default answered 402, fallback answered 410";
    let first = declined[0];
    assert_eq!(
        world.again(first).await,
        Submit::Rejected(reason.to_owned())
    );
    let other_amount = Payment {
        amount: Money::from_cents(1).unwrap(),
        ..first
    };
    assert_eq!(world.again(other_amount).await, Submit::AmountDiffers);
    let posts = world.processors[0].posts();
    let posts = posts.iter().filter(|post| post.id == first.id);
    assert_eq!(posts.count(), 1, "nobody else was declined next to it");
    let settled = world
        .submitted
        .iter()
        .find(|payment| payment.id.as_bytes()[15] == 8);
    assert_eq!(world.again(*settled.unwrap()).await, Submit::Kept);
}

#[tokio::test(start_paused = true)]
async fn without_others_a_declined_payment_is_tried_again_for_three_rounds_of_patience() {
    let mut world = World::begin(PATIENCE, true).await;
    world.decline(0, 10, 402);
    world.decline(1, 10, 410);
    let payment = world.submit(3).await;
    sleep(3 * PATIENCE - SECOND).await;
    assert!(matches!(world.status(payment).await, Status::Open { .. }));
    assert_eq!(world.again(payment).await, Submit::Kept);
    for processor in &world.processors {
        let posts = processor.posts().len();
        assert!((5..=10).contains(&posts), "{posts}");
    }
    sleep(2 * SECOND).await;
    assert!(world.status(payment).await.reason().is_some());
}

#[tokio::test(start_paused = true)]
async fn without_patience_a_declined_payment_is_rejected_at_once() {
    let mut world = World::begin(Duration::ZERO, true).await;
    world.decline(0, 10, 402);
    world.decline(1, 10, 410);
    let payment = world.submit(3).await;
    sleep(SECOND / 2).await;
    assert!(world.status(payment).await.reason().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_restart_pins_nothing_that_waits_for_a_verdict() {
    for declines_are_final in [true, false] {
        let mut world = World::begin(60 * SECOND, declines_are_final).await;
        // Look-ups are known to work.
        world.decline(0, 50, 402);
        world.submit_for(20, &[30, 60]).await;
        sleep(20 * SECOND).await;
        for place in 0..2 {
            world.decline(place, 100, 402);
        }
        world.submit_for(2, &[60]).await;
        let wait = if declines_are_final { 2 } else { 40 };
        sleep(wait * SECOND).await;
        let (store, processors) = (world.store.clone(), world.processors.clone());
        world.front.drain(4 * SECOND).await;
        for place in 0..2 {
            world.decline(place, 0, 402);
        }
        let weather = Weather::fair(4);
        world
            .front
            .start(&store, &weather, &processors, Instant::now());
        sleep(100 * SECOND).await;
        assert_eq!((world.rejected().await, store.open()), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_reopens_settles_once_a_processor_takes_it() {
    let mut world = World::begin(Duration::ZERO, true).await;
    world.decline(0, 10, 422);
    world.decline(1, 10, 402);
    // Look-ups are known to work.
    world.submit(60).await;
    let payment = world.submit(3).await;
    sleep(20 * SECOND).await;
    let reason = "default answered 422, fallback answered 402";
    assert_eq!(
        world.again(payment).await,
        Submit::Rejected(reason.to_owned())
    );
    world.decline(0, 0, 422);
    let owner = Incarnation::new("feeway-ctl.1");
    let reopened = world.store.reopen(payment.id, &owner, "ann").await;
    assert_eq!(reopened, Ok(Reopen::Reopened));
    sleep(3 * SECOND).await;
    let status = world.status(payment).await;
    let processor = status.processor().map(ToString::to_string);
    assert_eq!(processor.as_deref(), Some("default"), "{status:?}");
    assert!(matches!(status, Status::Settled { .. }), "{status:?}");
    assert_eq!(world.again(payment).await, Submit::Kept);
    assert_eq!(world.held(), [2, 0]);
}
