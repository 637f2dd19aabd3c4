use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use feeway_domain::{
    CorrelationId, Incarnation, Ledger as _, Listed, Listing, MAX_PAGE, Reopen, Resolutions, Store,
    StoreFault, Window,
};
use feeway_memory_store::{MemorySnapshot, MemoryStore};
use feeway_worker::{Gateway, Sabotage};
use tokio::time::{Instant, sleep, sleep_until};

use crate::front::{ABSENCE_AFTER, Front};
use crate::line::Line;
use crate::moving::Outcomes;
use crate::operator::{self, Operators};
use crate::schedule::{Fault, Planned, SPAN, Schedule};
use crate::scripted_processor::{Life, Mood, ScriptedProcessor};
use crate::shop::Shop;
use crate::unreliable_store::UnreliableStore;
use crate::weather::Weather;

/// After everything has been healed, all payments must be settled within this time. A
/// processor may insert 60 s after a time-out of 30 s, and a ghost is waited for as long.
const RECOVERY: Duration = Duration::from_secs(600);

/// How long a front that is told to stop waits for what is in flight, as in the product.
const DRAIN: Duration = Duration::from_secs(4);

/// How much a store forgets at most.
const FORGOTTEN: Duration = Duration::from_secs(1);

/// Two fronts, two processors, one store, and a schedule of what goes wrong.
pub(crate) struct World {
    pub(crate) dawn: Instant,
    pub(crate) store: MemoryStore,
    pub(crate) weather: Weather,
    pub(crate) processors: Vec<ScriptedProcessor>,
    /// The other ledger of each, which a front finds at another URL.
    pub(crate) strangers: Vec<ScriptedProcessor>,
    pub(crate) fronts: Mutex<Vec<Front>>,
    /// Held while fronts come back with another URL.
    pub(crate) moving: tokio::sync::Mutex<()>,
    pub(crate) outcomes: Mutex<Outcomes>,
    pub(crate) operators: Operators,
    /// Every payment that the shop posts, sooner or later.
    ids: Vec<CorrelationId>,
    /// The store as it was at most a second ago, and when that was.
    last_copy: Mutex<(Instant, MemorySnapshot)>,
    /// Fronts that were told to stop and have not ended.
    leaving: Mutex<Vec<Life>>,
    /// Fronts that died lately, and what they knew.
    dead: Mutex<Vec<UnreliableStore>>,
    /// Payments of which nobody knew what the store forgot but a front that died.
    lost: Mutex<BTreeSet<CorrelationId>>,
}

/// Runs a schedule to its end. Returns the world as it is then, and what the shop knows.
pub(crate) async fn run(seed: u64, schedule: Schedule) -> (Arc<World>, Shop) {
    let dawn = Instant::now();
    let store = MemoryStore::default();
    let world = Arc::new(World {
        dawn,
        last_copy: Mutex::new((dawn, store.snapshot())),
        leaving: Mutex::default(),
        dead: Mutex::default(),
        lost: Mutex::default(),
        store,
        weather: Weather::fair(seed ^ 0x5707e),
        processors: (0..2)
            .map(|place| ScriptedProcessor::new(seed + place))
            .collect(),
        strangers: (0..2)
            .map(|place| ScriptedProcessor::new((seed + place) ^ 0x1ed6e2))
            .collect(),
        moving: tokio::sync::Mutex::default(),
        outcomes: Mutex::default(),
        operators: Operators::default(),
        ids: schedule
            .orders
            .iter()
            .map(|order| order.payment.id)
            .collect(),
        fronts: Mutex::new(vec![
            Front::down(0, schedule.patience, 0),
            Front::down(1, schedule.patience, schedule.skew_ms),
        ]),
    });
    for ledgers in [&world.processors, &world.strangers] {
        for (processor, nature) in ledgers.iter().zip(schedule.natures) {
            processor.set_nature(nature);
        }
    }
    for front in 0..2 {
        world.fronts.lock().unwrap()[front].is_store_forgetful = true;
        world.start_front(front);
    }
    let shop = Shop::default();
    let mut clients = Vec::new();
    for order in schedule.orders {
        let (world, shop) = (Arc::clone(&world), shop.clone());
        clients.push(tokio::spawn(async move {
            sleep_until(world.dawn + order.at).await;
            shop.post(world, order).await;
        }));
    }
    let copies = tokio::spawn(Arc::clone(&world).copy_store_every_second());
    for planned in schedule.faults {
        sleep_until(dawn + planned.at).await;
        tokio::spawn(Arc::clone(&world).suffer(planned));
    }
    sleep_until(dawn + SPAN).await;
    // The longest fault lasts 35 s; whatever it took away is back by then.
    sleep(Duration::from_secs(40)).await;
    copies.abort();
    world.heal().await;
    for client in clients {
        client.await.expect("a client was served");
    }
    world.wait_until_done().await;
    // Attempts that were given up may still be inserted; they must change nothing.
    sleep(Duration::from_secs(100)).await;
    (world, shop)
}

