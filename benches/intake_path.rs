//! The part of an intake that is our own code, with the product's own functions.

use std::hint::black_box;

use feeway_domain::{Hold, Incarnation, Payment, ProcessorName};
use feeway_front::{PaymentParser, accepted};
use feeway_redis_layout::command::accept_all;

/// A body as the contest sends it.
const BODY: &[u8] = br#"{"correlationId":"4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3","amount":19.90}"#;

/// What a front keeps from one request to the next.
pub struct Intake {
    parser: PaymentParser,
    hold: Hold,
    processor: ProcessorName,
}

impl Intake {
    /// One of a front that sends to a processor called `default`.
    ///
    /// # Panics
    /// Never.
    pub fn new() -> Self {
        let front = Incarnation::new("front-1.9f86d081");
        Self {
            parser: PaymentParser::default(),
            hold: Hold {
                owner: front.clone(),
                holder: front,
                epoch: 1,
            },
            processor: "default".parse().expect("a plain name"),
        }
    }

    /// A body becomes a payment: JSON, id, amount, limits.
    ///
    /// # Panics
    /// When the parser refuses a good body.
    pub fn parse(&mut self) -> Payment {
        self.parser.parse(black_box(BODY)).expect("a payment")
    }

    /// The journal's command, word by word as it is handed to the connection.
    pub fn encode(&self, payment: &Payment) {
        let one = [(payment, Some(&self.processor))].into_iter();
        black_box(accept_all(&self.hold, one, u64::MAX));
    }

    /// All three steps of one request.
    pub fn whole(&mut self) {
        let payment = self.parse();
        self.encode(&payment);
        answer();
    }
}

impl Default for Intake {
    fn default() -> Self {
        Self::new()
    }
}

/// The 202.
pub fn answer() {
    black_box(accepted());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_costs_two_allocations_and_parsing_and_answering_none() {
        let mut intake = Intake::new();
        let first = intake.parse();
        let none = allocation_counter::measure(|| {
            for _ in 0..1_000 {
                assert_eq!(intake.parse(), first);
                answer();
            }
        });
        assert_eq!(none.count_total, 0);
        let all = allocation_counter::measure(|| (0..1_000).for_each(|_| intake.whole()));
        assert_eq!(all.count_total, 2_000);
    }
}
