use feeway_domain::{
    Cursor, Fee, Ledger as _, Line, Listed, Listing, MAX_PAGE, RequestedAt, Settlement, Status,
    Store, Window,
};

use crate::world::{
    World, at, cents, enlist, id, keep, micros, payment, processor, settlement, window,
};

const NOON: &str = "2025-07-15T12:00:00Z";

fn listing(listed: Listed, limit: usize) -> Listing {
    Listing {
        listed,
        window: Window::default(),
        after: None,
        limit,
    }
}

/// Every line, read in pages. Pages may be short, but not for ever.
async fn read_all(store: &impl Store, mut listing: Listing) -> Vec<Line> {
    let mut lines = Vec::new();
    for _ in 0..1_000 {
        let page = store.list(&listing).await.unwrap();
        assert!(page.lines.len() <= listing.limit);
        lines.extend(page.lines);
        let Some(next) = page.next else {
            return lines;
        };
        listing.after = Some(next);
    }
    panic!("a listing without an end");
}

/// What tells a line of the ledger from every other, in the order of the listing.
fn order_of(settlement: &Settlement) -> (i64, [u8; 16], String) {
    let id = *settlement.payment.id.as_bytes();
    let processor = settlement.processor.to_string();
    (settlement.requested_at.micros(), id, processor)
}

fn order(line: &Line) -> (i64, [u8; 16], String) {
    let processor = line.state.status.processor().unwrap().to_string();
    (line.at.micros(), *line.state.id.as_bytes(), processor)
}

/// Some in one microsecond, some hours and a quarter apart, some held by two processors.
async fn settle_many(store: &impl Store) -> Vec<Settlement> {
    let mut settled = Vec::new();
    let start = at("2025-06-30T22:30:00Z").micros();
    for number in 0..600_i64 {
        let instant = start + number / 3 * 61_000_000 + number % 2;
        let name = ["default", "fallback", "third"][usize::try_from(number % 3).unwrap()];
        let mut done = settlement(number.try_into().unwrap(), name, micros(instant));
        done.payment.amount = cents(number + 1);
        store.settle(&done).await.unwrap();
        settled.push(done.clone());
        if number % 100 == 0 {
            done.processor = processor("fourth");
            done.fee = Fee::from_millionths(150_000).unwrap();
            done.requested_at = micros(instant + number * 1_000_000);
            store.settle(&done).await.unwrap();
            settled.push(done);
        }
    }
    settled.sort_by_key(order_of);
    settled
}

pub(crate) async fn the_ledger_is_listed_line_by_line_in_order(world: &impl World) {
    let store = world.store();
    let settled = settle_many(store).await;
    let expected: Vec<_> = settled.iter().map(order_of).collect();
    for limit in [7, 300, MAX_PAGE] {
        let lines = read_all(store, listing(Listed::Settled, limit)).await;
        assert_eq!(lines.iter().map(order).collect::<Vec<_>>(), expected);
        for (line, settlement) in lines.iter().zip(&settled) {
            assert_eq!(line.state.amount, settlement.payment.amount);
            assert_eq!(line.fee, Some(settlement.fee));
            let status = Status::Settled {
                processor: settlement.processor.clone(),
                requested_at: settlement.requested_at,
            };
            assert_eq!(line.state.status, status);
        }
    }
}

pub(crate) async fn a_window_and_a_cursor_cut_the_listing_exactly(world: &impl World) {
    let store = world.store();
    let settled = settle_many(store).await;
    let instants: Vec<i64> = settled.iter().map(|s| s.requested_at.micros()).collect();
    for (from, to) in [(0, 600), (13, 13), (100, 104), (599, 605), (50, 350)] {
        for (before, behind) in [(0, 0), (1, 0), (0, 1), (-1, -1)] {
            let (from, to) = (instants[from] - before, instants[to] + behind);
            let mut asked = listing(Listed::Settled, 100);
            asked.window = window(micros(from.min(to)), micros(to));
            let inside = settled
                .iter()
                .filter(|s| asked.window.contains(s.requested_at));
            let lines = read_all(store, asked.clone()).await;
            let found: Vec<_> = lines.iter().map(order).collect();
            assert_eq!(found, inside.map(order_of).collect::<Vec<_>>());
        }
    }
    // A cursor from outside of the window changes nothing before it and ends all behind it.
    let mut asked = listing(Listed::Settled, MAX_PAGE);
    asked.window = window(micros(instants[300]), micros(instants[400]));
    let all = read_all(store, asked.clone()).await.len();
    asked.after = Some(read_all(store, listing(Listed::Settled, 10)).await[5].cursor());
    assert_eq!(read_all(store, asked.clone()).await.len(), all);
    asked.after = Some(read_all(store, listing(Listed::Settled, 10)).await[500].cursor());
    assert_eq!(read_all(store, asked).await, []);
}

pub(crate) async fn a_cursor_stays_while_payments_come(world: &impl World) {
    let store = world.store();
    let noon = at(NOON).micros();
    for number in 0..10 {
        let done = settlement(number, "default", micros(noon));
        store.settle(&done).await.unwrap();
    }
    let first = store.list(&listing(Listed::Settled, 5)).await.unwrap();
    for number in 10..200 {
        let done = settlement(number, "default", micros(noon));
        store.settle(&done).await.unwrap();
    }
    let mut rest = listing(Listed::Settled, 50);
    rest.after = first.next;
    let lines = read_all(store, rest).await;
    let last = first.lines.last().map(order);
    assert!(lines.iter().all(|line| Some(order(line)) > last));
    for number in 0..10 {
        let known = first.lines.iter().chain(&lines);
        assert_eq!(known.filter(|line| line.state.id == id(number)).count(), 1);
    }
}