impl World {
    pub(crate) fn gateway(&self, front: usize) -> Option<Gateway<UnreliableStore, Line>> {
        self.fronts.lock().unwrap()[front].gateway()
    }

    async fn copy_store_every_second(self: Arc<Self>) {
        loop {
            *self.last_copy.lock().unwrap() = (Instant::now(), self.store.snapshot());
            sleep(FORGOTTEN).await;
        }
    }

    async fn suffer(self: Arc<Self>, planned: Planned) {
        let Planned { lasts, fault, .. } = planned;
        match fault {
            Fault::FrontCrashes(front) => {
                self.crash(front);
                sleep(lasts).await;
                self.start_if_down(front);
            }
            Fault::FrontLeaves(front) => {
                self.leave(front).await;
                sleep(lasts).await;
                self.start_if_down(front);
            }
            Fault::FrontMoves {
                front,
                place,
                vouched,
            } => self.suffer_move(&[front], place, vouched, lasts).await,
            Fault::AllMove(place) => self.suffer_move(&[0, 1], place, false, lasts).await,
            Fault::FrontPauses(front) => {
                let gate = self.fronts.lock().unwrap()[front].gate.clone();
                gate.set_open(false);
                sleep(lasts).await;
                gate.set_open(true);
            }
            Fault::StoreAway => {
                self.weather.set_away(true);
                sleep(lasts).await;
                self.weather.set_away(false);
            }
            Fault::StoreLate => {
                self.weather.set_late(true);
                sleep(lasts).await;
                self.weather.set_late(false);
            }
            Fault::StoreForgets => self.forget(),
            Fault::Reopening => self.reopen_rejected().await,
            Fault::OperatorDecides(processor) => {
                operator::decide(&self, processor, lasts).await;
            }
            Fault::Processor(processor, mood) => {
                self.set_mood(processor, mood);
                sleep(lasts).await;
                self.set_mood(processor, Mood::Fine);
            }
        }
    }

    /// The store is killed and comes back without its last second. Each front finds that out for
    /// itself.
    fn forget(&self) {
        // Orders of the last second may be among it.
        self.operators.end(None);
        let copy = self.last_copy.lock().unwrap();
        self.store.restore(&copy.1);
        self.weather.forgot();
        if Sabotage::OpenAtOnce.is_on() {
            self.store.open_at_once();
        }
        let dead = self.dead.lock().unwrap();
        let forgotten = dead.iter().flat_map(|dead| dead.remembered_since(copy.0));
        self.lost.lock().unwrap().extend(forgotten);
    }

    /// A front dies, and with it what the store has forgotten and it has not repeated.
    pub(crate) fn crash(&self, front: usize) {
        let store = self.fronts.lock().unwrap()[front].crash();
        self.bury(store);
    }

    fn bury(&self, store: Option<UnreliableStore>) {
        let Some(store) = store else { return };
        self.lost.lock().unwrap().extend(store.owed());
        self.dead.lock().unwrap().push(store);
    }

