use std::time::Duration;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use crate::dice::{Dice, Probability};
use crate::reply::{Ends, Reply};
use crate::rules::{IfHeld, PostRule};

/// What goes wrong on purpose: how probable each mishap is, and its values.
///
/// A payment has at most one mishap. They are tried in the order of the fields, each with
/// its own throw of the dice.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Chaos {
    /// The connection is reset and nothing is stored.
    pub reset_before_insert: Probability,
    /// The payment is stored, and answered, `late_insert_ms` later, when the client may
    /// have gone. It keeps its permit for so long.
    pub late_insert: Probability,
    /// How much later, in milliseconds.
    pub late_insert_ms: u32,
    /// It is stored, then the connection is reset.
    pub reset_after_insert: Probability,
    /// It is stored, then the connection hangs without an answer and is closed. Its
    /// permit is free again: only the answer hangs.
    pub hang_after_insert: Probability,
    /// How long it hangs, in milliseconds.
    pub hang_after_insert_ms: u32,
    /// It is stored and answered with 500 and a message.
    pub error_after_insert: Probability,
    /// A new connection is reset before anything is read. At 1 the listening socket is
    /// closed, so that connecting is refused, and so are kept connections, but for those
    /// that were used for `/admin`.
    pub refuse: Probability,
    /// Where the dice start from. Setting it starts them anew.
    pub seed: u64,
}

/// Nothing goes wrong.
impl Default for Chaos {
    fn default() -> Self {
        Self {
            reset_before_insert: Probability::NEVER,
            late_insert: Probability::NEVER,
            late_insert_ms: 5_000,
            reset_after_insert: Probability::NEVER,
            hang_after_insert: Probability::NEVER,
            hang_after_insert_ms: 30_000,
            error_after_insert: Probability::NEVER,
            refuse: Probability::NEVER,
            seed: 0,
        }
    }
}

/// A change of some settings: what is missing stays.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct ChaosChange {
    reset_before_insert: Option<Probability>,
    late_insert: Option<Probability>,
    late_insert_ms: Option<u32>,
    reset_after_insert: Option<Probability>,
    hang_after_insert: Option<Probability>,
    hang_after_insert_ms: Option<u32>,
    error_after_insert: Option<Probability>,
    refuse: Option<Probability>,
    pub(crate) seed: Option<u64>,
}

impl ChaosChange {
    pub(crate) fn applied_to(self, old: Chaos) -> Chaos {
        Chaos {
            reset_before_insert: self.reset_before_insert.unwrap_or(old.reset_before_insert),
            late_insert: self.late_insert.unwrap_or(old.late_insert),
            late_insert_ms: self.late_insert_ms.unwrap_or(old.late_insert_ms),
            reset_after_insert: self.reset_after_insert.unwrap_or(old.reset_after_insert),
            hang_after_insert: self.hang_after_insert.unwrap_or(old.hang_after_insert),
            hang_after_insert_ms: self
                .hang_after_insert_ms
                .unwrap_or(old.hang_after_insert_ms),
            error_after_insert: self.error_after_insert.unwrap_or(old.error_after_insert),
            refuse: self.refuse.unwrap_or(old.refuse),
            seed: self.seed.unwrap_or(old.seed),
        }
    }
}

/// The settings in force and the dice they are thrown with.
#[derive(Default)]
pub(crate) struct Fortune {
    chaos: Chaos,
    dice: Dice,
}

impl Fortune {
    pub(crate) fn chaos(&self) -> Chaos {
        self.chaos
    }

    /// Puts settings in force; the dice go on unless `reseed`.
    pub(crate) fn set(&mut self, chaos: Chaos, reseed: bool) {
        self.chaos = chaos;
        if reseed {
            self.dice = Dice::new(chaos.seed);
        }
    }

    /// Whether a new connection is refused.
    pub(crate) fn refuses(&mut self) -> bool {
        self.dice.hit(self.chaos.refuse)
    }

