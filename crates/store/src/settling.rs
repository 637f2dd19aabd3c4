use std::time::Duration;

use feeway_books::roll_up::Place;
use feeway_domain::{RequestedAt, Settle, Settlement, StoreFault};
use feeway_redis_layout::command;
use feeway_redis_layout::reply::Reply;
use feeway_redis_layout::written::{Acknowledged, Written};
use feeway_redis_link::group_commit::{Answers, Step};
use redis::Cmd;
use tracing::error;

/// Puts payments into the ledger.
#[derive(Debug)]
pub(crate) struct Settling;

impl Step for Settling {
    type Item = Settlement;
    type Answer = Settle;

    /// No client waits for a settlement. In this time the processor has answered most of
    /// those that were sent together, and they are one step instead of many.
    const UNHURRIED_WAIT: Duration = Duration::from_millis(25);

    fn goes_with(first: &Settlement, other: &Settlement) -> bool {
        first.processor == other.processor
            && first.fee == other.fee
            && Place::of(first.requested_at).hour == Place::of(other.requested_at).hour
    }

    fn command<'a>(
        &self,
        settlements: impl ExactSizeIterator<Item = &'a Settlement> + Clone,
    ) -> Cmd {
        command::settle_all(settlements)
    }

    /// Settling is never refused for want of memory.
    fn when_full<'a>(
        &self,
        _: impl ExactSizeIterator<Item = &'a Settlement> + Clone,
    ) -> Option<Cmd> {
        None
    }

    fn read<'a>(
        &self,
        reply: &Reply,
        settlements: impl ExactSizeIterator<Item = &'a Settlement>,
    ) -> Result<Answers<Self>, StoreFault> {
        if reply.parts().len() != settlements.len() {
            return reply.unreadable();
        }
        let mut settles = Vec::with_capacity(settlements.len());
        let mut written = Vec::with_capacity(settlements.len());
        for (at, settlement) in settlements.enumerate() {
            let settle = read_settle(reply, at, settlement);
            if settle.is_ok() {
                written.push(Written::Settle(settlement.clone()));
            }
            settles.push(settle);
        }
        let acknowledged = Acknowledged {
            writes: written,
            generation: read_generation(reply),
        };
        Ok((settles, acknowledged))
    }
}

/// The generation of the data, which stands beside the word of what was settled, or known.
pub(crate) fn read_generation(reply: &Reply) -> Option<u64> {
    let mut words = (0..reply.parts().len()).filter_map(|at| reply.text(at)?.split_once(' '));
    let found = words.find(|(word, _)| matches!(*word, "settled" | "known"));
    found.and_then(|(_, generation)| generation.parse().ok())
}

/// What was answered of one settlement.
pub(crate) fn read_settle(
    reply: &Reply,
    at: usize,
    settlement: &Settlement,
) -> Result<Settle, StoreFault> {
    let text = reply.text(at).unwrap_or_default();
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    match word {
        "settled" => Ok(Settle::Settled),
        "known" => Ok(Settle::Known),
        "conflict" => {
            let Ok(first) = rest.parse() else {
                return reply.unreadable();
            };
            error!(
                id = %settlement.payment.id,
                %first,
                second = %settlement.processor,
                requested_at = %settlement.requested_at,
                "two processors hold one payment"
            );
            Ok(Settle::Conflict { first })
        }
        "late" => match rest.parse().ok().and_then(RequestedAt::from_micros) {
            Some(oldest) => Ok(Settle::TooOld { oldest }),
            None => reply.unreadable(),
        },
        "unfit" => {
            error!(id = %settlement.payment.id, "the total of a day is too large for the ledger");
            Err(StoreFault::Unknown)
        }
        "failed" => {
            error!(id = %settlement.payment.id, error = rest, "Redis could not settle a payment");
            Err(StoreFault::Unknown)
        }
        _ => reply.unreadable(),
    }
}
