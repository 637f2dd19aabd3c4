use std::time::Duration;

use feeway_domain::{HealthReport, ProcessorName, StoreFault};
use feeway_redis_layout::command;
use feeway_redis_layout::keys;
use feeway_redis_layout::reply::{bytes, unreadable};
use feeway_redis_link::together::{NOTHING, Together};

use crate::RedisStore;

/// The reply to claiming the leader's lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// It is ours for the time that was asked for.
    Ours,
    /// Another token holds it.
    Others {
        /// For so long, unless it is renewed.
        left: Duration,
    },
}

/// The reply to claiming the right to ask a processor for its health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Ask now; nobody else may until the gap has passed.
    Go,
    /// The last ask is too recent; try again after this time.
    Wait(Duration),
    /// The lease is not ours.
    NotHolder,
}

impl RedisStore {
    /// Claims the leader's lease for `ttl`, or renews it when this token holds it already.
    pub async fn claim_lease(&self, token: &str, ttl: Duration) -> Result<Lease, StoreFault> {
        self.redis
            .write(command::lease(token, ttl), |reply| match reply.word() {
                "ours" => Ok((Lease::Ours, None)),
                "others" => {
                    // Less than zero when it has just run out.
                    let left = reply.parsed::<i64>(1)?;
                    let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
                    Ok((Lease::Others { left }, None))
                }
                _ => reply.unreadable(),
            })
            .await
    }

    /// Gives the lease back if this token holds it.
    pub async fn vacate_lease(&self, token: &str) -> Result<(), StoreFault> {
        self.redis
            .write(command::vacate(token), |_| Ok(((), None)))
            .await
    }

    /// Claims the right to ask a processor now: the lease is this token's and the last ask
    /// lies at least `gap` back by Redis's clock, in one step with noting the ask.
    pub async fn claim_ask(
        &self,
        token: &str,
        processor: &ProcessorName,
        gap: Duration,
    ) -> Result<Ask, StoreFault> {
        let ask = command::ask(token, processor, gap);
        self.redis
            .write(ask, |reply| match reply.word() {
                "go" => Ok((Ask::Go, None)),
                "wait" => Ok((Ask::Wait(Duration::from_micros(reply.parsed(1)?)), None)),
                "not-holder" => Ok((Ask::NotHolder, None)),
                _ => reply.unreadable(),
            })
            .await
    }

    /// Notes that an ask has been answered: it reached the processor now at the latest, so
    /// the gap is counted from now. Whoever holds the lease meanwhile, the ask is a fact.
    pub async fn asked(&self, token: &str, processor: &ProcessorName) -> Result<(), StoreFault> {
        tracing::debug!(token, %processor, "an ask was answered");
        self.redis
            .write(command::asked(processor), |_| Ok(((), None)))
            .await
    }

    /// Keeps a report as the last one of its processor.
    pub async fn publish_report(&self, report: &HealthReport) -> Result<(), StoreFault> {
        self.redis
            .write(command::publish(report), |_| Ok(((), None)))
            .await
    }

    /// The last report of a processor and its age by Redis's clock, if there is one. When it
    /// was asked for is not kept, so that is told as if it had been at the same moment.
    pub async fn last_report(
        &self,
        processor: &ProcessorName,
    ) -> Result<Option<(HealthReport, Duration)>, StoreFault> {
        let mut together = Together::default();
        together.read("GET", keys::health(processor), &NOTHING);
        let (replies, now) = self.redis.read_at_once(&together).await?;
        let [health] = &replies[..] else {
            return Err(unreadable(&replies));
        };
        let Some(health) = bytes(health) else {
            return Ok(None);
        };
        read_report(processor, health, now).ok_or_else(|| unreadable(&replies))
    }
}

/// Reads `lastAsk|at:failing:minResponseTime`, all times in microseconds; behind the bar
/// there is nothing before the first report.
fn read_report(
    processor: &ProcessorName,
    health: &[u8],
    now: i64,
) -> Option<Option<(HealthReport, Duration)>> {
    let (_, report) = std::str::from_utf8(health).ok()?.split_once('|')?;
    if report.is_empty() {
        return Some(None);
    }
    let mut parts = report.split(':');
    let at: u64 = parts.next()?.parse().ok()?;
    let failing = parts.next()? == "1";
    let min_response_time = Duration::from_micros(parts.next()?.parse().ok()?);
    let now = u64::try_from(now).ok()?;
    let report = HealthReport {
        processor: processor.clone(),
        failing,
        min_response_time,
        asked_ago: Duration::ZERO,
    };
    Some(Some((
        report,
        Duration::from_micros(now.saturating_sub(at)),
    )))
}
