//! How long the payments of a front that was killed or paused were without an owner, read
//! from the logs of the fronts.
//!
//! A front writes `enlisted` (field `incarnation`) when a life of it begins, `adopted` (field
//! `owner`) when it takes over what another life had open, and `adopted payments are all
//! done` when the last of these is settled. The time counts from the kill or the pause of the
//! front that held the payments.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Deserialize;

use super::faults::{Blow, BlowKind};

/// After Redis was away nobody adopts for a while, and before a front is adopted others need
/// to live: a takeover is disturbed by anything that happened so shortly before.
const DISTURBANCE_US: i64 = 10_000_000;

/// Something that a front said about ownership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// Microseconds since 1970.
    pub(super) at_us: i64,
    /// The front that said it.
    pub(super) front: String,
    /// The incarnation it is about.
    pub(super) owner: String,
    pub(super) what: SaidKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SaidKind {
    Enlisted,
    Adopted,
    AllDone,
}

/// One owner that was adopted because its holder was killed or paused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Takeover {
    pub(super) owner: String,
    pub(super) by: String,
    pub(super) cause: BlowKind,
    /// From the kill or pause to the adoption.
    pub(super) adopted_after_us: i64,
    /// From the kill or pause until the last adopted payment was settled, if that was said.
    pub(super) done_after_us: Option<i64>,
    /// Redis or another front was in trouble as well.
    pub(super) disturbed: bool,
}

/// Reads what a front said, in the order of time. A log that was moved aside comes first.
pub(super) fn read_log(log: &Path, front: &str) -> Result<Vec<Said>> {
    let mut said = Vec::new();
    for path in [log.with_extension("log.1"), log.to_owned()] {
        match fs::read_to_string(&path) {
            Ok(text) => said.extend(text.lines().filter_map(|line| parse(line, front))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        }
    }
    Ok(said)
}

/// Reads a line, if it is about ownership.
pub(super) fn parse(line: &str, front: &str) -> Option<Said> {
    #[derive(Deserialize)]
    struct Line {
        timestamp: Timestamp,
        message: String,
        incarnation: Option<String>,
        owner: Option<String>,
    }
    let line: Line = serde_json::from_str(line).ok()?;
    let (what, owner) = match &*line.message {
        "enlisted" => (SaidKind::Enlisted, line.incarnation?),
        "adopted" => (SaidKind::Adopted, line.owner?),
        "adopted payments are all done" => (SaidKind::AllDone, line.owner?),
        _ => return None,
    };
    Some(Said {
        at_us: line.timestamp.as_microsecond(),
        front: front.to_owned(),
        owner,
        what,
    })
}

/// Finds the cause of each adoption. One without a cause of ours (Redis was away for all) is
/// left out.
pub(super) fn takeovers(said: &[Said], blows: &[Blow]) -> Vec<Takeover> {
    let mut said: Vec<&Said> = said.iter().collect();
    said.sort_by_key(|line| line.at_us);
    // Who held an owner last, and since when.
    let mut holders: BTreeMap<&str, (&str, i64)> = BTreeMap::new();
    let mut found = Vec::new();
    for line in &said {
        match line.what {
            SaidKind::Enlisted => {}
            SaidKind::AllDone => continue,
            SaidKind::Adopted => {
                let holder = holders.get(&*line.owner).copied();
                let cause = holder.and_then(|(front, since)| {
                    let span = since..=line.at_us;
                    cause(
                        blows
                            .iter()
                            .filter(|blow| blow.name == front && span.contains(&blow.at_us)),
                    )
                });
                found.extend(cause.map(|cause| takeover(line, cause, &said, blows)));
            }
        }
        holders.insert(&line.owner, (&line.front, line.at_us));
    }
    found
}

/// The blow that silenced a life of a front, of all blows since it began: the pause in which
/// it was when it was killed or adopted, else its first kill, else its last pause.
fn cause<'a>(blows: impl Iterator<Item = &'a Blow>) -> Option<&'a Blow> {
    let (mut pause, mut asleep) = (None, false);
    for blow in blows {
        match blow.what {
            BlowKind::Paused => (pause, asleep) = (Some(blow), true),
            BlowKind::Resumed => asleep = false,
            BlowKind::Killed if asleep => return pause,
            BlowKind::Killed => return Some(blow),
        }
    }
    pause
}

