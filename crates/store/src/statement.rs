//! What an operator settles because a processor's export has it, and takes back.

use std::collections::HashMap;
use std::time::Duration;

use feeway_domain::{
    CorrelationId, Fee, Incarnation, JournalTime, Money, Proof, RecordedRun, RequestedAt, Run,
    RunPage, Settlement, Stated, StoreFault, Total, Undo, Undone,
};
use feeway_redis_layout::command;
use feeway_redis_layout::record;
use feeway_redis_layout::reply::{Reply, bytes, unreadable};
use feeway_redis_layout::written::Written;
use redis::Value;

use crate::RedisStore;
use crate::settling::{read_generation, read_settle};

impl RedisStore {
    pub(crate) async fn settle_by_statement(
        &self,
        settlement: &Settlement,
        run: &Run,
        slip: Duration,
        proof: &Proof,
    ) -> Result<Stated, StoreFault> {
        let settle = command::settle_stated(settlement, run, slip, proof);
        self.redis
            .write(settle, |reply| {
                let stated = read_stated(reply, settlement)?;
                if stated != Stated::Settled {
                    return Ok((stated, None.into()));
                }
                let (settlement, run) = (settlement.clone(), Box::new(run.clone()));
                let written = Written::Stated { settlement, run };
                Ok((stated, written.of(read_generation(reply))))
            })
            .await
    }

    pub(crate) async fn list_runs(&self) -> Result<Vec<RecordedRun>, StoreFault> {
        let found = Reply::new(self.redis.read(command::settling_runs()).await?)?;
        let runs = found.parts().iter().map(read_run);
        runs.collect::<Option<Vec<_>>>()
            .ok_or_else(|| unreadable(&found))
    }

    pub(crate) async fn page_of_run(
        &self,
        run: &str,
        from: Option<u64>,
    ) -> Result<RunPage, StoreFault> {
        let found = Reply::new(self.redis.read(command::run_payments(run, from)).await?)?;
        let cursor: u64 = found.parsed(0)?;
        let (pairs, _) = found.list(1).unwrap_or_default().as_chunks::<2>();
        let payments = pairs.iter().map(|[id, text]| {
            let id = CorrelationId::from_bytes(bytes(id)?.try_into().ok()?);
            record::read_run_payment(id, bytes(text)?)
        });
        Ok(RunPage {
            payments: payments
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| unreadable(&found))?,
            next: (cursor != 0).then_some(cursor),
        })
    }

    /// Not repeated after a restart of Redis: a front may have settled it meanwhile.
    pub(crate) async fn undo_settlement(
        &self,
        run: &str,
        settlement: &Settlement,
        owner: &Incarnation,
        by: &str,
    ) -> Result<Undo, StoreFault> {
        let undo = command::undo_stated(run, settlement, owner, by);
        self.redis
            .write(undo, |reply| {
                let undo = match reply.word() {
                    "undone" => Undo::Undone,
                    "unknown" => Undo::Unknown,
                    "confirmed" => Undo::Confirmed,
                    "conflict" => Undo::Conflict,
                    "late" => Undo::TooOld,
                    "changed" => Undo::Changed,
                    _ => return reply.unreadable(),
                };
                Ok((undo, None))
            })
            .await
    }
}

fn read_stated(reply: &Reply, settlement: &Settlement) -> Result<Stated, StoreFault> {
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
        "unfit" | "failed" => {
            return read_settle(reply, 0, settlement).and_then(|_| reply.unreadable());
        }
        "closed" => return Err(StoreFault::Closed),
        _ => return reply.unreadable(),
    })
}

fn text(value: &Value) -> Option<&str> {
    std::str::from_utf8(bytes(value)?).ok()
}

/// Reads a name, how many ids are kept, and the fields of a record.
fn read_run(value: &Value) -> Option<RecordedRun> {
    let Value::Array(parts) = value else {
        return None;
    };
    let [id, kept, fields @ ..] = &parts[..] else {
        return None;
    };
    let pairs = fields.as_chunks::<2>().0.iter();
    let fields: HashMap<&str, &str> = pairs
        .map(|[field, value]| Some((text(field)?, text(value)?)))
        .collect::<Option<_>>()?;
    let time = |field| {
        let micros = fields.get(field)?.parse().ok()?;
        Some(JournalTime::from_micros(micros))
    };
    let total = |count, cents| {
        let mut total = Total::default();
        let cents = fields.get(cents)?.parse().ok()?;
        total.add(fields.get(count)?.parse().ok()?, cents);
        Some(total)
    };
    let undone = match total("undone-count", "undone-cents") {
        None => None,
        Some(total) => Some(Undone {
            at: time("undone-at")?,
            by: (*fields.get("undone-by")?).to_owned(),
            total,
        }),
    };
    Some(RecordedRun {
        id: text(id)?.to_owned(),
        at: time("at")?,
        processor: fields.get("processor")?.parse().ok()?,
        fee: Fee::from_millionths(fields.get("fee")?.parse().ok()?)?,
        file: (*fields.get("file")?).to_owned(),
        by: (*fields.get("by")?).to_owned(),
        total: total("count", "cents")?,
        kept: text(kept)?.parse().ok()?,
        undone,
    })
}
