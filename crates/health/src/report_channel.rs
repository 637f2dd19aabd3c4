use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Subscriber};
use feeway_domain::{HealthReport, ProcessorName};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::warn;

use crate::change_log::ChangeLog;
use crate::{NatsConfig, NatsCredsError, NatsLink};

/// Reports travel on this subject, followed by the processor's name.
const SUBJECT: &str = "feeway.health";

/// The pauses between attempts to reach NATS grow by the first up to the second.
const RECONNECT_PAUSE_STEP: Duration = Duration::from_millis(100);
const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// How often a quiet connection is tried: a dead one is noticed after two of them.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// How long a report may wait for a connection; it is old news after that.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(1);

/// How often a waiting report looks for the connection.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// How often a subscription that NATS denied is asked for again: somebody may have allowed it.
const SUBSCRIBE_AGAIN: Duration = Duration::from_secs(5);

/// How many reports may wait for a slow subscriber; 8 processors send as many in 80 s.
const SUBSCRIPTION_LEN_MAX: usize = 128;

/// The wire format of a report. Readers ignore fields that they do not know.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    processor: &'a str,
    failing: bool,
    min_response_time_ms: u64,
    /// Leaders of older releases do not say it.
    #[serde(default)]
    asked_ago_ms: u64,
}

/// Why a report was not published. It is not kept for later: the next one follows in
/// seconds, and an old one would only mislead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishFault {
    /// There is no connection to NATS; connecting goes on.
    #[error("no connection to NATS")]
    Away,
}

/// The client refused to start.
#[derive(Debug, thiserror::Error)]
pub enum ConnectFault {
    /// Its options contradict each other.
    #[error("cannot start a NATS client")]
    Options(#[from] async_nats::ConnectError),
    /// The credentials are none.
    #[error("the NATS credentials file {0}")]
    Credentials(#[from] NatsCredsError),
}

/// The leader's end of the channel: says every report to every board.
pub struct ReportPublisher {
    client: Client,
    link: NatsLink,
}

impl ReportPublisher {
    /// Starts to connect and returns at once. The connection is never given up.
    pub async fn connect(config: impl Into<NatsConfig>) -> Result<Self, ConnectFault> {
        let link = NatsLink::default();
        let client = connect(&config.into(), "feeway report publisher", &link).await?;
        Ok(Self { client, link })
    }

    /// Whether NATS is there, now and later.
    pub fn link(&self) -> NatsLink {
        self.link.clone()
    }

    /// Sends a report; waits up to a second for a connection. That NATS denied it is known a
    /// moment later, by the link.
    ///
    /// Dropping the future leaves open whether it is sent.
    pub async fn publish(&self, report: &HealthReport) -> Result<(), PublishFault> {
        let sent = timeout(PUBLISH_TIMEOUT, async {
            // A client without a connection would keep the report and send it long after.
            while self.client.connection_state() != State::Connected {
                sleep(LOOK_PAUSE).await;
            }
            let subject = format!("{SUBJECT}.{}", report.processor);
            self.client.publish(subject, write(report).into()).await
        });
        let sent = sent.await;
        self.link.let_denial_fade();
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(PublishFault::Away),
        }
    }
}

/// A board's end of the channel.
pub struct ReportSubscriber {
    config: NatsConfig,
    client: Client,
    link: NatsLink,
    subscriber: Option<Subscriber>,
    /// When to look whether the subscription was denied.
    look_at: Instant,
    malformed: u64,
}

impl ReportSubscriber {
    /// Starts to connect and returns at once. The connection is never given up.
    pub async fn connect(config: impl Into<NatsConfig>) -> Result<Self, ConnectFault> {
        let config = config.into();
        let link = NatsLink::default();
        let client = connect(&config, "feeway report subscriber", &link).await?;
        Ok(Self {
            config,
            client,
            link,
            subscriber: None,
            look_at: Instant::now(),
            malformed: 0,
        })
    }

    /// The next report, of any processor, known or not. Messages that are no reports are counted,
    /// logged and passed over. It waits while there is no connection to NATS.
    ///
    /// Cancel safe: no report is lost by dropping the future.
    pub async fn next(&mut self) -> HealthReport {
        loop {
            let message = match &mut self.subscriber {
                Some(subscriber) => tokio::select! {
                    message = subscriber.next() => message,
                    () = sleep_until(self.look_at) => {
                        self.look_at = Instant::now() + SUBSCRIBE_AGAIN;
                        if self.link.is_denied() {
                            self.subscriber = None;
                        }
                        continue;
                    }
                },
                None => {
                    self.subscriber = self.client.subscribe(format!("{SUBJECT}.*")).await.ok();
                    self.look_at = Instant::now() + SUBSCRIBE_AGAIN;
                    if self.subscriber.is_none() {
                        self.start_over().await;
                    }
                    continue;
                }
            };
            let Some(message) = message else {
                // The client ended, which it does only on a fault of its own.
                self.start_over().await;
                continue;
            };
            match read(message.subject.as_str(), &message.payload) {
                Some(report) => {
                    self.link.heard();
                    return report;
                }
                None => {
                    self.malformed = self.malformed.saturating_add(1);
                    warn!(
                        subject = message.subject.as_str(),
                        len = message.payload.len(),
                        count = self.malformed,
                        "received a message that is not a health report"
                    );
                }
            }
        }
    }

    /// Whether NATS is there, now and later.
    pub fn link(&self) -> NatsLink {
        self.link.clone()
    }

