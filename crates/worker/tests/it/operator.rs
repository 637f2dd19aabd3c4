//! An operator has the fronts stand back from a processor in the middle of everything, decides
//! some of the payments that are pinned there, and says what is true.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use feeway_ctl::{StoodBack, Waited};
use feeway_domain::{CorrelationId, Custody, ProcessorName, Resolutions, Resolve, Store, Verdict};
use tokio::time::{Instant, sleep};

use crate::front::configured;
use crate::gate::Gate;
use crate::scripted_processor::{Life, Posted, ScriptedProcessor};
use crate::unreliable_store::UnreliableStore;
use crate::world::World;

/// An attempt takes 30 s at most, and a store that is away for as long lets nobody confirm.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often the operator looks again at what could not be decided.
const ROUNDS: usize = 3;

/// What operators did in one run.
#[derive(Default)]
pub(crate) struct Operators {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    retreats: Vec<Retreat>,
    /// Orders that somebody is about to end, whoever else goes by them.
    ending: BTreeSet<String>,
    decided: Decided,
    found: Vec<String>,
}

/// How many payments operators decided.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Decided {
    pub(crate) held: usize,
    pub(crate) not_held: usize,
    /// Of these, so many that the processor might have taken all the same.
    pub(crate) not_barred: usize,
}

/// For a time all fronts said that they stand back from a processor.
struct Retreat {
    place: usize,
    /// That of the order which they confirmed.
    token: String,
    /// Fronts that slept or were cut off, and so said nothing.
    excused: Vec<Life>,
    from: Instant,
    until: Option<Instant>,
}

impl Operators {
    pub(crate) fn decided(&self) -> Decided {
        self.inner.lock().unwrap().decided
    }

    /// What fronts did that had said that they would not.
    pub(crate) fn audit(&self, world: &World) -> Vec<String> {
        let inner = self.inner.lock().unwrap();
        let mut found = inner.found.clone();
        for retreat in &inner.retreats {
            let posts = world.ledgers(retreat.place).into_iter();
            let posts: Vec<Posted> = posts.flat_map(|ledger| ledger.posts()).collect();
            let posts = posts.iter().filter(|post| retreat.forbids(post));
            found.extend(posts.map(|post| {
                let (life, id, at) = (post.life, post.id, post.at - retreat.from);
                format!("{life:?} stood back and posted {id} after {at:?}")
            }));
        }
        found
    }

    fn begin(&self, retreat: Retreat, ledgers: &[ScriptedProcessor]) {
        let mut inner = self.inner.lock().unwrap();
        if inner.ending.contains(order_of(&retreat.token)) {
            return;
        }
        let waiting = ledgers.iter().flat_map(ScriptedProcessor::waiting);
        let waiting: Vec<Life> = waiting.collect();
        let in_flight = waiting
            .iter()
            .filter(|life| !retreat.excused.contains(life));
        for life in in_flight {
            let place = retreat.place;
            let told = format!("{life:?} says that nothing is in flight at {place}, and it is");
            inner.found.push(told);
        }
        inner.retreats.push(retreat);
    }

    /// The order ends, or the store forgets it.
    pub(crate) fn end(&self, place: Option<usize>) {
        let now = Instant::now();
        let retreats = &mut self.inner.lock().unwrap().retreats;
        let of_place = |retreat: &&mut Retreat| place.is_none_or(|place| place == retreat.place);
        for retreat in retreats.iter_mut().filter(of_place) {
            retreat.until.get_or_insert(now);
        }
    }

    /// An operator is about to end this order, or to give it anew.
    fn ends(&self, place: usize, token: &str) {
        let order = order_of(token).to_owned();
        self.inner.lock().unwrap().ending.insert(order);
        self.end(Some(place));
    }

    fn note(&self, verdict: &Verdict, is_barred: bool) {
        let decided = &mut self.inner.lock().unwrap().decided;
        match verdict {
            Verdict::Held { .. } => decided.held += 1,
            Verdict::NotHeld => {
                decided.not_held += 1;
                decided.not_barred += usize::from(!is_barred);
            }
        }
    }
}

impl Retreat {
    fn forbids(&self, post: &Posted) -> bool {
        let is_within = self.from < post.at && self.until.is_none_or(|until| post.at < until);
        is_within && !self.excused.contains(&post.life)
    }
}

/// What of a token stays when the store comes back from a restart. The rest names its life, so that
/// what was confirmed in an earlier one does not count; but the end of an order that was not answered
/// then is still on its way.
fn order_of(token: &str) -> &str {
    token.split_once('@').map_or(token, |(order, _life)| order)
}