    /// What becomes of the next payment.
    pub(crate) fn mishap(&mut self) -> PostRule {
        let chaos = self.chaos;
        for (probability, rule) in [
            (chaos.reset_before_insert, reset_before as fn(&Chaos) -> _),
            (chaos.late_insert, store_late),
            (chaos.reset_after_insert, reset_after),
            (chaos.hang_after_insert, hang_after),
            (chaos.error_after_insert, error_after),
        ] {
            if self.dice.hit(probability) {
                return rule(&chaos);
            }
        }
        PostRule::default()
    }
}

fn reset_before(_: &Chaos) -> PostRule {
    PostRule {
        stores: false,
        // The connection is gone before anybody looks whether the id is held.
        held: IfHeld::SameRule,
        reply: Reply::ending(Ends::Reset),
        ..PostRule::default()
    }
}

fn store_late(chaos: &Chaos) -> PostRule {
    PostRule {
        delay: Some(Duration::from_millis(chaos.late_insert_ms.into())),
        ..PostRule::default()
    }
}

fn reset_after(_: &Chaos) -> PostRule {
    PostRule {
        reply: Reply::ending(Ends::Reset),
        ..PostRule::default()
    }
}

fn hang_after(chaos: &Chaos) -> PostRule {
    PostRule {
        delay: Some(Duration::from_millis(chaos.hang_after_insert_ms.into())),
        stores_after: Some(Duration::ZERO),
        reply: Reply::ending(Ends::Close),
        ..PostRule::default()
    }
}

fn error_after(_: &Chaos) -> PostRule {
    PostRule {
        reply: Reply::message(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the connection to the database broke",
        ),
        ..PostRule::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(value: f64) -> Probability {
        Probability::try_from(value).unwrap()
    }

    fn fortune(chaos: Chaos) -> Fortune {
        let mut fortune = Fortune::default();
        fortune.set(chaos, true);
        fortune
    }

    #[test]
    fn by_default_nothing_goes_wrong() {
        let mut fortune = Fortune::default();
        let faithful = PostRule::default();
        assert!((0..1000).all(|_| fortune.mishap() == faithful && !fortune.refuses()));
    }

    #[test]
    fn the_same_seed_throws_the_same() {
        let chaos = Chaos {
            reset_before_insert: share(0.3),
            error_after_insert: share(0.5),
            seed: 7,
            ..Chaos::default()
        };
        let throws = |mut fortune: Fortune| {
            (0..200)
                .map(|_| fortune.mishap())
                .collect::<Vec<PostRule>>()
        };
        assert_eq!(throws(fortune(chaos)), throws(fortune(chaos)));
        assert_ne!(
            throws(fortune(chaos)),
            throws(fortune(Chaos { seed: 8, ..chaos }))
        );
    }

    #[test]
    fn mishaps_happen_as_often_as_told() {
        let mut fortune = fortune(Chaos {
            late_insert: share(0.25),
            late_insert_ms: 40,
            ..Chaos::default()
        });
        let late = PostRule {
            delay: Some(Duration::from_millis(40)),
            ..PostRule::default()
        };
        let hits = (0..10_000).filter(|_| fortune.mishap() == late).count();
        assert!((2_300..2_700).contains(&hits), "{hits}");
    }

    #[test]
    fn a_change_leaves_the_rest_and_refuses_what_it_does_not_know() {
        let change: ChaosChange =
            serde_json::from_str(r#"{"lateInsert":0.5,"lateInsertMs":10}"#).unwrap();
        let old = Chaos {
            refuse: share(0.1),
            ..Chaos::default()
        };
        let new = change.applied_to(old);
        assert_eq!(
            new,
            Chaos {
                late_insert: share(0.5),
                late_insert_ms: 10,
                ..old
            }
        );
        for wrong in [
            r#"{"lateinsert":0.5}"#,
            r#"{"refuse":1.1}"#,
            r#"{"refuse":-0.1}"#,
            r#"{"refuse":"1"}"#,
            r#"{"lateInsertMs":-1}"#,
        ] {
            assert!(
                serde_json::from_str::<ChaosChange>(wrong).is_err(),
                "{wrong}"
            );
        }
    }
}
