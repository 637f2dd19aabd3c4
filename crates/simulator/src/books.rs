use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;
use std::time::Duration;

use feeway_domain::{CorrelationId, Money, RequestedAt, Total, Window};
use tokio::time::Instant;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// The payments this processor holds: about 80 bytes each, and no step whose cost jumps
/// with their number (a hash table's growth would stall every connection).
#[derive(Default)]
pub(crate) struct Books {
    /// Each with the moment at which it was stored.
    payments: BTreeMap<CorrelationId, (Held, Instant)>,
    seconds: BTreeMap<i64, Second>,
}

/// One payment in the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) amount: Money,
    pub(crate) requested_at: RequestedAt,
}

/// The payments of one second: their total for windows that cover it, each of them for
/// windows that cut it.
#[derive(Default)]
struct Second {
    total: Total,
    marks: Vec<Mark>,
}

/// A payment's microsecond within its second (20 bits) above its cents (40 bits).
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mark(u64);

/// 2^40 cents are more than [`Money::MAX`].
const CENTS_BITS: u32 = 40;
const _: () = assert!(Money::MAX.cents() < 1 << CENTS_BITS);

impl Mark {
    fn new(micro: i64, amount: Money) -> Self {
        Self(micro.unsigned_abs() << CENTS_BITS | amount.cents().unsigned_abs())
    }

    fn micro(self) -> i64 {
        (self.0 >> CENTS_BITS).cast_signed()
    }

    fn cents(self) -> i128 {
        i128::from(self.0 & ((1 << CENTS_BITS) - 1))
    }
}

impl Books {
    /// Stores a payment; false when its id is here already, and then nothing happens.
    pub(crate) fn insert(&mut self, id: CorrelationId, held: Held) -> bool {
        let Entry::Vacant(place) = self.payments.entry(id) else {
            return false;
        };
        place.insert((held, Instant::now()));
        let micros = held.requested_at.micros();
        let second = self.seconds.entry(micros / MICROS_PER_SECOND).or_default();
        second.total.add(1, i128::from(held.amount.cents()));
        second
            .marks
            .push(Mark::new(micros % MICROS_PER_SECOND, held.amount));
        true
    }

    /// Takes a payment out of the books, if it is there.
    pub(crate) fn remove(&mut self, id: CorrelationId) {
        let Some((held, _)) = self.payments.remove(&id) else {
            return;
        };
        let micros = held.requested_at.micros();
        let Some(second) = self.seconds.get_mut(&(micros / MICROS_PER_SECOND)) else {
            return;
        };
        let mark = Mark::new(micros % MICROS_PER_SECOND, held.amount);
        if let Some(place) = second.marks.iter().position(|other| *other == mark) {
            second.marks.swap_remove(place);
            let cents = i128::from(held.amount.cents());
            let counted = second.total.take_away(1, cents);
            debug_assert!(counted.is_some(), "each mark is in the total");
        }
    }

    pub(crate) fn find(&self, id: CorrelationId) -> Option<Held> {
        self.payments.get(&id).map(|(held, _)| *held)
    }

    /// A payment that was stored at least so long ago.
    pub(crate) fn find_older(&self, id: CorrelationId, age: Duration) -> Option<Held> {
        let (held, stored) = self.payments.get(&id)?;
        (stored.elapsed() >= age).then_some(*held)
    }

    /// What lies in a window, both ends inclusive. It reads single payments only in the
    /// two seconds that the window cuts.
    pub(crate) fn total(&self, window: Window) -> Total {
        let from = window.from().unwrap_or(RequestedAt::MIN).micros();
        let to = window.to().unwrap_or(RequestedAt::MAX).micros();
        let seconds = from / MICROS_PER_SECOND..=to / MICROS_PER_SECOND;
        let mut total = Total::default();
        for (second, payments) in self.seconds.range(seconds) {
            let start = second * MICROS_PER_SECOND;
            let last = start + MICROS_PER_SECOND - 1;
            if from <= start && last <= to {
                total.add(payments.total.count, payments.total.cents);
                continue;
            }
            for mark in &payments.marks {
                if (from..=to).contains(&(start + mark.micro())) {
                    total.add(1, mark.cents());
                }
            }
        }
        total
    }

