//! Which fault happens when, drawn up front from the seed.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;
use feeway_stack::simulators::Switch;

use super::simulators::{MISHAPS, PROCESSORS};

/// The first fault finds a stack at work.
const FIRST_AFTER: Duration = Duration::from_secs(3);

/// No fault begins in the last seconds: it would be healed before it did anything.
const QUIET_END: Duration = Duration::from_secs(3);

/// From one fault to the next, in milliseconds: about one every 3 s, and several at a time,
/// because most last longer.
const GAP_MS: std::ops::Range<u64> = 1_500..4_500;

/// With `everysec` Redis and a front must not fail together: what a front acknowledged in
/// its last 3 s is safe only in one of the two.
const APART: Duration = Duration::from_secs(5);

/// One operator at a time: that takes as long as a late insert may, and some more.
const OPERATORS_APART: Duration = Duration::from_secs(90);

/// A process that is killed again so soon is started again ever later.
const REDIS_KILLS_APART: Duration = Duration::from_secs(8);

/// A draw that is not allowed at its time is repeated so often, and then left out.
const MAX_DRAWS: usize = 20;

const PAUSE_MS: std::ops::Range<u64> = 1_000..30_000;
const SWITCHED_MS: std::ops::Range<u64> = 2_000..15_000;
const DELAYS_MS: [u32; 5] = [50, 400, 1_500, 3_000, 8_000];
const PROBABILITIES_PER_MILLE: [u32; 4] = [50, 200, 500, 1_000];

/// A late insert or a hang lasts up to this; the wait at the end is far longer.
const LATE_MS: std::ops::Range<u32> = 1_000..35_000;

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    /// kill -9; the supervisor starts it again.
    Kill(String),
    Pause(String),
    Resume(String),
    /// Switches a simulator, named by its place, into trouble.
    Trouble(usize, Switch),
    /// Ends such a trouble.
    Relief(usize, Switch),
    /// An operator has the fronts stand back from a simulator and decides what is pinned there.
    Decide(usize),
}

/// Something to do at a time after the begin of the load.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) at: Duration,
    pub(super) action: Action,
}

/// What a schedule is to be made for.
pub(super) struct Setting<'a> {
    pub(super) seed: u64,
    pub(super) length: Duration,
    pub(super) fronts: &'a [String],
    pub(super) leaders: &'a [String],
    /// Whether Redis and a front may fail together.
    pub(super) fsync_always: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    KillFront,
    PauseFront,
    KillLeader,
    KillRedis,
    KillNats,
    KillHaproxy,
    Delay,
    Failing,
    Mishap,
    Decide,
}

/// The kinds with their shares of a hundred.
const KINDS: [(Kind, u32); 10] = [
    (Kind::KillFront, 18),
    (Kind::PauseFront, 12),
    (Kind::KillLeader, 6),
    (Kind::KillRedis, 12),
    (Kind::KillNats, 6),
    (Kind::KillHaproxy, 6),
    (Kind::Delay, 8),
    (Kind::Failing, 10),
    (Kind::Mishap, 18),
    (Kind::Decide, 4),
];

/// The whole schedule in the order of time. The same setting gives the same schedule.
pub(super) fn draw(setting: &Setting<'_>) -> Vec<Step> {
    let mut drawing = Drawing {
        setting,
        dice: Rng::with_seed(setting.seed),
        steps: Vec::new(),
        front_faults: Vec::new(),
        redis_kills: Vec::new(),
        decided_at: None,
        paused_until: Duration::ZERO,
        troubled_until: vec![],
    };
    let end = setting.length.saturating_sub(QUIET_END);
    let mut at = FIRST_AFTER;
    while at < end {
        for _ in 0..MAX_DRAWS {
            if drawing.add(at) {
                break;
            }
        }
        at += Duration::from_millis(drawing.dice.u64(GAP_MS));
    }
    // The sort is stable: what was drawn first happens first.
    drawing.steps.sort_by_key(|step| step.at);
    drawing.steps
}

struct Drawing<'a> {
    setting: &'a Setting<'a>,
    dice: Rng,
    steps: Vec<Step>,
    front_faults: Vec<Duration>,
    redis_kills: Vec<Duration>,
    decided_at: Option<Duration>,
    paused_until: Duration,
    /// Which switch of which simulator is not to be touched until when.
    troubled_until: Vec<(usize, String, Duration)>,
}

