//! What an operator settles because a processor's export has it.

use std::time::Duration;

use feeway_domain::{Money, Proof, RequestedAt, Settlement, Stated, StoreFault};

use crate::redis_store::recent::Written;
use crate::redis_store::reply::Reply;
use crate::redis_store::settling::read_generation;
use crate::redis_store::{RedisStore, command};

impl RedisStore {
    pub(crate) async fn settle_by_statement(
        &self,
        settlement: &Settlement,
        slip: Duration,
        proof: &Proof,
    ) -> Result<Stated, StoreFault> {
        let settle = command::settle_stated(settlement, slip, proof);
        self.write(settle, |reply| {
            let stated = read_stated(reply)?;
            let acknowledged = if stated == Stated::Settled {
                Written::Settle(settlement.clone()).of(read_generation(reply))
            } else {
                None.into()
            };
            Ok((stated, acknowledged))
        })
        .await
    }
}

fn read_stated(reply: &Reply) -> Result<Stated, StoreFault> {
    // The generation of the data stands beside the first of these.
    let word = reply.word().split(' ').next().unwrap_or_default();
    Ok(match word {
        "settled" => Stated::Settled,
        "known" => Stated::Known,
        "elsewhere" => Stated::Elsewhere {
            holder: reply.parsed(1)?,
        },
        "differs" => match Money::from_cents(reply.parsed(1)?) {
            Some(ours) => Stated::AmountDiffers { ours },
            None => return reply.unreadable(),
        },
        "impossible" => Stated::Impossible,
        "late" => match RequestedAt::from_micros(reply.parsed(1)?) {
            Some(oldest) => Stated::TooOld { oldest },
            None => return reply.unreadable(),
        },
        "changed" => Stated::Changed,
        _ => return reply.unreadable(),
    })
}
