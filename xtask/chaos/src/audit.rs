//! Compares what clients were told with the processors' books, and those with Feeway's.

use std::collections::{BTreeMap, BTreeSet};

use super::books::{Book, Held, Station};

/// A payment that was posted, and whether its client ever saw a 202.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Posted {
    pub(super) id: String,
    pub(super) cents: i64,
    pub(super) accepted: bool,
}

/// What does not fit, each with the id and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Audit {
    /// Payments that exactly one processor holds.
    pub(super) settled: u64,
    /// Accepted, in no processor's book, and not open any more.
    pub(super) lost: Vec<String>,
    /// In the books of more than one processor.
    pub(super) twice: Vec<String>,
    /// Feeway's ledger and the processors' books differ, or they from what was posted.
    pub(super) mismatched: Vec<String>,
    /// Still open.
    pub(super) open: Vec<String>,
}

/// Judges every payment. `books` are by processor; `stations` must know every posted id.
pub(super) fn audit(
    posted: &[Posted],
    books: &[(&str, Book)],
    stations: &BTreeMap<String, Station>,
) -> Audit {
    let mut audit = Audit::default();
    for payment in posted {
        let holders: Vec<(&str, Held)> = books
            .iter()
            .filter_map(|(name, book)| Some((*name, *book.get(&payment.id)?)))
            .collect();
        let station = stations.get(&payment.id).unwrap_or(&Station::Unknown);
        audit.judge(payment, &holders, station);
    }
    let known: BTreeSet<&str> = posted.iter().map(|payment| &*payment.id).collect();
    for (name, book) in books {
        for id in book.keys().filter(|id| !known.contains(&***id)) {
            let what = format!("{id}: {name} holds it, but nobody posted it");
            audit.mismatched.push(what);
        }
    }
    audit
}

impl Audit {
    fn judge(&mut self, payment: &Posted, holders: &[(&str, Held)], station: &Station) {
        let id = &payment.id;
        match holders {
            [] => match station {
                Station::Open => self.open.push(format!("{id}: no processor holds it")),
                _ if payment.accepted => {
                    self.lost
                        .push(format!("{id}: Feeway says {}", describe(station)));
                }
                // The client was told to send again and did not: nothing is promised.
                Station::Unknown => {}
                Station::Settled { .. } | Station::Other(_) => self.mismatched.push(format!(
                    "{id}: no processor holds it, but Feeway says {}",
                    describe(station)
                )),
            },
            [(name, held)] => {
                self.settled += 1;
                if let Some(what) = difference(payment, name, *held, station) {
                    if *station == Station::Open {
                        self.open.push(format!("{id}: {what}"));
                    } else {
                        self.mismatched.push(format!("{id}: {what}"));
                    }
                }
            }
            several => {
                let names: Vec<String> = several.iter().map(|(n, h)| at(n, *h)).collect();
                self.twice.push(format!(
                    "{id}: {}; Feeway says {}",
                    names.join(" and "),
                    describe(station)
                ));
            }
        }
    }

    /// Whether nothing is wrong.
    pub(super) fn is_clean(&self) -> bool {
        let Self {
            settled: _,
            lost,
            twice,
            mismatched,
            open,
        } = self;
        [lost, twice, mismatched, open]
            .iter()
            .all(|findings| findings.is_empty())
    }
}

/// What is wrong with a payment that one processor holds.
fn difference(payment: &Posted, name: &str, held: Held, station: &Station) -> Option<String> {
    if held.cents != payment.cents {
        return Some(format!(
            "posted with {} cents, held {}",
            payment.cents,
            at(name, held)
        ));
    }
    match station {
        Station::Settled {
            processor,
            held: ours,
        } if processor == name && *ours == held => None,
        Station::Settled { .. } | Station::Unknown | Station::Open | Station::Other(_) => Some(
            format!("held {}, Feeway says {}", at(name, held), describe(station)),
        ),
    }
}

fn describe(station: &Station) -> String {
    match station {
        Station::Unknown => "nothing".to_owned(),
        Station::Open => "open".to_owned(),
        Station::Settled { processor, held } => format!("settled {}", at(processor, *held)),
        Station::Other(status) => status.clone(),
    }
}