    /// Up to `limit` payments in the order of their ids, after `after`.
    pub(crate) fn page(
        &self,
        after: Option<CorrelationId>,
        limit: usize,
    ) -> impl Iterator<Item = (CorrelationId, Held)> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.payments
            .range((start, Bound::Unbounded))
            .take(limit)
            .map(|(id, (held, _))| (*id, *held))
    }

    pub(crate) fn len(&self) -> usize {
        self.payments.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(number: u64) -> CorrelationId {
        CorrelationId::from_bytes(u128::from(number).to_be_bytes())
    }

    fn held(micros: i64, cents: i64) -> Held {
        Held {
            amount: Money::from_cents(cents).unwrap(),
            requested_at: RequestedAt::from_micros(micros).unwrap(),
        }
    }

    fn window(from: i64, to: i64) -> Window {
        Window::new(RequestedAt::from_micros(from), RequestedAt::from_micros(to)).unwrap()
    }

    #[test]
    fn an_id_is_stored_once_and_the_first_one_stays() {
        let mut books = Books::default();
        assert!(books.insert(id(1), held(5, 100)));
        assert!(!books.insert(id(1), held(6, 200)));
        assert_eq!(books.find(id(1)), Some(held(5, 100)));
        assert_eq!(books.find(id(2)), None);
        assert_eq!(
            books.total(Window::default()),
            Total {
                count: 1,
                cents: 100
            }
        );
    }

    #[test]
    fn what_is_taken_out_counts_no_longer() {
        let mut books = Books::default();
        books.insert(id(1), held(5, 100));
        books.insert(id(2), held(5, 100));
        books.remove(id(1));
        books.remove(id(1));
        assert_eq!(books.find(id(1)), None);
        let left = Total {
            count: 1,
            cents: 100,
        };
        for window in [Window::default(), window(5, 5)] {
            assert_eq!(books.total(window), left);
        }
        assert!(books.insert(id(1), held(7, 200)));
    }

    #[test]
    fn both_ends_of_a_window_are_inclusive() {
        let mut books = Books::default();
        for (number, micros) in [1_999_999, 2_000_000, 2_000_001, 2_999_999, 3_000_000]
            .into_iter()
            .enumerate()
        {
            books.insert(id(number as u64), held(micros, Money::MAX.cents()));
        }
        for (from, to, count) in [
            (2_000_000, 2_999_999, 3),
            (2_000_001, 2_999_999, 2),
            (2_000_000, 2_999_998, 2),
            (1_999_999, 3_000_000, 5),
            (2_000_001, 2_000_001, 1),
            (2_000_002, 2_999_998, 0),
            (0, 1_999_998, 0),
        ] {
            let total = books.total(window(from, to));
            assert_eq!(total.count, count, "{from}..={to}");
            assert_eq!(
                total.cents,
                i128::from(count) * i128::from(Money::MAX.cents())
            );
        }
    }

    #[test]
    fn pages_go_through_every_payment_once() {
        let mut books = Books::default();
        for number in 0..10 {
            books.insert(id(number), held(0, 1));
        }
        let mut seen = Vec::new();
        while let page = books
            .page(seen.last().copied(), 3)
            .map(|(id, _)| id)
            .collect::<Vec<_>>()
            && !page.is_empty()
        {
            seen.extend(page);
        }
        assert_eq!(seen, (0..10).map(id).collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn a_window_holds_what_a_full_scan_finds(
            payments in prop::collection::vec((0_i64..4_000_000, 0_i64..1_000), 0..60),
            edges in (0_i64..4_000_000, 0_i64..4_000_000),
        ) {
            let mut books = Books::default();
            for (number, (micros, cents)) in payments.iter().enumerate() {
                books.insert(id(number as u64), held(*micros, *cents));
            }
            let window = window(edges.0.min(edges.1), edges.0.max(edges.1));
            let mut expected = Total::default();
            for (micros, cents) in payments {
                if window.contains(RequestedAt::from_micros(micros).unwrap()) {
                    expected.add(1, i128::from(cents));
                }
            }
            prop_assert_eq!(books.total(window), expected);
        }
    }
}
