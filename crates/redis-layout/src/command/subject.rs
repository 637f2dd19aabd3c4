use std::fmt::{self, Display};

use feeway_domain::CorrelationId;
use redis::{Arg, Cmd};

/// What a command is about, for whoever reads that it failed.
#[derive(Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The function that it calls, or its own name.
    pub step: &'a str,
    /// The payments it is about.
    pub ids: Ids,
}

/// Payments, in the order in which a step has them.
#[derive(Debug, PartialEq, Eq)]
pub struct Ids(Vec<CorrelationId>);

impl Display for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ids = self.0.iter();
        if let Some(first) = ids.next() {
            write!(f, "{first}")?;
        }
        ids.try_for_each(|id| write!(f, " {id}"))
    }
}

/// The place of the first id among the arguments of a function, and how far apart others follow.
fn places(function: &str) -> Option<(usize, usize)> {
    /// Only one.
    const ALONE: usize = usize::MAX;
    match function {
        "accept_all" | "known_all" => Some((4, 3)),
        "settle_all" => Some((7, 5)),
        "restore_settle" | "resolve_held" | "decide_held" | "settle_stated" | "restore_stated"
        | "undo_stated" => Some((7, ALONE)),
        "rename" | "note_answered" | "reject" | "restore_reject" | "restore_entry" | "reopen"
        | "resolve_not_held" | "decide_not_held" => Some((0, ALONE)),
        _ => None,
    }
}

/// Reads it from a command as it was sent.
pub fn subject(command: &Cmd) -> Subject<'_> {
    let words: Vec<&[u8]> = command
        .args_iter()
        .filter_map(|arg| {
            if let Arg::Simple(word) = arg {
                Some(word)
            } else {
                None
            }
        })
        .collect();
    let text = |at: usize| {
        words
            .get(at)
            .and_then(|word| std::str::from_utf8(word).ok())
    };
    let name = text(0).unwrap_or_default();
    let (Some(function), "FCALL") = (text(1), name) else {
        return Subject {
            step: name,
            ids: Ids(Vec::new()),
        };
    };
    let keys: usize = text(2).and_then(|keys| keys.parse().ok()).unwrap_or(0);
    let ids = places(function).map_or_else(Vec::new, |(first, apart)| {
        let arguments = words
            .iter()
            .skip(keys.saturating_add(3).saturating_add(first));
        let ids = arguments.step_by(apart).map(|id| <[u8; 16]>::try_from(*id));
        // What comes behind the last one is none.
        let ids = ids.map_while(Result::ok);
        ids.map(CorrelationId::from_bytes).collect()
    });
    Subject {
        step: function,
        ids: Ids(ids),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::command;
    use feeway_domain::{
        Custody, Entry, Fee, Hold, Incarnation, JournalTime, Money, Payment, Proof, Run, Settlement,
    };

    /// Sixteen bytes, and no id.
    const WORDS: &str = "0123456789abcdef";

    fn id(number: u8) -> CorrelationId {
        CorrelationId::from_bytes([number; 16])
    }

    fn payment(number: u8) -> Payment {
        Payment {
            id: id(number),
            amount: Money::from_cents(1_990).unwrap(),
        }
    }

    fn settlement(number: u8) -> Settlement {
        Settlement {
            payment: payment(number),
            processor: "default".parse().unwrap(),
            requested_at: "2025-07-15T12:00:00Z".parse().unwrap(),
            fee: Fee::from_millionths(50_000).unwrap(),
        }
    }

    fn hold() -> Hold {
        let owner = Incarnation::new("front-1.a");
        Hold {
            owner: owner.clone(),
            holder: owner,
            epoch: 1,
        }
    }

    fn seen() -> Custody {
        let now = JournalTime::from_micros(1_751_328_000_000_000);
        Custody {
            entry: Entry {
                payment: payment(1),
                owner: hold().owner,
                processor: None,
                moves: 0,
                accepted_at: now,
            },
            hold: Some(hold()),
            beat: None,
            now,
        }
    }

    #[track_caller]
    fn check(command: &Cmd, step: &str, ids: &[u8]) {
        let ids = Ids(ids.iter().map(|&number| id(number)).collect());
        assert_eq!(subject(command), Subject { step, ids });
    }

    #[test]
    fn a_settlement_tells_its_payments() {
        let [one, two, three] = [1, 2, 3].map(settlement);
        let run = Run {
            id: WORDS.to_owned(),
            file: WORDS.to_owned(),
            by: WORDS.to_owned(),
            expected: 1,
        };
        let (owner, slip) = (hold().owner, Duration::from_secs(1));
        let all = [one.clone(), two.clone(), three];
        check(&command::settle_all(all.iter()), "settle_all", &[1, 2, 3]);
        check(&command::restore_settle(&one), "restore_settle", &[1]);
        let held = command::resolve_held(&one, &seen(), WORDS);
        check(&held, "resolve_held", &[1]);
        let stated = command::settle_stated(&two, &run, slip, &Proof::Silence);
        check(&stated, "settle_stated", &[2]);
        let again = command::restore_stated(&two, &run);
        check(&again, "restore_stated", &[2]);
        let undo = command::undo_stated(WORDS, &two, &owner, WORDS);
        check(&undo, "undo_stated", &[2]);
        let ids = subject(&undo).ids.to_string();
        assert_eq!(ids, id(2).to_string());
        let ids = subject(&command::settle_all(all[..2].iter()))
            .ids
            .to_string();
        assert_eq!(ids, format!("{} {}", id(1), id(2)));
    }

    #[test]
    fn every_other_step_tells_its_payments() {
        let (hold, one, two) = (hold(), payment(1), payment(2));
        let name = "default".parse().unwrap();
        let intakes = || [(&one, Some(&name)), (&two, None)].into_iter();
        let accept = command::accept_all(&hold, intakes(), 9);
        check(&accept, "accept_all", &[1, 2]);
        let known = command::known_all(&hold, intakes());
        check(&known, "known_all", &[1, 2]);
        let not_held = command::resolve_not_held(&seen(), WORDS);
        check(&not_held, "resolve_not_held", &[1]);
        check(&command::rename(&hold, id(1), 0, &name), "rename", &[1]);
        let note = command::note_answered(&hold, id(1), 0);
        check(&note, "note_answered", &[1]);
        let reject = command::reject(&hold, id(1), WORDS, Duration::from_secs(1));
        check(&reject, "reject", &[1]);
        let reopen = command::reopen(id(1), &hold.owner, WORDS);
        check(&reopen, "reopen", &[1]);
        let claim = command::RunClaim::default();
        check(
            &command::beat(std::slice::from_ref(&hold), &claim),
            "beat",
            &[],
        );
        check(&redis::cmd("TIME"), "TIME", &[]);
    }
}