impl Drawing<'_> {
    /// Draws a fault for this time. Returns false when it may not happen then.
    fn add(&mut self, at: Duration) -> bool {
        match self.kind() {
            Kind::KillFront => self.add_front_fault(at, false),
            Kind::PauseFront => self.add_front_fault(at, true),
            Kind::KillRedis => self.add_redis_kill(at),
            Kind::KillLeader => {
                let leader = self.dice.choice(self.setting.leaders).cloned();
                leader.is_some_and(|leader| self.push(at, Action::Kill(leader)))
            }
            Kind::KillNats => self.push(at, Action::Kill("nats".to_owned())),
            Kind::KillHaproxy => self.push(at, Action::Kill("haproxy".to_owned())),
            Kind::Delay => {
                let delay = self.dice.choice(DELAYS_MS).unwrap_or(0);
                self.add_trouble(at, Switch::DelayMs(delay), Switch::DelayMs(0))
            }
            Kind::Failing => self.add_trouble(at, Switch::Failing(true), Switch::Failing(false)),
            Kind::Decide => self.add_decision(at),
            Kind::Mishap => {
                let (name, extra) = self.dice.choice(MISHAPS).unwrap_or(MISHAPS[0]);
                let per_mille = self.dice.choice(PROBABILITIES_PER_MILLE).unwrap_or(0);
                let extra = extra.map(|name| (name, self.dice.u32(LATE_MS)));
                let mishap = |per_mille, extra| Switch::Mishap {
                    name,
                    per_mille,
                    extra,
                };
                self.add_trouble(at, mishap(per_mille, extra), mishap(0, None))
            }
        }
    }

    fn kind(&mut self) -> Kind {
        let all = KINDS.iter().map(|(_, share)| share).sum();
        let mut place = self.dice.u32(0..all);
        for (kind, share) in KINDS {
            if place < share {
                return kind;
            }
            place -= share;
        }
        Kind::KillFront
    }

    /// One front at a time is paused; the others may be killed meanwhile.
    fn add_front_fault(&mut self, at: Duration, pause: bool) -> bool {
        let too_early = |other: &Duration| at < *other + APART;
        let apart = self.setting.fsync_always || !self.redis_kills.iter().any(too_early);
        let Some(front) = self.dice.choice(self.setting.fronts).cloned() else {
            return false;
        };
        if !apart || (pause && at < self.paused_until) {
            return false;
        }
        self.front_faults.push(at);
        if !pause {
            return self.push(at, Action::Kill(front));
        }
        self.paused_until = at + Duration::from_millis(self.dice.u64(PAUSE_MS));
        self.push(at, Action::Pause(front.clone()));
        self.push(self.paused_until, Action::Resume(front))
    }

    fn add_redis_kill(&mut self, at: Duration) -> bool {
        let within = |others: &[Duration], apart| others.iter().any(|other| at < *other + apart);
        let together = !self.setting.fsync_always && within(&self.front_faults, APART);
        if together || within(&self.redis_kills, REDIS_KILLS_APART) {
            return false;
        }
        self.redis_kills.push(at);
        self.push(at, Action::Kill("redis".to_owned()))
    }

    fn add_decision(&mut self, at: Duration) -> bool {
        if self
            .decided_at
            .is_some_and(|last| at < last + OPERATORS_APART)
        {
            return false;
        }
        self.decided_at = Some(at);
        let place = self.dice.usize(0..PROCESSORS.len());
        self.push(at, Action::Decide(place))
    }

    /// Two troubles of one switch must not overlap: the end of one would end the other.
    fn add_trouble(&mut self, at: Duration, on: Switch, off: Switch) -> bool {
        let place = self.dice.usize(0..PROCESSORS.len());
        let name = on.name().to_owned();
        let busy = self
            .troubled_until
            .iter()
            .any(|(p, n, until)| *p == place && *n == name && at <= *until);
        if busy {
            return false;
        }
        let until = at + Duration::from_millis(self.dice.u64(SWITCHED_MS));
        self.troubled_until.push((place, name, until));
        self.push(at, Action::Trouble(place, on));
        self.push(until, Action::Relief(place, off))
    }

    fn push(&mut self, at: Duration, action: Action) -> bool {
        self.steps.push(Step { at, action });
        true
    }
}

impl Action {
    /// The kind of fault it begins, by which faults are counted; nothing if it ends one.
    pub(super) fn fault(&self) -> Option<String> {
        match self {
            Self::Kill(name) => Some(format!("kill {}", kind_of(name))),
            Self::Pause(name) => Some(format!("pause {}", kind_of(name))),
            Self::Trouble(_, switch) => Some(switch.name().to_owned()),
            Self::Decide(_) => Some("operator".to_owned()),
            Self::Resume(_) | Self::Relief(..) => None,
        }
    }
}

fn kind_of(name: &str) -> &str {
    name.split('-').next().unwrap_or(name)
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(name) => write!(f, "kill -9 {name}"),
            Self::Pause(name) => write!(f, "pause {name}"),
            Self::Resume(name) => write!(f, "resume {name}"),
            Self::Decide(place) => write!(f, "{}: an operator decides", processor(*place)),
            Self::Relief(place, switch) => write!(f, "{}: no {}", processor(*place), switch.name()),
            Self::Trouble(place, switch) => {
                write!(f, "{}: {}", processor(*place), switch.name())?;
                match switch {
                    Switch::DelayMs(delay) => write!(f, " {delay} ms"),
                    Switch::Failing(_) => Ok(()),
                    Switch::Mishap {
                        per_mille, extra, ..
                    } => {
                        write!(f, " {}.{} %", per_mille / 10, per_mille % 10)?;
                        extra.map_or(Ok(()), |(_, ms)| write!(f, ", {ms} ms"))
                    }
                }
            }
        }
    }
}

fn processor(place: usize) -> &'static str {
    PROCESSORS.get(place).map_or("?", |(name, _)| name)
}

#[cfg(test)]
mod tests;
