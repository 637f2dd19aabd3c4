use std::time::Duration;

use feeway_domain::{CorrelationId, Hold, Incarnation, Money, Payment, Store};
use feeway_memory_store::MemoryStore;
use tokio::time::{Instant, sleep};

use crate::front::{Front, configured};
use crate::scripted_processor::ScriptedProcessor;
use crate::weather::Weather;

#[tokio::test(start_paused = true)]
async fn an_entry_that_moved_since_it_was_read_is_not_sent_where_it_was() {
    let store = MemoryStore::default();
    let processors = [ScriptedProcessor::new(1), ScriptedProcessor::new(2)];
    let mut front = Front::down(0, Duration::from_secs(60), 0);
    front.start(&store, &Weather::fair(3), &processors, Instant::now());
    sleep(Duration::from_millis(100)).await;

    let owner = Incarnation::new("front-0.1.1");
    let hold = Hold {
        owner: owner.clone(),
        holder: owner.clone(),
        epoch: 1,
    };
    let id = CorrelationId::from_bytes([7; 16]);
    let payment = Payment {
        id,
        amount: Money::from_cents(1990).unwrap(),
    };
    let [default, fallback] = &configured()[..] else {
        panic!("the usual pair")
    };
    store
        .accept(&hold, &payment, Some(&default.name))
        .await
        .unwrap();
    let stale = store.queued(&owner, None, 10).await.unwrap();
    assert_eq!(stale.len(), 1);
    store.rename(&hold, id, 0, &fallback.name).await.unwrap();
    front.store.as_ref().unwrap().find_stale(stale);

    // The heartbeat sees one payment more than is in hand, and the feeder reads the page.
    sleep(Duration::from_secs(10)).await;
    assert_eq!(
        processors[0].book().len(),
        0,
        "it may be at the other one by now"
    );
    assert_eq!(processors[1].book().len(), 1);
    assert_eq!(store.open(), 0);
}
