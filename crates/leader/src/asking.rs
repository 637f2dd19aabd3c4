use std::sync::Arc;
use std::time::Duration;

use feeway_domain::{HealthReport, ProcessorName, StoreFault};
use feeway_health::ReportPublisher;
use feeway_processor::{HealthAnswer, HttpProcessor};
use feeway_store::{Ask, RedisStore};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, info, warn};

use crate::lease::{Claim, STANDBY_PAUSE};
use crate::meters::AskMeters;

/// From one answer to the next question. Processors allow one question in 5 s, we promise
/// 5.05 s between two of them, and a take-over asks at most 5.5 s after the last one: that
/// leaves 100 ms for a stamp older than its question and 350 ms for the answer before.
pub(crate) const GAP: Duration = Duration::from_millis(5150);

/// A question leaves this soon after its stamp in Redis, or gets a newer one. If we die
/// with the question sent, the next one still comes 5.05 s after it, with 20 ms to spare
/// for the way to the processor.
const STAMP_AGE_MAX: Duration = Duration::from_millis(80);

/// The claim of a question is worth nothing after this time: another holder may have asked.
const CLAIM_AGE_MAX: Duration = Duration::from_secs(2);

/// The pause after Redis did not answer; the lease task tells of it.
const FAULT_PAUSE: Duration = Duration::from_millis(250);

/// Asks one processor for its health whenever it is this process's turn.
pub(crate) struct Asking {
    pub(crate) processor: ProcessorName,
    pub(crate) client: HttpProcessor,
    pub(crate) store: RedisStore,
    pub(crate) token: String,
    pub(crate) publisher: Arc<ReportPublisher>,
    pub(crate) standing: watch::Receiver<Claim>,
    /// Counts how often Redis came back.
    pub(crate) restarts: watch::Receiver<u64>,
    pub(crate) meters: AskMeters,
}