    /// How many messages were no reports.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    async fn start_over(&mut self) {
        self.subscriber = None;
        sleep(RECONNECT_PAUSE_MAX).await;
        let again = connect(&self.config, "feeway report subscriber", &self.link).await;
        if let Ok(client) = again {
            self.client = client;
        }
    }
}

async fn connect(config: &NatsConfig, name: &str, link: &NatsLink) -> Result<Client, ConnectFault> {
    let log = ChangeLog::of(link.clone());
    let client = config
        .identify(ConnectOptions::new())?
        .name(name)
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(reconnect_pause)
        .ping_interval(PING_INTERVAL)
        .subscription_capacity(SUBSCRIPTION_LEN_MAX)
        .event_callback(move |event| {
            log.take_note(&event);
            std::future::ready(())
        })
        .connect(config.url.address())
        .await?;
    Ok(client)
}

fn reconnect_pause(attempts: usize) -> Duration {
    let steps = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    RECONNECT_PAUSE_STEP
        .saturating_mul(steps)
        .min(RECONNECT_PAUSE_MAX)
}

pub(crate) fn write(report: &HealthReport) -> Vec<u8> {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let message = Message {
        processor: report.processor.as_str(),
        failing: report.failing,
        min_response_time_ms: ms(report.min_response_time),
        // Rounded up: a result that came after the question must not pass for an older one.
        asked_ago_ms: ms(report.asked_ago).saturating_add(u64::from(
            !report.asked_ago.subsec_nanos().is_multiple_of(1_000_000),
        )),
    };
    serde_json::to_vec(&message).expect("a text, a bool and numbers are always JSON")
}

/// A report that came on the subject of its own processor.
pub(crate) fn read(subject: &str, payload: &[u8]) -> Option<HealthReport> {
    // serde would also take a list, its values in the order of the fields, and does not
    // look whether what it skips is UTF-8.
    let text = str::from_utf8(payload).ok()?;
    if !text.trim_ascii_start().starts_with('{') {
        return None;
    }
    let message: Message<'_> = serde_json::from_str(text).ok()?;
    let processor: ProcessorName = message.processor.parse().ok()?;
    let named = subject.strip_prefix(SUBJECT)?.strip_prefix('.')?;
    (named == processor.as_str()).then_some(HealthReport {
        processor,
        failing: message.failing,
        min_response_time: Duration::from_millis(message.min_response_time_ms),
        asked_ago: Duration::from_millis(message.asked_ago_ms),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(name: &str, failing: bool, ms: u64) -> HealthReport {
        HealthReport {
            processor: name.parse().unwrap(),
            failing,
            min_response_time: Duration::from_millis(ms),
            asked_ago: Duration::ZERO,
        }
    }

    #[test]
    fn a_report_has_this_wire_format() {
        let text =
            br#"{"processor":"default","failing":true,"minResponseTimeMs":120,"askedAgoMs":7}"#;
        let report = HealthReport {
            asked_ago: Duration::from_millis(7),
            ..report("default", true, 120)
        };
        assert_eq!(write(&report), text);
        assert_eq!(read("feeway.health.default", text), Some(report.clone()));
        let report = HealthReport {
            asked_ago: Duration::from_micros(6_001),
            ..report
        };
        assert_eq!(write(&report), text);
    }

    #[test]
    fn an_older_version_does_not_say_when_it_asked() {
        let text = br#"{"processor":"default","failing":true,"minResponseTimeMs":120}"#;
        assert_eq!(
            read("feeway.health.default", text),
            Some(report("default", true, 120))
        );
    }

    #[test]
    fn a_later_version_may_say_more() {
        let text = br#"{"v":2,"minResponseTimeMs":0,"failing":false,"processor":"p-2"}"#;
        assert_eq!(
            read("feeway.health.p-2", text),
            Some(report("p-2", false, 0))
        );
    }

    #[test]
    fn anything_else_is_not_a_report() {
        let good = r#"{"processor":"default","failing":true,"minResponseTimeMs":120}"#;
        for (subject, text) in [
            ("feeway.health.fallback", good),
            ("feeway.health", good),
            ("feeway.health.default", ""),
            ("feeway.health.default", "{}"),
            ("feeway.health.default", "\u{0}"),
            ("feeway.health.default", r#"["default",true,120]"#),
            (
                "feeway.health.default",
                r#"{"processor":"default","failing":1,"minResponseTimeMs":120}"#,
            ),
            (
                "feeway.health.default",
                r#"{"processor":"default","failing":true,"minResponseTimeMs":-1}"#,
            ),
            (
                "feeway.health.Default",
                r#"{"processor":"Default","failing":true,"minResponseTimeMs":1}"#,
            ),
            (
                "feeway.health.default",
                r#"{"processor":"default","failing":true,"minResponseTimeMs":1,"askedAgoMs":-1}"#,
            ),
        ] {
            assert_eq!(read(subject, text.as_bytes()), None, "{subject} {text}");
        }
    }

    #[test]
    fn what_is_not_utf_8_is_no_report_also_where_nobody_looks() {
        let text =
            br#"{"processor":"default","x":"?","failing":true,"minResponseTimeMs":120}"#.to_vec();
        assert!(read("feeway.health.default", &text).is_some());
        let broken: Vec<u8> = text
            .into_iter()
            .map(|byte| if byte == b'?' { 0xff } else { byte })
            .collect();
        assert_eq!(read("feeway.health.default", &broken), None);
    }

    #[test]
    fn pauses_between_attempts_grow_and_end_growing() {
        let pauses = [1, 2, 3, 11, 12, usize::MAX].map(reconnect_pause);
        assert_eq!(
            pauses.map(|pause| pause.as_millis()),
            [0, 100, 200, 1000, 1000, 1000]
        );
    }
}
