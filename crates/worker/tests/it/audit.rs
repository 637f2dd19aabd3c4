use std::collections::BTreeMap;
use std::time::Duration;

use feeway_domain::{
    CorrelationId, Ledger as _, ProcessorName, Resolutions, Status, Total, Window,
};

use crate::front::configured;
use crate::schedule::DeadProxy;
use crate::scripted_processor::Book;
use crate::shop::{Shop, Told};
use crate::world::World;

/// Compares what the shop was told, what the processors hold, and what our ledger says.
/// Returns every difference in words.
pub(crate) async fn audit(world: &World, shop: &Shop) -> Vec<String> {
    let names: Vec<ProcessorName> = configured().into_iter().map(|one| one.name).collect();
    // A name may stand for two ledgers, one after the other.
    let ledgers = world.processors.iter().chain(&world.strangers);
    let books: Vec<(ProcessorName, Book)> = names
        .iter()
        .cycle()
        .cloned()
        .zip(ledgers.map(|processor| processor.book()))
        .collect();
    let mut found = Vec::new();
    for told in shop.told() {
        audit_payment(world, &books, told, &mut found).await;
    }
    let summary = world.store.summary(Window::default()).await.unwrap();
    for name in &names {
        let mut theirs = Total::default();
        let held = books.iter().filter(|(of, _)| of == name);
        let held = held.flat_map(|(_, book)| book);
        for (_, (amount, _)) in held.filter(|(id, _)| !world.is_lost(**id)) {
            theirs.add(1, i128::from(amount.cents()));
        }
        let mut ours = summary.of(name);
        let lost = world.store.settlements().into_iter();
        for lost in lost.filter(|one| one.processor == *name && world.is_lost(one.payment.id)) {
            ours.take_away(1, i128::from(lost.payment.amount.cents()))
                .expect("the summary has it");
        }
        if ours != theirs {
            found.push(format!(
                "{name}: they hold {theirs:?}, our summary says {ours:?}"
            ));
        }
    }
    for (name, book) in &books {
        let posted: BTreeMap<_, _> = shop.told().iter().map(|t| (t.payment.id, ())).collect();
        if book.keys().any(|id| !posted.contains_key(id)) {
            found.push(format!("{name} holds payments that nobody posted"));
        }
    }
    found
}

/// A processor that keeps whatever it gets in doubt must not get much: at each front what was
/// sent before the first answer, and then only payments that it has seen.
pub(crate) fn audit_dead_proxy(world: &World, dead: &DeadProxy, found: &mut Vec<String>) {
    /// What is on its way, or lingers, when the first answer comes.
    const SETTLED: Duration = Duration::from_millis(100);
    let posts = world.processors[dead.place].posts();
    for front in 0..2 {
        let mut of_front = posts.iter().filter(|post| {
            let at = post.at - world.dawn;
            post.life.front == front && dead.from <= at && at < dead.until
        });
        let Some(first) = of_front.next() else {
            continue;
        };
        let swallowed = of_front.filter(|post| post.is_first && post.at > first.at + SETTLED);
        let swallowed = swallowed.count();
        if swallowed > 1 {
            found.push(format!(
                "{swallowed} payments of front {front} were sent to a dead proxy at {}",
                dead.place
            ));
        }
    }
}

async fn audit_payment(
    world: &World,
    books: &[(ProcessorName, Book)],
    told: Told,
    found: &mut Vec<String>,
) {
    let id = told.payment.id;
    if world.is_lost(id) {
        return;
    }
    let mut holders = books
        .iter()
        .filter_map(|(name, book)| Some((name, book.get(&id)?)));
    let state = world.store.find(id).await.unwrap();
    let Some((name, &(amount, requested_at))) = holders.next() else {
        match state.map(|state| state.status) {
            // Every processor declined it, which is an end as well.
            Some(Status::Rejected { .. }) => {}
            None if !told.kept => {}
            None => found.push(format!("{id} was answered 202 and never charged")),
            Some(Status::Open { processor }) if may_stay(world, id, processor.as_ref()) => {}
            Some(status) => found.push(format!("{id} is nowhere, but we say {status:?}")),
        }
        return;
    };
    if amount != told.payment.amount {
        found.push(format!("{id} was charged {amount}"));
    }
    if holders.next().is_some() {
        // Only a look-up that lags for longer than an absence has to last can hide one.
        let is_shown =
            matches!(&state, Some(ours) if matches!(ours.status, Status::Conflict { .. }));
        // The last look-up of a payment that left goes to the ledger that is known by then.
        let is_excused = is_shown || world.has_replaced();
        let was_late = is_shown && world.weather.is_excused(id);
        if !(was_late || world.hides_for_long() && is_excused) {
            found.push(format!("{id} was charged twice, we say {state:?}"));
        }
        return;
    }
    let theirs = Status::Settled {
        processor: name.clone(),
        requested_at,
    };
    match state {
        Some(ours) if ours.status == theirs && ours.amount == amount => {}
        // Accepted anew while the front slept that had sent it, so that the processor's time is
        // from before that: it is noted that ours is another.
        Some(_) if world.weather.is_excused(id) && is_restamped(world, id).await => {}
        ours => found.push(format!(
            "{id}: they say {theirs:?} {amount}, we say {ours:?}"
        )),
    }
}

async fn is_restamped(world: &World, id: CorrelationId) -> bool {
    let noted = world.store.restamped().await.unwrap();
    noted.iter().any(|noted| noted.restamp.id == id)
}

/// Whether a payment may be open for good: where it is in doubt nobody ever takes it, or nobody
/// takes it anywhere and not all say so.
fn may_stay(world: &World, id: CorrelationId, named: Option<&ProcessorName>) -> bool {
    let mut places = configured().into_iter().enumerate();
    let never_takes = |place| world.present_ledger(place).never_takes(id);
    match named {
        Some(named) => {
            places.any(|(place, configured)| configured.name == *named && never_takes(place))
        }
        None => places.all(|(place, _)| never_takes(place)),
    }
}