    /// A front is told to stop.
    async fn leave(&self, front: usize) {
        let (life, leaving) = {
            let front = &mut self.fronts.lock().unwrap()[front];
            (front.life(), front.leave())
        };
        let Some((worker, store, gate)) = leaving else {
            return;
        };
        self.leaving.lock().unwrap().push(life);
        let begun = Instant::now();
        worker.drain(DRAIN).await;
        gate.wall_up();
        self.leaving
            .lock()
            .unwrap()
            .retain(|leaving| *leaving != life);
        // It stays until the store can forget nothing that only it knows, unless that is away.
        self.bury(Some(store).filter(|_| begun.elapsed() >= DRAIN));
    }

    fn start_if_down(self: &Arc<Self>, front: usize) {
        let is_up = self.fronts.lock().unwrap()[front].is_up();
        if !is_up {
            self.start_as_known(front);
        }
    }

    /// Whether all that was known of a payment went with a front that died.
    pub(crate) fn is_lost(&self, id: CorrelationId) -> bool {
        self.lost.lock().unwrap().contains(&id)
    }

    /// Takes back whatever was rejected. Between two steps one may have been found to be held.
    async fn reopen_rejected(&self) {
        let listing = Listing {
            listed: Listed::Rejected,
            window: Window::default(),
            after: None,
            limit: MAX_PAGE,
        };
        let Ok(rejected) = self.store.list(&listing).await else {
            return;
        };
        let now = self.store.now().micros();
        let owner = Incarnation::new(&format!("feeway-ctl.{now}"));
        for line in rejected.lines {
            let reopened = self.store.reopen(line.state.id, &owner, "ann").await;
            let closed = Err(StoreFault::Closed);
            let expected = [Ok(Reopen::Reopened), Ok(Reopen::Settled), closed];
            assert!(expected.contains(&reopened), "{reopened:?}");
        }
    }

    /// Of both ledgers of a processor.
    fn set_mood(&self, processor: usize, mood: Mood) {
        for ledgers in [&self.processors, &self.strangers] {
            ledgers[processor].set_mood(mood);
        }
    }

    async fn heal(self: &Arc<Self>) {
        self.operators.end(None);
        for order in self.store.stand_backs().await.unwrap() {
            let ended = self
                .store
                .end_stand_back(&order.processor, &order.token)
                .await;
            assert_eq!(ended, Ok(true));
        }
        self.weather.set_away(false);
        self.weather.set_late(false);
        for processor in 0..2 {
            self.set_mood(processor, Mood::Fine);
        }
        for front in 0..2 {
            self.fronts.lock().unwrap()[front].gate.set_open(true);
            self.start_if_down(front);
        }
    }

    async fn wait_until_done(&self) {
        let deadline = Instant::now() + RECOVERY;
        while Instant::now() < deadline && self.store.open() > 0 {
            sleep(Duration::from_secs(1)).await;
        }
    }

    pub(crate) fn shop_ids(&self) -> Vec<CorrelationId> {
        self.ids.clone()
    }

    /// The lives that fronts have, or had last and may not know to be over.
    pub(crate) fn lives(&self) -> Vec<Life> {
        let fronts = self.fronts.lock().unwrap();
        let up = fronts.iter().filter(|front| front.is_up());
        let leaving = self.leaving.lock().unwrap();
        up.map(Front::life).chain(leaving.iter().copied()).collect()
    }

    /// Whether some look-up lags for longer than an absence has to last.
    pub(crate) fn hides_for_long(&self) -> bool {
        let mut processors = self.processors.iter();
        processors.any(|processor| processor.lag() > ABSENCE_AFTER)
    }

    /// Whether another ledger has ever taken the place of one.
    pub(crate) fn has_replaced(&self) -> bool {
        self.outcomes.lock().unwrap().contains_key("replaced")
    }

    /// Everything that both sides have in their books, as one text: two runs of a seed must
    /// give the same.
    pub(crate) async fn trace(&self) -> String {
        let mut trace = String::new();
        for processor in self.processors.iter().chain(&self.strangers) {
            trace.push_str(&format!(
                "{:?} {}\n",
                processor.book(),
                processor.requests()
            ));
        }
        let summary = self.store.summary(Window::default()).await;
        trace.push_str(&format!("{summary:?}"));
        trace
    }
}