fn at(processor: &str, held: Held) -> String {
    let when = jiff::Timestamp::from_microsecond(held.requested_at_us).unwrap_or_default();
    format!("by {processor} at {when:.6} with {} cents", held.cents)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: Held = Held {
        cents: 1990,
        requested_at_us: 7,
    };

    fn settled(processor: &str, held: Held) -> Station {
        Station::Settled {
            processor: processor.to_owned(),
            held,
        }
    }

    /// Audits one payment of 1990 cents: lost, twice, mismatched, open, settled.
    fn check(
        accepted: bool,
        held: [Option<Held>; 2],
        station: Station,
        expected: (usize, usize, usize, usize, u64),
    ) {
        let posted = Posted {
            id: "a".to_owned(),
            cents: 1990,
            accepted,
        };
        let books = ["default", "fallback"].into_iter().zip(held);
        let books: Vec<(&str, Book)> = books
            .map(|(name, held)| (name, held.map(|held| ("a".to_owned(), held))))
            .map(|(name, held)| (name, held.into_iter().collect()))
            .collect();
        let stations = BTreeMap::from([("a".to_owned(), station.clone())]);
        let audit = audit(&[posted], &books, &stations);
        let found = (
            audit.lost.len(),
            audit.twice.len(),
            audit.mismatched.len(),
            audit.open.len(),
            audit.settled,
        );
        assert_eq!(found, expected, "{held:?} {station:?}");
        let (lost, twice, mismatched, open, _) = expected;
        assert_eq!(audit.is_clean(), lost + twice + mismatched + open == 0);
    }

    #[test]
    fn a_payment_that_every_book_agrees_on_is_fine_accepted_or_not() {
        for accepted in [true, false] {
            let station = settled("default", HELD);
            check(accepted, [Some(HELD), None], station, (0, 0, 0, 0, 1));
        }
        check(false, [None, None], Station::Unknown, (0, 0, 0, 0, 0));
    }

    #[test]
    fn an_accepted_payment_that_nobody_holds_is_lost() {
        check(true, [None, None], Station::Unknown, (1, 0, 0, 0, 0));
        check(
            true,
            [None, None],
            settled("default", HELD),
            (1, 0, 0, 0, 0),
        );
        let rejected = Station::Other("rejected".to_owned());
        check(true, [None, None], rejected, (1, 0, 0, 0, 0));
    }

    #[test]
    fn a_payment_in_both_books_is_there_twice() {
        let station = settled("default", HELD);
        check(true, [Some(HELD), Some(HELD)], station, (0, 1, 0, 0, 0));
    }

    #[test]
    fn every_difference_between_the_books_is_a_mismatch() {
        let later = Held {
            requested_at_us: 8,
            ..HELD
        };
        let dearer = Held {
            cents: 1991,
            ..HELD
        };
        for station in [
            settled("fallback", HELD),
            settled("default", later),
            settled("default", dearer),
            Station::Unknown,
            Station::Other("conflict".to_owned()),
        ] {
            check(true, [Some(HELD), None], station, (0, 0, 1, 0, 1));
        }
        let station = settled("default", dearer);
        check(true, [Some(dearer), None], station, (0, 0, 1, 0, 1));
        let station = settled("default", HELD);
        check(false, [None, None], station, (0, 0, 1, 0, 0));
    }

    #[test]
    fn what_is_open_is_neither_lost_nor_fine() {
        check(true, [None, None], Station::Open, (0, 0, 0, 1, 0));
        check(false, [None, None], Station::Open, (0, 0, 0, 1, 0));
        check(true, [Some(HELD), None], Station::Open, (0, 0, 0, 1, 1));
    }

    #[test]
    fn a_payment_that_nobody_posted_is_found() {
        let book = Book::from([("b".to_owned(), HELD)]);
        let audit = audit(&[], &[("default", book)], &BTreeMap::new());
        assert_eq!(audit.mismatched.len(), 1);
    }
}
