//! Fronts that come back with another URL for a processor.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use feeway_domain::ProcessorName;
use tokio::time::{sleep, timeout};

use crate::front::configured;
use crate::scripted_processor::ScriptedProcessor;
use crate::world::World;

/// How long a front that moves may take to get its place in the journal, or to be refused.
const PLACE_WAIT: Duration = Duration::from_secs(60);

const LOOK: Duration = Duration::from_millis(100);

/// Where a front finds a processor: one of two ledgers, by one of that ledger's URLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) ledger: usize,
    pub(crate) spelling: usize,
}

impl Address {
    /// Where every run begins.
    pub(crate) const FIRST: Self = Self {
        ledger: 0,
        spelling: 0,
    };

    /// The same ledger by another URL.
    pub(crate) fn moved(self) -> Self {
        Self {
            spelling: self.spelling + 1,
            ..self
        }
    }

    /// The other ledger.
    pub(crate) fn other(self) -> Self {
        Self {
            ledger: 1 - self.ledger,
            spelling: 0,
        }
    }

    pub(crate) fn url(self) -> String {
        format!("http://ledger-{}/{}", self.ledger, self.spelling)
    }

    fn read(url: &str) -> Self {
        let text = url.strip_prefix("http://ledger-").expect("one of ours");
        let (ledger, spelling) = text.split_once('/').expect("one of ours");
        Self {
            ledger: ledger.parse().expect("a number"),
            spelling: spelling.parse().expect("a number"),
        }
    }
}

/// What became of the fronts that came back with another URL.
pub(crate) type Outcomes = BTreeMap<&'static str, u64>;

impl World {
    /// The ledger at an address.
    pub(crate) fn ledger(&self, place: usize, address: Address) -> ScriptedProcessor {
        [&self.processors, &self.strangers][address.ledger][place].clone()
    }

    /// Both ledgers that a processor's name may stand for.
    pub(crate) fn ledgers(&self, place: usize) -> Vec<ScriptedProcessor> {
        let both = [&self.processors, &self.strangers];
        both.map(|ledgers| ledgers[place].clone()).to_vec()
    }

    /// The one that it stands for now.
    pub(crate) fn present_ledger(&self, place: usize) -> ScriptedProcessor {
        let newest = self.known(place).first().copied();
        self.ledger(place, newest.unwrap_or(Address::FIRST))
    }

    fn known(&self, place: usize) -> Vec<Address> {
        let urls = self.store.urls(&name(place));
        urls.iter().map(|url| Address::read(url)).collect()
    }

    /// Starts a front as it was, if its URLs are still known, and else as the others are.
    pub(crate) fn start_as_known(self: &Arc<Self>, front: usize) {
        {
            let mut fronts = self.fronts.lock().unwrap();
            fronts[front].vouched = None;
            for place in 0..2 {
                let known = self.known(place);
                let address = &mut fronts[front].addresses[place];
                if !known.contains(address) {
                    *address = known.first().copied().unwrap_or(*address);
                }
            }
        }
        self.start_front(front);
    }

    pub(crate) fn start_front(self: &Arc<Self>, front: usize) {
        let (gateway, life) = {
            let mut fronts = self.fronts.lock().unwrap();
            let front = &mut fronts[front];
            let processors = [0, 1].map(|place| self.ledger(place, front.addresses[place]));
            front.start(&self.store, &self.weather, &processors, self.dawn);
            (front.gateway().expect("it is up"), front.lives)
        };
        let world = Arc::clone(self);
        tokio::spawn(async move {
            gateway.refused().await;
            world.count("refused");
            let is_same = {
                let fronts = world.fronts.lock().unwrap();
                fronts[front].lives == life && fronts[front].is_up()
            };
            if is_same {
                world.crash(front);
                world.start_as_known(front);
            }
        });
    }

    /// Some fronts go and come back with another URL for a processor: of the same ledger, as
    /// somebody vouches, or of another one. One at a time does so, or all together.
    pub(crate) async fn suffer_move(
        self: &Arc<Self>,
        moving: &[usize],
        place: usize,
        vouched: bool,
        lasts: Duration,
    ) {
        // Operators do not contradict each other.
        let turn = self.moving.try_lock();
        for &front in moving {
            self.crash(front);
        }
        sleep(lasts).await;
        let is_down = |front: &usize| !self.fronts.lock().unwrap()[*front].is_up();
        let down: Vec<usize> = moving.iter().copied().filter(is_down).collect();
        let newest = self.known(place).first().copied();
        let (Ok(_turn), Some(newest)) = (turn, newest) else {
            down.iter().for_each(|&front| self.start_as_known(front));
            return;
        };
        let address = if vouched {
            newest.moved()
        } else {
            newest.other()
        };
        for &front in &down {
            {
                let mut fronts = self.fronts.lock().unwrap();
                fronts[front].addresses[place] = address;
                fronts[front].vouched = vouched.then(|| name(place));
            }
            self.start_front(front);
        }
        for &front in &down {
            self.until_placed(front).await;
        }
        if self.known(place).first() == Some(&address) && !down.is_empty() {
            self.count(if vouched { "moved" } else { "replaced" });
        }
    }

    /// Waits until a front has its place in the journal or another life. One that gets none in
    /// time starts again as it was, so that nobody vouches for anything later.
    async fn until_placed(self: &Arc<Self>, front: usize) {
        let (gateway, life) = {
            let fronts = self.fronts.lock().unwrap();
            (fronts[front].gateway(), fronts[front].lives)
        };
        let Some(gateway) = gateway else {
            return;
        };
        let mut waited = Duration::ZERO;
        while waited < PLACE_WAIT {
            if timeout(LOOK, gateway.enlisted()).await.is_ok() {
                break;
            }
            waited += LOOK;
            if self.fronts.lock().unwrap()[front].lives != life {
                return;
            }
        }
        if waited >= PLACE_WAIT {
            self.crash(front);
            self.start_as_known(front);
        }
    }

    fn count(&self, outcome: &'static str) {
        *self.outcomes.lock().unwrap().entry(outcome).or_default() += 1;
    }
}

fn name(place: usize) -> ProcessorName {
    configured().remove(place).name
}
