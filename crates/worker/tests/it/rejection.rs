use std::time::Duration;

use feeway_domain::{CorrelationId, Money, Payment, Status, Store};
use feeway_store::MemoryStore;
use feeway_worker::Submit;
use tokio::time::{Instant, sleep};

use crate::front::Front;
use crate::scripted_processor::{Mood, ScriptedProcessor};
use crate::weather::Weather;

const PAYMENTS: u8 = 40;

/// Submits payments while the processors are in these moods; returns where they ended.
async fn ends(moods: [Mood; 2]) -> (MemoryStore, [usize; 2], usize) {
    let store = MemoryStore::default();
    let processors = [ScriptedProcessor::new(1), ScriptedProcessor::new(2)];
    for (processor, mood) in processors.iter().zip(moods) {
        processor.set_mood(mood);
    }
    let mut front = Front::down(0, Duration::from_secs(60), 0);
    front.start(&store, &Weather::fair(3), &processors, Instant::now());
    sleep(Duration::from_millis(100)).await;
    let gateway = front.gateway().unwrap();
    let payment = |number| Payment {
        id: CorrelationId::from_bytes([number; 16]),
        amount: Money::from_cents(1990).unwrap(),
    };
    for number in 0..PAYMENTS {
        assert_eq!(gateway.submit(payment(number)).await, Submit::Kept);
    }
    sleep(Duration::from_secs(60)).await;
    let mut rejected = 0;
    for number in 0..PAYMENTS {
        let state = store.find(payment(number).id).await.unwrap().unwrap();
        rejected += usize::from(state.status == Status::Rejected);
        assert_eq!(
            gateway.submit(payment(number)).await,
            Submit::Kept,
            "again, and nothing more"
        );
    }
    let held = [processors[0].book().len(), processors[1].book().len()];
    (store, held, rejected)
}

#[tokio::test(start_paused = true)]
async fn what_one_processor_declines_goes_to_the_next() {
    let (store, held, rejected) = ends([Mood::Declining, Mood::Fine]).await;
    assert_eq!((rejected, store.open()), (0, 0));
    assert_eq!(held[0] + held[1], usize::from(PAYMENTS));
    assert!(held[1] > 20, "{held:?}");
}

#[tokio::test(start_paused = true)]
async fn what_all_processors_decline_is_rejected() {
    // Each spares some of its posts, so a few payments are held all the same.
    let (store, held, rejected) = ends([Mood::Declining, Mood::Declining]).await;
    assert_eq!(held[0] + held[1] + rejected, usize::from(PAYMENTS));
    assert!(rejected > 20, "{rejected}");
    assert_eq!(store.open(), 0);
}
