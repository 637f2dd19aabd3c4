//! What the clients saw: for each payment whether it was ever accepted, and everything that
//! went wrong on the way.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Findings are counted without end and quoted up to here.
const MAX_QUOTED: usize = 50;

/// How a post ended without a 202, though it may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Setback {
    Status(u16),
    Refused,
    Broken,
    TimedOut,
}

/// What became of one payment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) posted: bool,
    /// Some post of it was answered with 202.
    pub(super) accepted: bool,
    /// A client stopped to try.
    pub(super) given_up: bool,
}

/// All that the clients of a run saw.
#[derive(Clone, Debug, Default)]
pub(super) struct Sightings {
    /// By the number of the payment.
    pub(super) payments: Vec<Seen>,
    pub(super) posts: u64,
    pub(super) setbacks: BTreeMap<Setback, u64>,
    /// How long each 202 took, in microseconds.
    pub(super) latencies_us: Vec<u64>,
    pub(super) findings: u64,
    pub(super) quoted: Vec<String>,
}

impl Sightings {
    pub(super) fn accepted(&self) -> u64 {
        self.count(|seen| seen.accepted)
    }

    pub(super) fn posted(&self) -> u64 {
        self.count(|seen| seen.posted)
    }

    /// Given up by a client, and never accepted by another's post either.
    pub(super) fn failed_for_good(&self) -> u64 {
        self.count(|seen| seen.given_up && !seen.accepted)
    }

    fn count(&self, of: fn(&Seen) -> bool) -> u64 {
        self.payments.iter().filter(|seen| of(seen)).count() as u64
    }
}

/// Where the clients write down what they see.
#[derive(Default)]
pub(super) struct Register(Mutex<Sightings>);

impl Register {
    pub(super) fn posting(&self, number: u64) {
        self.with(number, |seen| seen.posted = true);
    }

    pub(super) fn accepted(&self, number: u64, took: Duration) {
        self.with(number, |seen| seen.accepted = true);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.locked(|all| {
            all.posts += 1;
            all.latencies_us.push(micros);
        });
    }

    pub(super) fn set_back(&self, setback: Setback) {
        self.locked(|all| {
            all.posts += 1;
            *all.setbacks.entry(setback).or_default() += 1;
        });
    }

    pub(super) fn given_up(&self, number: u64) {
        self.with(number, |seen| seen.given_up = true);
    }

    /// Something that the contract rules out.
    pub(super) fn finding(&self, text: String) {
        self.locked(|all| {
            all.findings += 1;
            if all.quoted.len() < MAX_QUOTED {
                all.quoted.push(text);
            }
        });
    }

    /// All that was seen so far.
    pub(super) fn sightings(&self) -> Sightings {
        self.locked(|all| all.clone())
    }

    /// Payments accepted so far, and posts answered otherwise.
    pub(super) fn progress(&self) -> (u64, u64) {
        self.locked(|all| (all.accepted(), all.setbacks.values().sum()))
    }

    fn with(&self, number: u64, change: impl FnOnce(&mut Seen)) {
        let Ok(index) = usize::try_from(number) else {
            return;
        };
        self.locked(|all| {
            if all.payments.len() <= index {
                all.payments.resize(index + 1, Seen::default());
            }
            change(&mut all.payments[index]);
        });
    }

    fn locked<T>(&self, act: impl FnOnce(&mut Sightings) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The value that so many of a thousand do not exceed; nothing of nothing.
pub(super) fn per_mille(values: &[u64], share: usize) -> Option<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * share).div_ceil(1000);
    sorted.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_values_is_found_by_rank() {
        let values: Vec<u64> = (1..=1000).rev().collect();
        let check = |share, expected| assert_eq!(per_mille(&values, share), Some(expected));
        check(0, 1);
        check(500, 500);
        check(990, 990);
        check(1000, 1000);
        assert_eq!(per_mille(&[7], 990), Some(7));
        assert_eq!(per_mille(&[], 990), None);
    }

    #[test]
    fn a_payment_is_accepted_when_any_post_of_it_was() {
        let register = Register::default();
        for number in [0, 3] {
            register.posting(number);
        }
        register.given_up(3);
        register.given_up(0);
        register.accepted(3, Duration::from_millis(1));
        register.set_back(Setback::Status(503));
        let seen = register.sightings();
        assert_eq!((seen.posted(), seen.accepted()), (2, 1));
        assert_eq!(seen.failed_for_good(), 1);
        assert_eq!(seen.posts, 2);
    }
}
