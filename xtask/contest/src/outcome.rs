//! What came of a run, judged by the contest's rules.

use std::time::Duration;

use super::k6_run::Counted;
use super::onlooker::onlooker;
use super::oracle::{Outlook, oracle};
use super::scenario::Scenario;
use super::score::{Profit, Share, bonus_percent};

/// A finished run.
pub(super) struct Outcome {
    pub(super) counted: Counted,
    /// What the processors held when it was too late to settle more.
    pub(super) held: [u64; 2],
    /// Payments that both processors hold.
    pub(super) twice: u64,
    /// How long after the users had left the last payment was settled, where that was waited
    /// for.
    pub(super) settled_after: Option<Duration>,
}

/// Its figures.
pub(super) struct Figures {
    pub(super) score: Profit,
    pub(super) profit: Profit,
    pub(super) bonus_percent: u32,
    pub(super) p99_us: u64,
    pub(super) lost: u64,
    pub(super) too_many: u64,
    pub(super) inconsistencies: u64,
    /// Nearly every audit and payment that the scenario asks for was made: otherwise what was
    /// found says little.
    pub(super) complete: bool,
    /// Of what all payments on the cheapest would have earned.
    pub(super) share_of_best: Share,
    pub(super) on_default: Share,
    pub(super) oracle: Outlook,
    pub(super) share_of_oracle: Share,
    pub(super) default_of_oracle: Share,
    pub(super) onlooker: Outlook,
    pub(super) share_of_onlooker: Share,
}

/// How many percent of the audits, and of the payments of an even load, are to be made.
const COMPLETE_PERCENT: u64 = 95;

impl Outcome {
    fn is_complete(&self, scenario: &Scenario) -> bool {
        let enough = |made: u64, planned: u64| made * 100 >= planned * COMPLETE_PERCENT;
        enough(self.counted.audits, scenario.audits())
            && scenario
                .payments()
                .is_none_or(|planned| enough(self.asked(), planned))
    }

    /// What users asked to be paid, whether or not they were told it would be.
    pub(super) fn asked(&self) -> u64 {
        self.counted.accepted + self.counted.failed
    }

    pub(super) fn figures(&self, scenario: &Scenario) -> Figures {
        let profit_of = |counts| Profit::of(counts, scenario.amount_cents, scenario.fees);
        let counted = &self.counted;
        let settled: u64 = self.held.iter().sum();
        let lasting_only = scenario.audit.is_some_and(|audit| audit.lasting_only);
        let inconsistencies = if lasting_only {
            counted.audits_still_differing
        } else {
            counted.audits_differing
        };
        let profit = profit_of(self.held);
        let p99_us = counted.successful.p99_us;
        let bonus_percent = bonus_percent(p99_us);
        let (oracle, onlooker) = (
            oracle(scenario, self.asked()),
            onlooker(scenario, self.asked()),
        );
        Figures {
            score: profit.score(bonus_percent, inconsistencies > 0),
            profit,
            bonus_percent,
            p99_us,
            lost: counted.accepted.saturating_sub(settled),
            too_many: settled.saturating_sub(self.asked()),
            inconsistencies,
            complete: self.is_complete(scenario),
            share_of_best: profit.share(profit_of([self.asked(), 0])),
            on_default: Share::of_counts(self.held[0], self.asked()),
            share_of_oracle: profit.share(oracle.profit(scenario)),
            default_of_oracle: Share::of_counts(self.held[0], oracle.counts[0]),
            oracle,
            share_of_onlooker: profit.share(onlooker.profit(scenario)),
            onlooker,
        }
    }

    /// Nothing lost, nothing twice, nothing unasked for, every answer as promised, and all of
    /// it looked at.
    pub(super) fn is_sound(&self, figures: &Figures) -> bool {
        figures.complete
            && self.twice == 0
            && self.counted.failed == 0
            && self.counted.wrong_amounts == 0
            && figures.lost == 0
            && figures.too_many == 0
            && figures.inconsistencies == 0
    }
}
