//! What an operator may ask for and decide.

use std::time::Duration;

use feeway_books::listing;
use feeway_domain::{
    Case, CorrelationId, Custody, Entry, Fee, Fronts, Hold, Incarnation, JournalTime, Listed,
    ProcessorName, Proof, RecordedRun, Reopen, Resolution, Resolutions, Resolve, Restamped, Run,
    RunPage, Settlement, StandBack, Stated, StoreFault, Undo, Verdict,
};
use feeway_redis_layout::command;
use feeway_redis_layout::keys;
use feeway_redis_layout::record;
use feeway_redis_layout::reply::{Reply, bytes, unreadable};
use feeway_redis_layout::written::Written;
use feeway_redis_link::together::{NOTHING, Together};
use redis::{Value, cmd};

use crate::RedisStore;
use crate::settling::{read_generation, read_settle};

impl Resolutions for RedisStore {
    async fn case(&self, id: CorrelationId) -> Result<Option<Case>, StoreFault> {
        let mut together = Together::default();
        let field = id.as_bytes();
        together
            .read("HGET", keys::settled(id), &field)
            .read("HGET", keys::CONFLICTS, &field)
            .read("HGET", keys::OPEN, &field)
            .read("GET", keys::rejected(id), &NOTHING);
        let (found, _) = self.redis.read_at_once(&together).await?;
        let [settled, others, open, rejected] = &found[..] else {
            return Err(unreadable(&found));
        };
        if let Some(text) = bytes(settled) {
            let case = settled_case(id, text, bytes(others));
            return case.map(Some).ok_or_else(|| unreadable(&found));
        }
        if let Some(text) = bytes(open) {
            let entry = record::read_entry(id, text).ok_or_else(|| unreadable(&found))?;
            let custody = self.custody(entry).await?;
            return Ok(Some(Case {
                lines: vec![listing::open_line(&custody.entry)],
                custody: Some(custody),
            }));
        }
        let Some(text) = bytes(rejected) else {
            return Ok(None);
        };
        let rejected = record::read_rejected(text).ok_or_else(|| unreadable(&found))?;
        let line = listing::rejected_line(id, rejected.amount, rejected.at, rejected.why);
        Ok(Some(Case {
            lines: vec![line],
            custody: None,
        }))
    }

    async fn resolve(
        &self,
        seen: &Custody,
        verdict: &Verdict,
        proof: &Proof,
        by: &str,
    ) -> Result<Resolve, StoreFault> {
        let payment = seen.entry.payment;
        let Some(named) = &seen.entry.processor else {
            return Ok(Resolve::Unnamed);
        };
        let text = record::write_resolution(&payment, named, verdict, by);
        let settlement = match verdict {
            Verdict::Held { requested_at, fee } => Some(Settlement {
                payment,
                processor: named.clone(),
                requested_at: *requested_at,
                fee: *fee,
            }),
            Verdict::NotHeld => None,
        };
        let command = match (&settlement, proof) {
            (Some(settlement), Proof::Silence) => command::resolve_held(settlement, seen, &text),
            (None, Proof::Silence) => command::resolve_not_held(seen, &text),
            (Some(settlement), Proof::StoodBack(token)) => {
                command::stand_back::decide_held(settlement, seen, token, &text)
            }
            (None, Proof::StoodBack(token)) => {
                command::stand_back::decide_not_held(seen, token, &text)
            }
        };
        self.redis
            .write(command, |reply| {
                Ok(match reply.word() {
                    "released" => (Resolve::Released, None.into()),
                    "changed" => (Resolve::Changed, None.into()),
                    "gone" => (Resolve::Gone, None.into()),
                    "unnamed" => (Resolve::Unnamed, None.into()),
                    "closed" => return Err(StoreFault::Closed),
                    _ => {
                        let Some(settlement) = settlement else {
                            return reply.unreadable();
                        };
                        let settle = read_settle(reply, 0, &settlement)?;
                        // Only what is true whoever repeats it is repeated: the yes, not the
                        // release.
                        let written = Written::Settle(settlement);
                        let acknowledged = written.of(read_generation(reply));
                        (Resolve::Settled(settle), acknowledged)
                    }
                })
            })
            .await
    }

    async fn reopen(
        &self,
        id: CorrelationId,
        owner: &Incarnation,
        by: &str,
    ) -> Result<Reopen, StoreFault> {
        // As a release, it is not repeated should Redis forget it: a front may have ended the
        // payment meanwhile.
        self.redis
            .write(command::reopen(id, owner, by), |reply| match reply.word() {
                "reopened" => Ok((Reopen::Reopened, None)),
                "open" => Ok((Reopen::Open, None)),
                "settled" => Ok((Reopen::Settled, None)),
                "unknown" => Ok((Reopen::Unknown, None)),
                "closed" => Err(StoreFault::Closed),
                _ => reply.unreadable(),
            })
            .await
    }

