//! What the contest does in each of its scenarios: users, amounts, fees, audits and stages.

use std::time::Duration;

use feeway_stack::simulators::{PROCESSORS, Setting, fails, works};
use serde_json::{Value, json};

use super::score::Fee;

/// From this time of the run on, the processors are set so, in the order of [`PROCESSORS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) at_ms: u32,
    pub(super) settings: [Setting; 2],
}

const fn at(seconds: u32, default: Setting, fallback: Setting) -> Stage {
    Stage {
        at_ms: seconds * 1000,
        settings: [default, fallback],
    }
}

/// When our summary is compared with the processors', and over which window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Audit {
    pub(super) every: Duration,
    /// The window, counted back from the moment of the audit.
    pub(super) from: Duration,
    pub(super) to: Duration,
    /// Only a window that still differs a moment later counts.
    pub(super) lasting_only: bool,
}

/// Who pays how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// Users, evenly more from one to so many. Each pays, rests for a second, and pays again.
    Users(u32),
    /// So many payments a second, evenly paced.
    PerSecond(u32),
}

/// One run of the contest.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// How long users pay.
    pub(super) seconds: u32,
    pub(super) load: Load,
    pub(super) amount_cents: i64,
    pub(super) fees: [Fee; 2],
    pub(super) audit: Option<Audit>,
    /// In order; the first one is at 0.
    pub(super) stages: Vec<Stage>,
    /// How long after the users' end payments may still settle without being lost.
    pub(super) settle_for: Duration,
    /// The stack's patience and longest latency, where the product's own do not show what the
    /// scenario is about.
    pub(super) patience: Option<&'static str>,
    pub(super) max_latency: Option<&'static str>,
}

/// A summary or an answer that takes longer counts as none.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(1500);

/// How much later a window that differs is looked at again.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

impl Scenario {
    /// The contest's preliminary round.
    pub(super) fn preview() -> Self {
        Self {
            name: "preview",
            seconds: 60,
            load: Load::Users(550),
            amount_cents: 1990,
            fees: [Fee::percent(5), Fee::percent(15)],
            audit: Some(Audit {
                every: Duration::from_secs(10),
                from: Duration::from_secs(15),
                to: Duration::from_millis(1500),
                lasting_only: false,
            }),
            stages: vec![
                at(0, works(0), works(0)),
                at(10, works(100), works(0)),
                at(20, fails(100), works(0)),
                at(30, fails(2000), fails(1000)),
                at(40, works(20), works(20)),
                at(50, works(0), works(5000)),
            ],
            settle_for: Duration::ZERO,
            patience: None,
            max_latency: None,
        }
    }

    /// The contest's last round.
    pub(super) fn finals() -> Self {
        Self {
            name: "final",
            seconds: 300,
            load: Load::Users(603),
            amount_cents: 2005,
            fees: [Fee::percent(7), Fee::percent(10)],
            audit: Some(Audit {
                every: Duration::from_secs(10),
                from: Duration::from_secs(15),
                to: Duration::from_secs(2),
                lasting_only: false,
            }),
            stages: vec![
                at(0, works(0), works(0)),
                at(30, works(1000), works(0)),
                at(60, works(500), works(0)),
                at(90, fails(2000), works(1000)),
                at(120, fails(5000), works(5)),
                at(150, works(0), fails(5)),
                at(180, works(100), works(5)),
                at(210, works(50), works(0)),
                at(240, works(103), works(10)),
                at(270, works(2000), works(0)),
            ],
            settle_for: Duration::ZERO,
            patience: None,
            max_latency: None,
        }
    }

    /// How a processor is set at a time of the run.
    pub(super) fn setting(&self, processor: usize, at_ms: u64) -> Setting {
        let next = self
            .stages
            .partition_point(|stage| u64::from(stage.at_ms) <= at_ms);
        let stage = &self.stages[next.saturating_sub(1)];
        stage.settings[processor]
    }

