//! Standing back from a processor: the fronts start nothing there until an operator ends it.

use std::collections::BTreeSet;

use crate::{Hold, Incarnation, JournalTime, LAPSE, ProcessorName};

/// The order to stand back from a processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandBack {
    /// Which.
    pub processor: ProcessorName,
    /// What a confirmation names. It is another one after each change, and in each run of the
    /// store: a store that restarts may have forgotten that this order was at an end for a
    /// while, and what was confirmed before then counts no more.
    pub token: String,
    /// When it was given, or given anew.
    pub at: JournalTime,
    /// By whom.
    pub by: String,
}

/// The reply to a front's confirmation that it stands back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirm {
    /// It is written down.
    Confirmed,
    /// The order is at an end, or another one by now: nothing happened.
    Stale,
    /// The hold is no longer good: nothing happened.
    Fenced,
}

/// An owner of open payments, and who has them in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Who works on its entries.
    pub hold: Hold,
    /// The holder's last heartbeat; none when it has resigned.
    pub beat: Option<JournalTime>,
    /// How many payments it has open.
    pub queued: u64,
    /// Of a front's present incarnation: the tokens that it has confirmed.
    pub confirmed: Vec<(ProcessorName, String)>,
}

/// Everybody who owns open payments or may come to own some, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fronts {
    /// The store's clock then.
    pub now: JournalTime,
    /// In the order of their names.
    pub owners: Vec<Owner>,
}

impl Fronts {
    /// The holders that have been heard of within [`LAPSE`].
    pub fn living(&self) -> BTreeSet<&Incarnation> {
        let living = self.owners.iter().filter(|owner| self.is_alive(owner));
        living.map(|owner| &owner.hold.holder).collect()
    }

    /// Whether a front has confirmed that it stands back, under its present hold of its own
    /// payments.
    pub fn has_confirmed(
        &self,
        holder: &Incarnation,
        processor: &ProcessorName,
        token: &str,
    ) -> bool {
        let own = self.owners.iter().find(|owner| owner.hold.owner == *holder);
        own.is_some_and(|own| {
            own.hold.holder == *holder
                && (own.confirmed.iter())
                    .any(|(name, confirmed)| name == processor && confirmed == token)
        })
    }

    /// The fronts that live and have not confirmed that they stand back.
    pub fn unconfirmed(&self, processor: &ProcessorName, token: &str) -> Vec<&Incarnation> {
        let mut living = Vec::from_iter(self.living());
        living.retain(|holder| !self.has_confirmed(holder, processor, token));
        living
    }

    /// Owners of open payments that nobody has in hand who lives or has confirmed: the next
    /// living front adopts them within seconds.
    pub fn left_alone(&self, processor: &ProcessorName, token: &str) -> Vec<&Incarnation> {
        let owners = self.owners.iter().filter(|owner| owner.queued > 0);
        let alone = owners.filter(|owner| {
            let holder = &owner.hold.holder;
            !self.is_alive(owner) && !self.has_confirmed(holder, processor, token)
        });
        alone.map(|owner| &owner.hold.owner).collect()
    }

    /// Whether all who live stand back, and so does whoever has this owner's payments in hand,
    /// living or not.
    pub fn stand_back(&self, owner: &Incarnation, processor: &ProcessorName, token: &str) -> bool {
        let record = self.owners.iter().find(|one| one.hold.owner == *owner);
        record.is_some_and(|record| self.has_confirmed(&record.hold.holder, processor, token))
            && self.unconfirmed(processor, token).is_empty()
    }

    fn is_alive(&self, owner: &Owner) -> bool {
        owner.beat.is_some_and(|beat| beat.age(self.now) < LAPSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000_000;

    fn owner(name: &str, holder: &str, silent_secs: Option<i64>, tokens: &[&str]) -> Owner {
        let default = || "default".parse::<ProcessorName>();
        Owner {
            hold: Hold {
                owner: Incarnation::new(name),
                holder: Incarnation::new(holder),
                epoch: 1,
            },
            beat: silent_secs.map(|secs| {
                let silent = secs.saturating_mul(1_000_000);
                JournalTime::from_micros(NOW.saturating_sub(silent))
            }),
            queued: 1,
            confirmed: tokens
                .iter()
                .map(|token| (default().expect("a name"), (*token).to_owned()))
                .collect(),
        }
    }

    fn check(owners: &[Owner], unconfirmed: &[&str], alone: &[&str], decidable: bool) {
        let fronts = Fronts {
            now: JournalTime::from_micros(NOW),
            owners: owners.to_vec(),
        };
        let default = "default".parse().expect("a name");
        let names = |found: Vec<&Incarnation>| Vec::from_iter(found.into_iter().cloned());
        let expected = |names: &[&str]| Vec::from_iter(names.iter().map(|n| Incarnation::new(n)));
        assert_eq!(
            names(fronts.unconfirmed(&default, "t")),
            expected(unconfirmed)
        );
        assert_eq!(names(fronts.left_alone(&default, "t")), expected(alone));
        let of_first = &owners[0].hold.owner;
        assert_eq!(fronts.stand_back(of_first, &default, "t"), decidable);
    }

    #[test]
    fn every_running_front_has_to_confirm_the_current_order() {
        let ours = owner("a", "a", Some(1), &["t"]);
        check(std::slice::from_ref(&ours), &[], &[], true);
        check(&[owner("a", "a", Some(1), &["s"])], &["a"], &[], false);
        check(&[owner("a", "a", Some(1), &[])], &["a"], &[], false);
        let other = owner("b", "b", Some(4), &[]);
        check(&[ours.clone(), other], &["b"], &[], false);
        let silent = owner("b", "b", Some(5), &[]);
        check(&[ours.clone(), silent], &[], &["b"], true);
        check(&[ours, owner("b", "b", None, &[])], &[], &["b"], true);
    }

    #[test]
    fn an_adopted_owner_counts_as_its_adopter() {
        let adopted = owner("a", "b", Some(1), &["t"]);
        check(
            &[adopted.clone(), owner("b", "b", Some(1), &["t"])],
            &[],
            &[],
            true,
        );
        // What stands in the record of an owner is the word of that front alone.
        check(
            &[adopted.clone(), owner("b", "b", Some(1), &[])],
            &["b"],
            &[],
            false,
        );
        check(&[adopted], &["b"], &[], false);
    }

    #[test]
    fn a_confirmation_counts_after_its_front_has_died() {
        check(&[owner("a", "a", None, &["t"])], &[], &[], true);
        check(&[owner("a", "a", None, &[])], &[], &["a"], false);
    }
}
