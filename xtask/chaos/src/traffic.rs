//! What clients send, as a function of the seed alone: which payments, and which again.

use fastrand::Rng;

/// One in so many tickets sends an earlier payment again; as many send theirs over two
/// connections at the same moment. Together that is a tenth.
const ONE_IN: u64 = 20;

/// How far back a payment may be sent again: ten seconds at 300/s.
const LATEST: u64 = 3_000;

/// Amounts are from one cent to this.
const MAX_CENTS: i64 = 20_000;

/// What a ticket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ticket {
    /// A payment of its own number.
    New,
    /// The same, posted twice at once.
    Twin,
    /// An earlier payment once more.
    Again(u64),
}

/// A payment as a client knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Payment {
    pub(super) id: String,
    pub(super) cents: i64,
}

/// All payments of a run, by number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traffic {
    pub(super) seed: u64,
}

impl Traffic {
    /// What the ticket of this number is for.
    pub(super) fn ticket(self, number: u64) -> Ticket {
        let mut dice = self.dice(number);
        match dice.u64(0..ONE_IN) {
            0 if number > 0 => {
                let back = 1 + dice.u64(0..number.min(LATEST));
                Ticket::Again(number - back)
            }
            1 => Ticket::Twin,
            _ => Ticket::New,
        }
    }

    /// The payment of this number, whichever ticket sends it. Its id ends with the number.
    pub(super) fn payment(self, number: u64) -> Payment {
        let mut dice = self.dice(!number);
        let id = format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{number:012x}",
            dice.u32(..),
            dice.u16(..),
            dice.u16(..0x1000),
            dice.u16(..0x1000),
        );
        Payment {
            id,
            cents: dice.i64(1..=MAX_CENTS),
        }
    }

    fn dice(self, number: u64) -> Rng {
        // Neighbouring seeds must not give neighbouring dice.
        let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Rng::with_seed(Rng::with_seed(self.seed).u64(..) ^ spread)
    }
}

impl Payment {
    /// The number that an id of ours ends with.
    pub(super) fn number(id: &str) -> Option<u64> {
        let (_, number) = id.rsplit_once('-')?;
        u64::from_str_radix(number, 16).ok()
    }

    /// The body of a `POST /payments`.
    pub(super) fn body(&self) -> String {
        let (whole, rest) = (self.cents / 100, self.cents % 100);
        format!(
            "{{\"correlationId\":\"{}\",\"amount\":{whole}.{rest:02}}}",
            self.id
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn about_a_tenth_is_sent_twice() {
        let traffic = Traffic { seed: 7 };
        let tickets: Vec<Ticket> = (0..10_000).map(|number| traffic.ticket(number)).collect();
        let count = |wanted: fn(&Ticket) -> bool| tickets.iter().filter(|t| wanted(t)).count();
        let (again, twins) = (
            count(|ticket| matches!(ticket, Ticket::Again(_))),
            count(|ticket| *ticket == Ticket::Twin),
        );
        assert!((400..600).contains(&again), "{again}");
        assert!((400..600).contains(&twins), "{twins}");
        for (number, ticket) in (0..).zip(&tickets) {
            if let Ticket::Again(earlier) = ticket {
                assert!(*earlier < number);
            }
        }
    }

    #[test]
    fn ids_are_uuids_of_their_own_and_the_same_for_the_same_seed() {
        let traffic = Traffic { seed: 7 };
        let ids: BTreeSet<String> = (0..1000).map(|n| traffic.payment(n).id).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.len() == 36));
        assert_eq!(Payment::number(&traffic.payment(0xabc).id), Some(0xabc));
        assert_eq!(traffic.payment(5), Traffic { seed: 7 }.payment(5));
        assert_ne!(traffic.payment(5), Traffic { seed: 8 }.payment(5));
    }

    #[test]
    fn amounts_are_written_with_two_decimals() {
        let payment = Payment {
            id: "x".to_owned(),
            cents: 1905,
        };
        assert_eq!(payment.body(), r#"{"correlationId":"x","amount":19.05}"#);
    }
}
