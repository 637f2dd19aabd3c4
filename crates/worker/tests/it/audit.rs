use std::collections::BTreeMap;

use feeway_domain::{ProcessorName, Status, Store, Total, Window};

use crate::front::configured;
use crate::scripted_processor::Book;
use crate::shop::{Shop, Told};
use crate::world::World;

/// Compares what the shop was told, what the processors hold, and what our ledger says.
/// Returns every difference in words.
pub(crate) async fn audit(world: &World, shop: &Shop) -> Vec<String> {
    let names = configured().into_iter().map(|processor| processor.name);
    let books: Vec<(ProcessorName, Book)> = names
        .zip(world.processors.iter().map(|processor| processor.book()))
        .collect();
    let mut found = Vec::new();
    for told in shop.told() {
        audit_payment(world, &books, told, &mut found).await;
    }
    let summary = world.store.summary(Window::default()).await.unwrap();
    for (name, book) in &books {
        let mut theirs = Total::default();
        for (amount, _) in book.values() {
            theirs.add(1, i128::from(amount.cents()));
        }
        let ours = summary.of(name);
        if ours != theirs {
            found.push(format!(
                "{name}: they hold {theirs:?}, our summary says {ours:?}"
            ));
        }
        let posted: BTreeMap<_, _> = shop.told().iter().map(|t| (t.payment.id, ())).collect();
        if book.keys().any(|id| !posted.contains_key(id)) {
            found.push(format!("{name} holds payments that nobody posted"));
        }
    }
    let open = world.store.open();
    if open > 0 {
        found.push(format!("{open} payments are still open"));
    }
    found
}

async fn audit_payment(
    world: &World,
    books: &[(ProcessorName, Book)],
    told: Told,
    found: &mut Vec<String>,
) {
    let id = told.payment.id;
    let mut holders = books
        .iter()
        .filter_map(|(name, book)| Some((name, book.get(&id)?)));
    let state = world.store.find(id).await.unwrap();
    let Some((name, &(amount, requested_at))) = holders.next() else {
        match state.map(|state| state.status) {
            // Every processor answered 400, which is an end as well.
            Some(Status::Rejected) => {}
            None if !told.kept => {}
            None => found.push(format!("{id} was answered 202 and never charged")),
            Some(status) => found.push(format!("{id} is nowhere, but we say {status:?}")),
        }
        return;
    };
    if holders.next().is_some() {
        found.push(format!("{id} was charged twice"));
    }
    if amount != told.payment.amount {
        found.push(format!("{id} was charged {amount}"));
    }
    let theirs = Status::Settled {
        processor: name.clone(),
        requested_at,
    };
    match state {
        Some(ours) if ours.status == theirs && ours.amount == amount => {}
        ours => found.push(format!(
            "{id}: they say {theirs:?} {amount}, we say {ours:?}"
        )),
    }
}
