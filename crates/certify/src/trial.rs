use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::bail;
use feeway_domain::Payment;

use crate::attempted::{Attempted, new_payment};
use crate::check::{Check, Finding};
use crate::checks::again::{self, Held};
use crate::checks::{before, connections, first_payment, found, health, malformed};
use crate::sight::Sight;
use crate::wire::{Line, Wire};
use crate::{Options, Report};

/// Makes the checks that the options ask for, one after the other.
///
/// # Errors
/// When the options cannot be used, or no connection to the processor can be made.
pub async fn certify(options: &Options) -> anyhow::Result<Report> {
    let wire = Wire::new(options.processor()?, options.lag_max);
    if Line::open(wire.processor()).await.is_err() {
        bail!("no connection to {}", options.url);
    }
    let mut trial = Trial {
        options,
        wire,
        checks: options.checks(),
        findings: Vec::new(),
        lag: None,
    };
    trial.run().await;
    trial.findings.sort_by_key(|finding| finding.check);
    Ok(Report {
        url: options.url.clone(),
        absence_after: options.absence_after,
        lag: trial.lag,
        findings: trial.findings,
    })
}

struct Trial<'a> {
    options: &'a Options,
    wire: Wire,
    checks: BTreeSet<Check>,
    findings: Vec<Finding>,
    lag: Option<Duration>,
}

impl Trial<'_> {
    async fn run(&mut self) {
        let payment = new_payment(self.options.amount);
        if self.asks(Check::Unknown) {
            let finding = before::unknown(&self.wire, payment.id).await;
            self.findings.push(finding);
        }
        if self.asks(Check::MalformedId) {
            let finding = before::malformed_id(&self.wire).await;
            self.findings.push(finding);
        }
        if self.checks.iter().any(|check| check.needs_payment()) {
            self.pay(payment).await;
        }
        if self.asks(Check::Malformed) {
            let finding = malformed::malformed(&self.wire, self.options.amount).await;
            self.findings.push(finding);
        }
        if self.asks(Check::Health) {
            let finding = health::health(&self.wire).await;
            self.findings.push(finding);
        }
    }

    async fn pay(&mut self, payment: Payment) {
        let lag_max = self.options.lag_max;
        let first = Attempted::make(&self.wire, payment, true).await;
        let sight = Sight::take(&self.wire, payment.id, first.answered_at, lag_max).await;
        self.lag = sight.lag();
        let is_held = first.is_held();
        let limits = [self.options.absence_after, lag_max];
        self.note(first_payment::post(&first, &sight, lag_max));
        self.note(found::look_up(&first, &sight));
        self.note(found::lag(&sight, is_held, limits));
        self.note(found::amount(&first, &sight));
        self.note(found::requested_at(&first, &sight));
        if self.asks(Check::Steady) {
            let finding = found::steady(&self.wire, &first, &sight).await;
            self.note(finding);
        }
        let again = self.again(&first, &sight).await;
        let tried: Vec<&Attempted> = [Some(&first), again.as_ref()]
            .into_iter()
            .flatten()
            .collect();
        self.note(first_payment::latency(&tried, self.options.max_latency));
        if self.asks(Check::Connections) {
            let is_taken = is_held || sight.is_found();
            let finding = if is_taken && first.answer.is_ok() {
                connections::connections(&self.wire, self.options.amount).await
            } else {
                Check::Connections.cannot_tell("the first payment was not taken")
            };
            self.note(finding);
        }
    }

    /// Posts the id again, if it is held.
    async fn again(&mut self, first: &Attempted, sight: &Sight) -> Option<Attempted> {
        let lag_max = self.options.lag_max;
        let Some(held) = Held::of(first, sight) else {
            for check in [Check::Duplicate, Check::OtherAmount] {
                self.note(check.cannot_tell("no payment was found with its amount"));
            }
            return None;
        };
        let mut again = None;
        if self.asks(Check::Duplicate) {
            let (tried, finding) = again::duplicate(&self.wire, &held, lag_max).await;
            self.note(finding);
            again = Some(tried);
        }
        if self.asks(Check::OtherAmount) {
            let finding = again::other_amount(&self.wire, &held, lag_max).await;
            self.note(finding);
        }
        again
    }

    fn asks(&self, check: Check) -> bool {
        self.checks.contains(&check)
    }

    /// Keeps what was asked for.
    fn note(&mut self, finding: Finding) {
        if self.asks(finding.check) {
            self.findings.push(finding);
        }
    }
}
