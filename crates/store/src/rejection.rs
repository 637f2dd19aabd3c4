//! What becomes of a payment that every processor declined.

use feeway_domain::{Hold, JournalTime, Payment, Reject, StoreFault};
use feeway_redis_layout::command;
use feeway_redis_layout::reply::Reply;
use feeway_redis_layout::written::Written;

use crate::RedisStore;

impl RedisStore {
    pub(crate) async fn end_rejected(
        &self,
        hold: &Hold,
        payment: &Payment,
        why: &str,
    ) -> Result<Reject, StoreFault> {
        let kept_for = self.inner.retention;
        let reject = command::reject(hold, payment.id, why, kept_for);
        self.redis
            .write(reject, |reply| match reply.word() {
                "rejected" => {
                    let written = Written::Reject {
                        payment: *payment,
                        why: why.into(),
                        kept_for,
                        owner: hold.owner.clone(),
                        accepted: read_accepted(reply),
                    };
                    Ok((Reject::Rejected, written.of(reply.generation(3))))
                }
                "gone" => Ok((Reject::Gone, None.into())),
                "fenced" => Ok((Reject::Fenced, None.into())),
                _ => reply.unreadable(),
            })
            .await
    }
}

/// When a rejected payment was accepted, and how often its entry had been renamed. Functions of
/// an earlier version do not tell.
fn read_accepted(reply: &Reply) -> Option<(JournalTime, u32)> {
    let accepted_at = reply.text(1)?.parse().ok()?;
    let moves = reply.text(2)?.parse().ok()?;
    Some((JournalTime::from_micros(accepted_at), moves))
}
