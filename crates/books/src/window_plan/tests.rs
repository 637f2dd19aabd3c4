use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const HOUR: i64 = HOUR_SECONDS * SECOND_MICROS;
const DAY: i64 = DAY_MICROS;

/// The roll-ups and the ledger of some payments of one cent, as Redis has them.
#[derive(Default)]
struct Books {
    sums: HashMap<(Unit, i64, i64), u64>,
    ledger: Vec<i64>,
}

impl Books {
    fn of(instants: &[i64]) -> Self {
        let mut books = Self::default();
        for &micros in instants {
            let place = Place::of(RequestedAt::from_micros(micros).unwrap());
            for unit in [Unit::Second, Unit::Hour, Unit::Day] {
                let (period, number) = place.slot(unit);
                *books.sums.entry((unit, period, number)).or_default() += 1;
            }
            books.ledger.push(micros);
        }
        books
    }

    fn sum(&self, slice: &Slice) -> u64 {
        self.sums
            .iter()
            .filter(|((unit, period, number), _)| {
                *unit == slice.unit && *period == slice.period && slice.numbers.contains(number)
            })
            .map(|(_, count)| count)
            .sum()
    }

    fn count(&self, window: Window) -> u64 {
        let plan = Plan::of(window);
        assert!(plan.edges.len() <= 2 && plan.slices.len() <= 4, "{plan:?}");
        let listed = |counts| {
            let edges = plan.edges.iter().filter(move |edge| edge.counts == counts);
            let listed = edges.map(|edge| {
                assert_eq!(edge.hour(), hour_of(edge.last));
                let length = edge.last + 1 - edge.first;
                assert!(
                    length <= SECOND_MICROS / 2 || !plan.has_seconds() && length < SECOND_MICROS
                );
                let inside = |&&micros: &&i64| edge.first <= micros && micros <= edge.last;
                self.ledger.iter().filter(inside).count()
            });
            u64::try_from(listed.sum::<usize>()).unwrap()
        };
        let mut quarters: Vec<i64> = self
            .sums
            .keys()
            .filter(|(unit, ..)| *unit == Unit::Day)
            .map(|(_, quarter, _)| *quarter)
            .collect();
        quarters.sort_unstable();
        quarters.dedup();
        let days = quarters
            .into_iter()
            .filter_map(|quarter| plan.days_of(quarter));
        let summed: u64 = plan
            .slices
            .iter()
            .cloned()
            .chain(days)
            .map(|slice| self.sum(&slice))
            .sum();
        summed + listed(Counts::In) - listed(Counts::Out)
    }
}

impl Plan {
    fn has_seconds(&self) -> bool {
        !self.slices.is_empty() || !self.days.is_empty()
    }
}

fn window(from: Option<i64>, to: Option<i64>) -> Window {
    let instant = |micros| RequestedAt::from_micros(micros).unwrap();
    Window::new(from.map(instant), to.map(instant)).unwrap()
}

fn check(instants: &[i64], from: Option<i64>, to: Option<i64>) {
    let expected = instants
        .iter()
        .filter(|&&at| from.is_none_or(|from| from <= at) && to.is_none_or(|to| at <= to))
        .count();
    assert_eq!(
        Books::of(instants).count(window(from, to)),
        u64::try_from(expected).unwrap(),
        "{from:?} to {to:?} of {instants:?}"
    );
}

#[test]
fn whole_seconds_need_no_single_payment() {
    let plan = Plan::of(window(Some(0), Some(90 * SECOND_MICROS - 1)));
    assert_eq!(plan.edges, []);
    assert_eq!(plan.slices.len(), 1);
    assert!(plan.days.is_empty());
}

#[test]
fn ends_past_the_middle_of_a_second_count_it_whole_and_take_the_rest_away() {
    let plan = Plan::of(window(Some(1_300_000), Some(4_799_999)));
    assert_eq!(plan.slices.len(), 1);
    assert_eq!(plan.slices[0].numbers, 1..5);
    let edge = |first, last| Edge {
        first,
        last,
        counts: Counts::Out,
    };
    assert_eq!(
        plan.edges,
        [edge(1_000_000, 1_299_999), edge(4_800_000, 4_999_999)]
    );
}

#[test]
fn an_open_window_is_whole_days() {
    let plan = Plan::of(Window::default());
    assert_eq!((plan.edges.len(), plan.slices.len()), (0, 0));
    assert_eq!(plan.days.start, 0);
}

#[test]
fn a_window_of_one_microsecond_finds_its_payment() {
    let at = 1_752_582_896_123_456;
    check(&[at - 1, at, at + 1], Some(at), Some(at));
    check(&[at], Some(at + 1), Some(at + 1));
}

/// Instants that matter: the ends of seconds, minutes, hours, days, quarters, years and
/// leap days, and what lies next to them.
fn instant() -> impl Strategy<Value = i64> {
    let anchors = [
        "1970-01-01T00:00:00Z",
        "1999-12-31T23:59:59.999999Z",
        "2000-03-01T00:00:00Z",
        "2024-02-29T00:00:00Z",
        "2024-03-01T00:00:00Z",
        "2025-04-01T00:00:00Z",
        "2025-07-15T12:34:56Z",
        "2025-10-01T00:00:00Z",
        "2026-01-01T00:00:00Z",
        "9999-12-30T21:59:59.999999Z",
    ];
    let anchor = prop::sample::select(anchors.to_vec())
        .prop_map(|text| text.parse::<RequestedAt>().unwrap().micros());
    let step = prop::sample::select(vec![0, 1, SECOND_MICROS, 60 * SECOND_MICROS, HOUR, DAY]);
    let near = -3..=3_i64;
    let anywhere = -2 * DAY..=2 * DAY;
    (
        anchor,
        step,
        near,
        prop_oneof![Just(0), -2..=2_i64, anywhere],
    )
        .prop_map(|(anchor, step, times, offset)| {
            (anchor + step * times + offset)
                .clamp(RequestedAt::MIN.micros(), RequestedAt::MAX.micros())
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_parts_of_a_window_add_up_to_it(
        instants in prop::collection::vec(instant(), 0..40),
        ends in (instant(), instant()),
        open in (prop::bool::weighted(0.1), prop::bool::weighted(0.1)),
    ) {
        let (from, to) = (ends.0.min(ends.1), ends.0.max(ends.1));
        check(&instants, (!open.0).then_some(from), (!open.1).then_some(to));
    }

    #[test]
    fn ends_on_and_next_to_a_payment_are_exact(
        instants in prop::collection::vec(instant(), 1..20),
        picks in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        nudges in (-1..=1_i64, -1..=1_i64),
    ) {
        let end = |pick: prop::sample::Index, nudge: i64| {
            (pick.get(&instants) + nudge).clamp(0, RequestedAt::MAX.micros())
        };
        let (one, other) = (end(picks.0, nudges.0), end(picks.1, nudges.1));
        check(&instants, Some(one.min(other)), Some(one.max(other)));
    }
}