pub(crate) async fn a_cursor_of_nothing_that_is_there_is_a_place_too(world: &impl World) {
    let store = world.store();
    let noon = at(NOON).micros();
    for number in 0..3 {
        let instant = micros(noon + i64::try_from(number).unwrap());
        store
            .settle(&settlement(number, "default", instant))
            .await
            .unwrap();
    }
    let mut asked = listing(Listed::Settled, 10);
    let lines = read_all(store, asked.clone()).await;
    asked.after = Some(Cursor {
        id: id(99),
        ..lines[0].cursor()
    });
    assert_eq!(read_all(store, asked).await, lines[1..]);
}

pub(crate) async fn open_payments_of_all_owners_are_listed_by_acceptance(world: &impl World) {
    let store = world.store();
    let holds = [
        enlist(store, "front-1.a").await,
        enlist(store, "front-2.b").await,
    ];
    for number in 0..40_usize {
        let named = [None, Some("default"), Some("fallback")][number % 3];
        let hold = &holds[number % 2];
        keep(store, hold, u64::try_from(number).unwrap(), named).await;
    }
    for (listed, expected) in [(Listed::Open, 40), (Listed::Pinned, 26)] {
        let one_page = read_all(store, listing(listed, MAX_PAGE)).await;
        assert_eq!(one_page.len(), expected);
        let places = one_page.iter().map(|line| (line.at, line.state.id));
        assert!(places.is_sorted());
        assert_eq!(read_all(store, listing(listed, 3)).await, one_page);
        let pinned = one_page
            .iter()
            .filter(|l| l.state.status.processor().is_some());
        assert_eq!(pinned.count(), 26);
        let later = Listing {
            window: Window::new(micros_of(&one_page[10]), micros_of(&one_page[20])).unwrap(),
            ..listing(listed, 4)
        };
        let inside = one_page
            .iter()
            .filter(|line| (one_page[10].at..=one_page[20].at).contains(&line.at));
        let expected: Vec<_> = inside.cloned().collect();
        assert_eq!(read_all(store, later).await, expected);
    }
    let mut asked = listing(Listed::Open, 10);
    let page = store.list(&asked).await.unwrap();
    // The payment at the cursor may end meanwhile.
    let last = page.lines[9].state.id;
    for number in (0..40).filter(|&number| id(number) == last) {
        store
            .settle(&settlement(number, "default", at(NOON)))
            .await
            .unwrap();
    }
    asked.after = page.next;
    assert_eq!(read_all(store, asked).await.len(), 30);
}

fn micros_of(line: &Line) -> Option<RequestedAt> {
    RequestedAt::from_micros(line.at.micros())
}

pub(crate) async fn rejected_payments_are_listed_with_the_reason(world: &impl World) {
    let store = world.store();
    let hold = enlist(store, "front-1.a").await;
    for number in 0..5 {
        keep(store, &hold, number, Some("default")).await;
        let why = format!("no|{number}");
        store.reject(&hold, &payment(number), &why).await.unwrap();
    }
    keep(store, &hold, 9, None).await;
    let lines = read_all(store, listing(Listed::Rejected, 2)).await;
    assert_eq!(lines.len(), 5);
    assert!(lines.is_sorted_by_key(|line| (line.at, line.state.id)));
    for line in &lines {
        let number = (0..5).find(|&number| id(number) == line.state.id).unwrap();
        let reason = format!("no|{number}");
        assert_eq!(line.state.status, Status::Rejected { reason });
        assert_eq!(line.state.amount, cents(1_990));
    }
    assert_eq!(read_all(store, listing(Listed::Settled, 9)).await, []);
}

pub(crate) async fn a_conflict_is_listed_once_for_each_holder(world: &impl World) {
    let store = world.store();
    assert_eq!(read_all(store, listing(Listed::Conflict, 1)).await, []);
    store
        .settle(&settlement(1, "default", at(NOON)))
        .await
        .unwrap();
    for (name, second) in [("fallback", 7), ("third", 3)] {
        let mut done = settlement(2, name, micros(at(NOON).micros() + second));
        done.fee = Fee::from_millionths(u32::try_from(second).unwrap()).unwrap();
        store.settle(&done).await.unwrap();
        store.settle(&done).await.unwrap();
    }
    let lines = read_all(store, listing(Listed::Conflict, 1)).await;
    let found = lines.iter().map(|line| {
        let name = line.state.status.processor().unwrap().as_str();
        assert!(matches!(line.state.status, Status::Conflict { .. }));
        (line.state.id, name, line.fee.unwrap().millionths())
    });
    let expected = [(id(2), "third", 3), (id(2), "fallback", 7)];
    assert_eq!(found.collect::<Vec<_>>(), expected);
    assert_eq!(read_all(store, listing(Listed::Settled, 9)).await.len(), 3);
    store.purge().await.unwrap();
    for listed in [Listed::Conflict, Listed::Settled, Listed::Rejected] {
        assert_eq!(read_all(store, listing(listed, 9)).await, []);
    }
}
