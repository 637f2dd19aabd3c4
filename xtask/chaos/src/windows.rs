//! Compares summaries: for windows of time, Feeway's with the processors' own.

use anyhow::Result;
use fastrand::Rng;
use jiff::Timestamp;

use super::books::{Book, Feeway, processor_total};
use super::simulators::Simulator;

/// Besides the window of all time.
pub(super) const WINDOWS: usize = 120;

/// Windows reach so far beyond the first and the last payment, in microseconds.
const BEYOND_US: i64 = 2_000_000;

/// Draws windows as query strings: half of their edges are the very instants of payments,
/// the others lie anywhere.
fn draw(books: &[(&str, Book)], seed: u64) -> Vec<String> {
    let mut instants: Vec<i64> = books
        .iter()
        .flat_map(|(_, book)| book.values().map(|held| held.requested_at_us))
        .collect();
    instants.sort_unstable();
    let mut windows = vec![String::new()];
    let (Some(first), Some(last)) = (instants.first(), instants.last()) else {
        return windows;
    };
    let span = first - BEYOND_US..=last + BEYOND_US;
    let mut dice = Rng::with_seed(seed);
    let mut edge = || match dice.bool() {
        true => instants[dice.usize(0..instants.len())],
        false => dice.i64(span.clone()),
    };
    for _ in 0..WINDOWS {
        let (a, b) = (edge(), edge());
        windows.push(query(a.min(b), a.max(b)));
    }
    windows
}

fn query(from_us: i64, to_us: i64) -> String {
    let text = |us| {
        let instant = Timestamp::from_microsecond(us).unwrap_or_default();
        format!("{instant:.6}")
    };
    format!("?from={}&to={}", text(from_us), text(to_us))
}

/// Returns a line for each window and processor on which the books differ.
pub(super) fn compare(
    feeway: &mut Feeway,
    simulators: &[Simulator],
    books: &[(&str, Book)],
    seed: u64,
) -> Result<Vec<String>> {
    let mut differences = Vec::new();
    for window in draw(books, seed) {
        let ours = feeway.summary(&window)?;
        for simulator in simulators {
            let theirs = processor_total(simulator, &window)?;
            let ours = ours.get(simulator.name).copied().unwrap_or_default();
            if ours != theirs {
                differences.push(format!(
                    "summary{window} of {}: Feeway says {} payments of {} cents, the processor {} of {}",
                    simulator.name, ours.count, ours.cents, theirs.count, theirs.cents
                ));
            }
        }
    }
    Ok(differences)
}

#[cfg(test)]
mod tests {
    use super::super::books::Held;
    use super::*;

    #[test]
    fn windows_begin_and_end_at_payments_and_between_them() {
        let held = |us| Held {
            cents: 1,
            requested_at_us: us,
        };
        let book = Book::from([
            ("a".to_owned(), held(10_000_001)),
            ("b".to_owned(), held(70_000_002)),
        ]);
        let windows = draw(&[("default", book)], 1);
        assert_eq!(windows.len(), 1 + WINDOWS);
        let with = |edge: &str| {
            windows
                .iter()
                .filter(|window| window.contains(edge))
                .count()
        };
        assert!(with("from=1970-01-01T00:00:10.000001Z") > 5, "{windows:?}");
        assert!(with("to=1970-01-01T00:01:10.000002Z") > 5, "{windows:?}");
        assert!(
            windows
                .iter()
                .collect::<std::collections::BTreeSet<_>>()
                .len()
                > 80
        );
    }

    #[test]
    fn without_payments_there_is_only_the_window_of_all_time() {
        assert_eq!(draw(&[], 1), [""]);
    }

    #[test]
    fn edges_are_written_to_the_microsecond() {
        assert_eq!(
            query(0, 1_500_000),
            "?from=1970-01-01T00:00:00.000000Z&to=1970-01-01T00:00:01.500000Z"
        );
    }
}
