//! An entry comes to name a processor.

use feeway_domain::{CorrelationId, Hold, Money, Payment, ProcessorName, Rename, StoreFault};
use feeway_redis_layout::command;
use feeway_redis_layout::reply::Reply;
use feeway_redis_layout::written::Written;

use crate::RedisStore;

impl RedisStore {
    pub(crate) async fn name(
        &self,
        hold: &Hold,
        id: CorrelationId,
        moves: u32,
        to: &ProcessorName,
    ) -> Result<Rename, StoreFault> {
        let rename = command::rename(hold, id, moves, to);
        self.redis
            .write(rename, |reply| match reply.word() {
                "named" => {
                    let written = read_named(reply, hold, id, moves, to)?;
                    Ok((Rename::Named, written.of(reply.generation(1))))
                }
                "differs" => match reply.text(1) {
                    Some("") => Ok((Rename::Differs(None), None.into())),
                    _ => Ok((Rename::Differs(Some(reply.parsed(1)?)), None.into())),
                },
                "gone" | "other" => Ok((Rename::Gone, None.into())),
                "fenced" => Ok((Rename::Fenced, None.into())),
                _ => reply.unreadable(),
            })
            .await
    }
}

/// The whole entry that a renaming left, from its reply.
fn read_named(
    reply: &Reply,
    hold: &Hold,
    id: CorrelationId,
    moves: u32,
    to: &ProcessorName,
) -> Result<Written, StoreFault> {
    let Some(amount) = Money::from_cents(reply.parsed(2)?) else {
        return reply.unreadable();
    };
    Ok(Written::Entry {
        hold: hold.clone(),
        payment: Payment { id, amount },
        processor: Some(to.clone()),
        moves: moves.saturating_add(1),
        accepted_at: reply.time(3)?,
    })
}