impl Asking {
    /// Runs until it is told to stop; a question that was asked is still answered, noted
    /// and published.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut failing = None;
        let mut lack = Lack::default();
        let mut not_before = Instant::now();
        loop {
            tokio::select! {
                biased;
                _ = stop.wait_for(|&stop| stop) => return,
                () = self.turn(not_before) => {}
            }
            let asked_at = Instant::now();
            let answer = self.client.health().await;
            // By the clock of this process too: Redis's may be set.
            not_before = Instant::now() + GAP;
            if let Err(fault) = self.store.asked(&self.token, &self.processor).await {
                debug!(processor = %self.processor, %fault, "cannot record that the processor was asked");
            }
            self.meters.asked(answer);
            self.tell(answer, &mut lack);
            if let Some(report) = self.report(answer, asked_at) {
                self.meters.reported(&report);
                if failing.replace(report.failing) != Some(report.failing) {
                    info!(
                        processor = %report.processor,
                        failing = report.failing,
                        min_response_time_s = report.min_response_time.as_secs_f64(),
                        "health"
                    );
                }
                self.publish(&report).await;
            }
        }
    }

    /// Returns when the processor may be asked, now and by this process.
    async fn turn(&mut self, mut not_before: Instant) {
        loop {
            let held = self.standing.wait_for(|&claim| claim == Claim::Ours);
            if held.await.is_err() {
                // The lease task is gone, so nothing is ever ours again.
                return std::future::pending().await;
            }
            if self.has_redis_forgotten() {
                not_before = Instant::now() + GAP;
            }
            if not_before > Instant::now() {
                sleep_until(not_before).await;
                // Much may have changed meanwhile.
                continue;
            }
            self.client.warm_up().await;
            let pause = match self.claim().await {
                // What came back during the claim is looked at before it counts.
                Ok(Turn::Ours) if self.has_redis_forgotten() => GAP,
                Ok(Turn::Ours) => return,
                Ok(Turn::Later(pause)) => pause,
                Err(fault) => {
                    debug!(processor = %self.processor, %fault, "cannot claim the next health request");
                    FAULT_PAUSE
                }
            };
            sleep(pause).await;
        }
    }

    /// Whether Redis came back since the last time: it may have lost the last questions'
    /// stamps, so that a whole gap has to pass before the next.
    fn has_redis_forgotten(&mut self) -> bool {
        let forgotten = self.restarts.has_changed().unwrap_or(false);
        self.restarts.mark_unchanged();
        forgotten
    }

    async fn claim(&self) -> Result<Turn, StoreFault> {
        let claimed_at = Instant::now();
        match self
            .store
            .claim_ask(&self.token, &self.processor, GAP)
            .await?
        {
            Ask::Go => {}
            // A clock that was set must not silence us for longer than a round.
            Ask::Wait(left) => return Ok(Turn::Later(left.min(GAP))),
            Ask::NotHolder => return Ok(Turn::Later(STANDBY_PAUSE)),
        }
        let mut stamped_at = claimed_at;
        while stamped_at.elapsed() > STAMP_AGE_MAX {
            if claimed_at.elapsed() > CLAIM_AGE_MAX {
                return Ok(Turn::Later(Duration::ZERO));
            }
            stamped_at = Instant::now();
            self.store.asked(&self.token, &self.processor).await?;
        }
        Ok(Turn::Ours)
    }

    /// Says what an answer without a report means.
    fn tell(&self, answer: HealthAnswer, lack: &mut Lack) {
        let processor = &self.processor;
        if lack.is_news(answer) {
            warn!(
                %processor,
                "the processor has no GET /payments/service-health: only payments show its health"
            );
        }
        match answer {
            HealthAnswer::TooEarly => {
                info!(%processor, "asked too early: somebody else is asking too");
            }
            HealthAnswer::Unanswered => debug!(%processor, "no answer to the health request"),
            HealthAnswer::Report { .. } | HealthAnswer::NoEndpoint => {}
        }
    }

    fn report(&self, answer: HealthAnswer, asked_at: Instant) -> Option<HealthReport> {
        match answer {
            HealthAnswer::Report {
                failing,
                min_response_time,
            } => Some(HealthReport {
                processor: self.processor.clone(),
                failing,
                min_response_time,
                asked_ago: asked_at.elapsed(),
            }),
            HealthAnswer::TooEarly | HealthAnswer::NoEndpoint | HealthAnswer::Unanswered => None,
        }
    }

    /// To the boards, and to Redis for those who come later. One may be away.
    async fn publish(&self, report: &HealthReport) {
        let (heard, kept) = tokio::join!(
            self.publisher.publish(report),
            self.store.publish_report(report)
        );
        match heard {
            Ok(()) => self.meters.published.increment(1),
            Err(fault) => {
                debug!(processor = %self.processor, %fault, "cannot publish the report on NATS");
            }
        }
        match kept {
            Ok(()) => self.meters.kept.increment(1),
            Err(fault) => {
                debug!(processor = %self.processor, %fault, "cannot store the report in Redis")
            }
        }
    }
}

enum Turn {
    Ours,
    Later(Duration),
}

/// Whether it was said that a processor cannot be asked: once, and again only when it could be
/// in between.
#[derive(Default)]
struct Lack(bool);

impl Lack {
    /// Whether this answer says so for the first time.
    fn is_news(&mut self, answer: HealthAnswer) -> bool {
        match answer {
            HealthAnswer::NoEndpoint => !std::mem::replace(&mut self.0, true),
            HealthAnswer::Report { .. } | HealthAnswer::TooEarly => {
                self.0 = false;
                false
            }
            HealthAnswer::Unanswered => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_endpoint_is_logged_once_and_again_after_an_answer() {
        use HealthAnswer::{NoEndpoint, TooEarly, Unanswered};
        let report = HealthAnswer::Report {
            failing: false,
            min_response_time: Duration::ZERO,
        };
        let mut lack = Lack::default();
        for (answer, expected) in [
            (Unanswered, false),
            (NoEndpoint, true),
            (NoEndpoint, false),
            (Unanswered, false),
            (NoEndpoint, false),
            (report, false),
            (NoEndpoint, true),
            (TooEarly, false),
            (NoEndpoint, true),
            (NoEndpoint, false),
        ] {
            assert_eq!(lack.is_news(answer), expected, "{answer:?}");
        }
    }
}