/// The whole of it. The order lasts for as long after the decisions.
pub(crate) async fn decide(world: &World, place: usize, lasts: Duration) {
    let name = configured()[place].name.clone();
    let (store, weather) = (world.store.clone(), world.weather.clone());
    let store = UnreliableStore::new(store, weather, Gate::open());
    let Ok(mut back) = StoodBack::begin(&store, &name, "ann").await else {
        return;
    };
    let mut left = world.shop_ids();
    for _ in 0..ROUNDS {
        match back.wait(PATIENCE, |_| {}).await {
            Ok(Waited::All) => {}
            Ok(Waited::Nobody | Waited::Still(_)) | Err(_) => break,
        }
        let Some((token, excused)) = excused(world, &name).await else {
            continue;
        };
        let retreat = Retreat {
            place,
            token,
            excused: excused.clone(),
            from: Instant::now(),
            until: None,
        };
        world.operators.begin(retreat, &world.ledgers(place));
        let is_every_front_back = excused.is_empty();
        let mut again = Vec::new();
        for id in left {
            if decide_one(world, place, &back, id, is_every_front_back).await == Decision::Again {
                again.push(id);
            }
        }
        left = again;
        if left.is_empty() {
            break;
        }
    }
    sleep(lasts).await;
    // Another operator may go by the same order, and is not told at once.
    for order in world.store.stand_backs().await.unwrap() {
        if order.processor == name {
            world.operators.ends(place, &order.token);
        }
    }
    // Without an answer the order stays in force until the world is healed.
    back.end(false).await.unwrap_or_default();
}

/// The token of the order that is in force, and the lives of fronts that have not confirmed it;
/// nothing when others should have by now.
async fn excused(world: &World, processor: &ProcessorName) -> Option<(String, Vec<Life>)> {
    let orders = world.store.stand_backs().await.unwrap();
    let order = orders.iter().find(|order| order.processor == *processor)?;
    let fronts = world.store.fronts().await.unwrap();
    if !fronts.unconfirmed(processor, &order.token).is_empty() {
        return None;
    }
    let owners = fronts.owners.iter().map(|owner| &owner.hold.owner);
    let confirmed = owners.filter(|owner| fronts.has_confirmed(owner, processor, &order.token));
    // `front-0.2.1` is the first incarnation of that front's second life.
    let confirmed: Vec<String> = confirmed
        .map(|owner| owner.as_str().rsplit_once('.').unwrap().0.to_owned())
        .collect();
    let mut lives = world.lives();
    lives.retain(|life| !confirmed.contains(&format!("front-{}.{}", life.front, life.number)));
    Some((order.token.clone(), lives))
}

#[derive(PartialEq, Eq)]
enum Decision {
    Over,
    Again,
}

async fn decide_one(
    world: &World,
    place: usize,
    back: &StoodBack<'_, UnreliableStore>,
    id: CorrelationId,
    is_every_front_back: bool,
) -> Decision {
    let Some(custody) = pinned(world, place, id).await else {
        return Decision::Over;
    };
    // Two of three, always the same ones.
    if id.as_bytes()[3].is_multiple_of(3) {
        return Decision::Over;
    }
    // An entry names the ledger that the name stands for now: another one takes its place only
    // while none does.
    let processor = world.present_ledger(place);
    let mut is_barred = true;
    let verdict = if let Some(&(_, requested_at)) = processor.book().get(&id) {
        let fee = configured()[place].fee;
        Verdict::Held { requested_at, fee }
    } else {
        // Where all fronts stand back and nothing is inside, nothing more can come.
        let is_at_rest = is_every_front_back && !processor.is_inside(id);
        if is_at_rest && id.as_bytes()[4].is_multiple_of(2) {
            is_barred = false;
        } else if !processor.bar(id) {
            return Decision::Again;
        }
        Verdict::NotHeld
    };
    match back.decide(&custody, &verdict).await {
        Ok(Resolve::Settled(_) | Resolve::Released) => {
            world.operators.note(&verdict, is_barred);
            Decision::Over
        }
        Ok(Resolve::Changed) => Decision::Again,
        Ok(Resolve::Gone | Resolve::Unnamed) | Err(_) => Decision::Over,
    }
}

/// The custody of a payment if it is pinned there.
async fn pinned(world: &World, place: usize, id: CorrelationId) -> Option<Custody> {
    let case = world.store.case(id).await.unwrap()?;
    let name = &configured()[place].name;
    case.custody
        .filter(|custody| custody.entry.processor.as_ref() == Some(name))
}