    /// How many audits there are to be.
    pub(super) fn audits(&self) -> u64 {
        let length = Duration::from_secs(self.seconds.into());
        self.audit.map_or(0, |audit| {
            u64::try_from(length.as_nanos().div_ceil(audit.every.as_nanos())).unwrap_or(u64::MAX)
        })
    }

    /// How many payments are to be sent, where that does not depend on the answers.
    pub(super) fn payments(&self) -> Option<u64> {
        match self.load {
            Load::Users(_) => None,
            Load::PerSecond(rate) => Some(u64::from(rate) * u64::from(self.seconds)),
        }
    }

    /// When the last user leaves and the last stage has begun.
    pub(super) fn ends_after(&self) -> Duration {
        let load = Duration::from_secs(self.seconds.into());
        let last = self.stages.last().map_or(0, |stage| stage.at_ms);
        load.max(Duration::from_millis(last.into()))
    }

    /// What the script in `deploy/k6` is told.
    pub(super) fn plan(&self, target: &str, processors: &[(String, String)]) -> Value {
        let (users, per_second) = match self.load {
            Load::Users(users) => (Some(users), None),
            Load::PerSecond(rate) => (None, Some(rate)),
        };
        let processors: Vec<Value> = processors
            .iter()
            .map(|(url, token)| (url, token))
            .zip(PROCESSORS)
            .map(|((url, token), name)| json!({ "name": name, "url": url, "token": token }))
            .collect();
        let stages: Vec<Value> = self.stages.iter().map(stage_json).collect();
        let audit = self.audit.map(|audit| {
            json!({
                "everyMs": audit.every.as_millis() as u64,
                "fromMs": audit.from.as_millis() as u64,
                "toMs": audit.to.as_millis() as u64,
                "againAfterMs": AGAIN_AFTER.as_millis() as u64,
            })
        });
        json!({
            "target": target,
            "processors": processors,
            "users": users,
            "perSecond": per_second,
            "seconds": self.seconds,
            "amount": format!("{}.{:02}", self.amount_cents / 100, self.amount_cents % 100),
            "amountCents": self.amount_cents,
            "timeoutMs": ANSWER_TIMEOUT.as_millis() as u64,
            "audit": audit,
            "stages": stages,
        })
    }
}

fn stage_json(stage: &Stage) -> Value {
    let setting =
        |setting: &Setting| json!({ "delayMs": setting.delay_ms, "failing": setting.failing });
    let processors: Vec<Value> = stage.settings.iter().map(setting).collect();
    json!({ "atMs": stage.at_ms, "processors": processors })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_lasts_until_the_next_one() {
        let scenario = Scenario::finals();
        let check = |processor, at_ms, expected| {
            assert_eq!(scenario.setting(processor, at_ms), expected, "{at_ms} ms");
        };
        check(0, 0, works(0));
        check(0, 29_999, works(0));
        check(0, 30_000, works(1000));
        check(0, 149_999, fails(5000));
        check(1, 150_000, fails(5));
        check(0, 400_000, works(2000));
    }

    #[test]
    fn an_audit_is_due_at_each_beginning_of_its_time() {
        assert_eq!(Scenario::preview().audits(), 6);
        assert_eq!(Scenario::finals().audits(), 30);
        let longer = Scenario {
            seconds: 61,
            load: Load::PerSecond(300),
            ..Scenario::preview()
        };
        assert_eq!((longer.audits(), longer.payments()), (7, Some(18_300)));
        let without = Scenario {
            audit: None,
            ..Scenario::preview()
        };
        assert_eq!((without.audits(), without.payments()), (0, None));
    }

    #[test]
    fn the_script_is_told_amounts_as_text() {
        let plan = Scenario::finals().plan("http://x", &[]);
        assert_eq!(plan["amount"], "20.05");
        assert_eq!(plan["stages"][3]["processors"][0]["failing"], true);
        assert_eq!(plan["stages"][3]["processors"][1]["delayMs"], 1000);
    }
}