    async fn last_stand_back(
        &self,
        processor: &ProcessorName,
    ) -> Result<Option<String>, StoreFault> {
        self.read_last_stand_back(processor).await
    }

    async fn stand_back(
        &self,
        processor: &ProcessorName,
        after: Option<&str>,
        token: &str,
        by: &str,
    ) -> Result<Option<StandBack>, StoreFault> {
        self.order_stand_back(processor, after, token, by).await
    }

    async fn end_stand_back(
        &self,
        processor: &ProcessorName,
        token: &str,
    ) -> Result<bool, StoreFault> {
        self.cancel_stand_back(processor, token).await
    }

    async fn settle_stated(
        &self,
        settlement: &Settlement,
        run: &Run,
        slip: Duration,
        proof: &Proof,
    ) -> Result<Stated, StoreFault> {
        self.settle_by_statement(settlement, run, slip, proof).await
    }

    async fn runs(&self) -> Result<Vec<RecordedRun>, StoreFault> {
        self.list_runs().await
    }

    async fn run_payments(&self, run: &str, from: Option<u64>) -> Result<RunPage, StoreFault> {
        self.page_of_run(run, from).await
    }

    async fn undo_stated(
        &self,
        run: &str,
        settlement: &Settlement,
        owner: &Incarnation,
        by: &str,
    ) -> Result<Undo, StoreFault> {
        self.undo_settlement(run, settlement, owner, by).await
    }

    async fn fees(&self) -> Result<Vec<(ProcessorName, Fee)>, StoreFault> {
        self.list_fees().await
    }

    async fn fronts(&self) -> Result<Fronts, StoreFault> {
        self.list_fronts().await
    }

    async fn resolutions(&self) -> Result<Vec<Resolution>, StoreFault> {
        let all = cmd("LRANGE").arg(keys::RESOLUTIONS).arg(0).arg(-1).take();
        let found = Reply::new(self.redis.read(all).await?)?;
        let read = found
            .parts()
            .iter()
            .map(|text| bytes(text).and_then(record::read_resolution));
        read.collect::<Option<Vec<_>>>()
            .ok_or_else(|| unreadable(&found))
    }

    async fn restamped(&self) -> Result<Vec<Restamped>, StoreFault> {
        let all = cmd("ZRANGE")
            .arg(keys::RESTAMPED)
            .arg(&["0", "-1", "WITHSCORES"])
            .take();
        let found = self.redis.read(all).await?;
        let Ok(members) = redis::from_redis_value_ref::<Vec<(Vec<u8>, f64)>>(&found) else {
            return Err(unreadable(&found));
        };
        let read = members.iter().map(|(restamp, at)| {
            Some(Restamped {
                // Exact below 2^53, which is in the year 2255.
                at: JournalTime::from_micros(*at as i64),
                restamp: record::read_restamp(restamp)?,
            })
        });
        read.collect::<Option<Vec<_>>>()
            .ok_or_else(|| unreadable(&found))
    }
}

impl RedisStore {
    /// Who has an entry in hand.
    async fn custody(&self, entry: Entry) -> Result<Custody, StoreFault> {
        let mut together = Together::default();
        let fields = ["holder", "epoch", "beat"];
        together.read("HMGET", keys::owner(&entry.owner), &fields.as_slice());
        let (found, now) = self.redis.read_at_once(&together).await?;
        let now = JournalTime::from_micros(now);
        read_custody(&found, entry, now).ok_or_else(|| unreadable(&found))
    }
}

fn read_custody(found: &[Value], entry: Entry, now: JournalTime) -> Option<Custody> {
    let [Value::Array(record)] = found else {
        return None;
    };
    let [holder, epoch, beat] = &record[..] else {
        return None;
    };
    let hold = match (text(holder), text(epoch)) {
        (Some(holder), Some(epoch)) => Some(Hold {
            owner: entry.owner.clone(),
            holder: Incarnation::new(holder),
            epoch: epoch.parse().ok()?,
        }),
        _ => None,
    };
    let beat: i64 = text(beat).unwrap_or("0").parse().ok()?;
    Some(Custody {
        entry,
        hold,
        beat: (beat != 0).then(|| JournalTime::from_micros(beat)),
        now,
    })
}

fn text(value: &Value) -> Option<&str> {
    std::str::from_utf8(bytes(value)?).ok()
}

fn settled_case(id: CorrelationId, first: &[u8], others: Option<&[u8]>) -> Option<Case> {
    let listed = others.map_or(Listed::Settled, |_| Listed::Conflict);
    let all = std::iter::once(record::read_settled(first)?)
        .chain(others.into_iter().flat_map(record::read_others));
    let lines = all.map(|settled| {
        let (processor, requested_at) = (settled.processor, settled.requested_at);
        listing::settled_line(
            listed,
            id,
            settled.amount,
            processor,
            requested_at,
            settled.fee,
        )
    });
    Some(Case {
        lines: lines.collect(),
        custody: None,
    })
}
