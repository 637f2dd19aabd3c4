use feeway_domain::{CorrelationId, Entry, Incarnation, PaymentState, Status, StoreFault};
use feeway_redis_layout::command;
use feeway_redis_layout::keys;
use feeway_redis_layout::record;
use feeway_redis_layout::reply::{Reply, bytes, unreadable};
use feeway_redis_link::together::{NOTHING, Together};
use redis::Value;

use crate::RedisStore;

impl RedisStore {
    pub(crate) async fn list_queued(
        &self,
        owner: &Incarnation,
        after: Option<&Entry>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreFault> {
        let after = after.map(|entry| (entry.accepted_at, entry.payment.id));
        read_entries(
            self.redis
                .read(command::queued(owner, after, limit))
                .await?,
        )
    }

    /// A payment that is unknown may be one that Redis has forgotten and somebody remembers.
    pub(crate) async fn look_up(
        &self,
        id: CorrelationId,
    ) -> Result<Option<PaymentState>, StoreFault> {
        let run = self.redis.run();
        let was_open = run.is_open();
        let found = self.look_once(id).await?;
        if found.is_some() || was_open && run.is_open() {
            return Ok(found);
        }
        self.redis.read_books(self.look_once(id)).await
    }

    /// Looks in all places at one moment: a payment that settles meanwhile is in one of them.
    async fn look_once(&self, id: CorrelationId) -> Result<Option<PaymentState>, StoreFault> {
        let mut together = Together::default();
        let field = id.as_bytes();
        together
            .read("HGET", keys::settled(id), &field)
            .read("HEXISTS", keys::CONFLICTS, &field)
            .read("HGET", keys::OPEN, &field)
            .read("GET", keys::rejected(id), &NOTHING);
        let (found, _) = self.redis.read_at_once(&together).await?;
        let [settled, conflict, open, rejected] = &found[..] else {
            return Err(unreadable(&found));
        };
        let state = if let Some(text) = bytes(settled) {
            settled_state(id, text, *conflict == Value::Int(1))
        } else if let Some(text) = bytes(open) {
            record::read_entry(id, text).map(|entry| PaymentState {
                id,
                amount: entry.payment.amount,
                status: Status::Open {
                    processor: entry.processor,
                },
            })
        } else if let Some(text) = bytes(rejected) {
            record::read_rejected(text).map(|rejected| PaymentState {
                id,
                amount: rejected.amount,
                status: Status::Rejected {
                    reason: rejected.why,
                },
            })
        } else {
            return Ok(None);
        };
        state.map(Some).ok_or_else(|| unreadable(&found))
    }
}

/// Reads the reply of `queued`.
pub(crate) fn read_entries(reply: Value) -> Result<Vec<Entry>, StoreFault> {
    let found = Reply::new(reply)?;
    let (pairs, _) = found.parts().as_chunks::<2>();
    let entries = pairs.iter().map(|[id, text]| {
        let id = CorrelationId::from_bytes(bytes(id)?.try_into().ok()?);
        record::read_entry(id, bytes(text)?)
    });
    entries
        .collect::<Option<Vec<Entry>>>()
        .ok_or_else(|| unreadable(&found))
}

fn settled_state(id: CorrelationId, text: &[u8], conflict: bool) -> Option<PaymentState> {
    let settled = record::read_settled(text)?;
    let (processor, requested_at) = (settled.processor, settled.requested_at);
    let status = if conflict {
        Status::Conflict {
            processor,
            requested_at,
        }
    } else {
        Status::Settled {
            processor,
            requested_at,
        }
    };
    Some(PaymentState {
        id,
        amount: settled.amount,
        status,
    })
}