fn takeover(adopted: &Said, cause: &Blow, said: &[&Said], blows: &[Blow]) -> Takeover {
    let done = said.iter().find(|line| {
        line.what == SaidKind::AllDone && line.owner == adopted.owner && line.at_us >= adopted.at_us
    });
    let span = cause.at_us - DISTURBANCE_US..=adopted.at_us;
    let disturbed = blows.iter().any(|blow| {
        let matters = blow.name == "redis" || blow.name.starts_with("front");
        // The end of its own pause, and what it did to itself, are no disturbance.
        matters && blow.name != cause.name && span.contains(&blow.at_us)
    });
    Takeover {
        owner: adopted.owner.clone(),
        by: adopted.front.clone(),
        cause: cause.what,
        adopted_after_us: adopted.at_us - cause.at_us,
        done_after_us: done.map(|done| done.at_us - cause.at_us),
        disturbed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(at_s: i64, front: &str, owner: &str, what: SaidKind) -> Said {
        Said {
            at_us: at_s * 1_000_000,
            front: front.to_owned(),
            owner: owner.to_owned(),
            what,
        }
    }

    fn blow(at_s: i64, name: &str, what: BlowKind) -> Blow {
        Blow {
            at_us: at_s * 1_000_000,
            name: name.to_owned(),
            what,
        }
    }

    #[test]
    fn a_log_line_about_ownership_is_read_and_no_other() {
        let line = r#"{"timestamp":"1970-01-01T00:00:02.000003Z","level":"INFO","message":"adopted","owner":"front-1.x.1","epoch":2,"target":"feeway_worker::heartbeat"}"#;
        let expected = Said {
            at_us: 2_000_003,
            front: "front-2".to_owned(),
            owner: "front-1.x.1".to_owned(),
            what: SaidKind::Adopted,
        };
        assert_eq!(parse(line, "front-2"), Some(expected));
        assert_eq!(parse(&line.replace("adopted", "adopting"), "front-2"), None);
        assert_eq!(parse("not JSON", "front-2"), None);
    }

    #[test]
    fn time_counts_from_the_last_blow_to_whoever_held_the_payments() {
        let said = [
            said(1, "front-1", "front-1.a", SaidKind::Enlisted),
            said(1, "front-2", "front-2.b", SaidKind::Enlisted),
            said(36, "front-2", "front-1.a", SaidKind::Adopted),
            said(57, "front-1", "front-1.a", SaidKind::Adopted),
            said(60, "front-1", "front-1.a", SaidKind::AllDone),
            said(58, "front-1", "front-2.b", SaidKind::Adopted),
        ];
        let blows = [
            blow(30, "front-1", BlowKind::Killed),
            blow(40, "front-1", BlowKind::Killed),
            blow(51, "front-2", BlowKind::Paused),
            blow(59, "front-2", BlowKind::Resumed),
        ];
        let found = takeovers(&said, &blows);
        let times: Vec<_> = found
            .iter()
            .map(|t| (t.adopted_after_us / 1_000_000, &*t.by, t.disturbed))
            .collect();
        assert_eq!(
            times,
            [
                (6, "front-2", false),
                (6, "front-1", false),
                (7, "front-1", false)
            ]
        );
        assert_eq!(found[1].done_after_us, Some(9_000_000));
        assert_eq!(found[1].cause, BlowKind::Paused);
    }

    #[test]
    fn a_life_ends_at_its_first_kill_or_in_the_pause_before_it() {
        use BlowKind::{Killed, Paused, Resumed};
        let check = |kinds: &[BlowKind], expected: Option<i64>| {
            let blows: Vec<Blow> = (0..).zip(kinds).map(|(at, k)| blow(at, "f", *k)).collect();
            let found = cause(blows.iter()).map(|blow| blow.at_us / 1_000_000);
            assert_eq!(found, expected, "{kinds:?}");
        };
        check(&[], None);
        check(&[Killed, Killed], Some(0));
        check(&[Paused, Killed, Resumed], Some(0));
        check(&[Paused, Resumed, Killed], Some(2));
        check(&[Paused, Resumed, Paused, Resumed], Some(2));
    }

    #[test]
    fn an_adoption_without_a_blow_has_no_time_and_redis_disturbs() {
        let said = [
            said(1, "front-1", "front-1.a", SaidKind::Enlisted),
            said(36, "front-2", "front-1.a", SaidKind::Adopted),
        ];
        assert_eq!(
            takeovers(&said, &[blow(40, "front-1", BlowKind::Killed)]),
            []
        );
        let blows = [
            blow(25, "redis", BlowKind::Killed),
            blow(30, "front-1", BlowKind::Killed),
        ];
        assert!(takeovers(&said, &blows)[0].disturbed);
    }
}
