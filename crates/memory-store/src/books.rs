use std::collections::{BTreeMap, BTreeSet};

use feeway_books::horizon::{GRACE, Horizon};
use feeway_books::listing;
use feeway_books::roll_up::{HOUR_MICROS, hour_of};
use feeway_domain::{
    CorrelationId, LedgerFault, Line, Listed, Listing, Page, PaymentState, ProcessorName,
    RequestedAt, Settle, Settlement, Status, Summary, Total, Window,
};

/// Settled payments: of each the one that was recorded first, then conflicts. It adds up
/// every payment for every summary, which makes it the oracle for the store that does not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    settled: BTreeMap<CorrelationId, Vec<Settlement>>,
    horizon: Horizon,
    /// When the horizon last followed a leap of the clock.
    horizon_moved: Option<i64>,
    /// The retention by which it moved last.
    horizon_retention: Option<i64>,
    /// Settled when their hour was closed already, and when that was.
    late: BTreeMap<(CorrelationId, ProcessorName), i64>,
    /// What is left of payments that were forgotten, by hour.
    forgotten: BTreeMap<(i64, ProcessorName), Total>,
}

impl Books {
    pub(crate) fn settle(&mut self, settlement: &Settlement, now: i64) -> Settle {
        let of_id = self.settled.entry(settlement.payment.id).or_default();
        let first = of_id.first().map(|first| first.processor.clone());
        let known = of_id
            .iter()
            .any(|known| known.processor == settlement.processor);
        let late = settlement.requested_at.micros() < self.horizon.micros();
        if !known {
            of_id.push(settlement.clone());
            if late {
                let key = (settlement.payment.id, settlement.processor.clone());
                self.late.insert(key, now);
            }
        }
        match first {
            None if late => Settle::TooOld {
                oldest: self.horizon.instant(),
            },
            None => Settle::Settled,
            Some(first) if first == settlement.processor => Settle::Known,
            Some(first) => Settle::Conflict { first },
        }
    }

    /// Takes a payment out, if it is in the ledger like this and held by nobody else.
    pub(crate) fn take_out(&mut self, settlement: &Settlement) -> bool {
        let id = settlement.payment.id;
        let of_id = self.settled.get(&id).map_or(&[][..], Vec::as_slice);
        let is_so = of_id == std::slice::from_ref(settlement);
        if is_so {
            self.settled.remove(&id);
        }
        is_so
    }

    /// The oldest instant that is counted, if this one is older.
    pub(crate) fn closed_before(&self, at: RequestedAt) -> Option<RequestedAt> {
        (at.micros() < self.horizon.micros()).then(|| self.horizon.instant())
    }

    pub(crate) fn find(&self, id: CorrelationId) -> Option<PaymentState> {
        let of_id = self.settled.get(&id)?;
        let first = of_id.first()?;
        let (processor, requested_at) = (first.processor.clone(), first.requested_at);
        let status = if of_id.len() > 1 {
            Status::Conflict {
                processor,
                requested_at,
            }
        } else {
            Status::Settled {
                processor,
                requested_at,
            }
        };
        Some(PaymentState {
            id,
            amount: first.payment.amount,
            status,
        })
    }

    /// The lines of one payment, in the order they were recorded.
    pub(crate) fn lines(&self, id: CorrelationId) -> Vec<Line> {
        let of_id = self.settled.get(&id).map_or(&[][..], Vec::as_slice);
        let listed = if of_id.len() > 1 {
            Listed::Conflict
        } else {
            Listed::Settled
        };
        of_id.iter().map(|one| line_of(listed, one)).collect()
    }

    pub(crate) fn settlements(&self) -> impl Iterator<Item = &Settlement> {
        self.settled.values().flatten()
    }

    pub(crate) fn summary(&self, window: Window) -> Result<Summary, LedgerFault> {
        let cut = self.horizon.cut_hours(window);
        if cut.into_iter().any(|hour| self.has_settled_in(hour)) {
            return Err(self.horizon.too_old());
        }
        let mut totals: BTreeMap<ProcessorName, Total> = BTreeMap::new();
        let counted = self
            .settlements()
            .filter(|settlement| !self.is_late(settlement));
        for settlement in counted {
            let total = totals.entry(settlement.processor.clone()).or_default();
            if window.contains(settlement.requested_at) {
                total.add(1, i128::from(settlement.payment.amount.cents()));
            }
        }
        let (from, to) = listing::range(window);
        for ((hour, processor), of_hour) in &self.forgotten {
            let total = totals.entry(processor.clone()).or_default();
            // Something was settled in this hour, so the window holds it whole or not at all.
            if from <= hour * HOUR_MICROS && hour * HOUR_MICROS <= to {
                total.add(of_hour.count, of_hour.cents);
            }
        }
        Ok(Summary(totals.into_iter().collect()))
    }

    /// Whether anything counts in this hour.
    fn has_settled_in(&self, hour: i64) -> bool {
        let mut counted = self
            .settlements()
            .filter(|settlement| !self.is_late(settlement));
        counted.any(|settlement| hour_of(settlement.requested_at.micros()) == hour)
            || self
                .forgotten
                .keys()
                .any(|(forgotten, _)| *forgotten == hour)
    }

    fn is_late(&self, settlement: &Settlement) -> bool {
        let key = (settlement.payment.id, settlement.processor.clone());
        self.late.contains_key(&key)
    }

    pub(crate) fn list(&self, listing: &Listing) -> Result<Page, LedgerFault> {
        listing::check(self.horizon, listing)?;
        let conflict = listing.listed == Listed::Conflict;
        let (from, to) = listing::range(listing.window);
        let from = from.max(self.horizon.micros());
        let mut lines: Vec<Line> = self
            .settled
            .values()
            .filter(|of_id| !conflict || of_id.len() > 1)
            .flatten()
            .filter(|settlement| (from..=to).contains(&settlement.requested_at.micros()))
            .map(|settlement| line_of(listing.listed, settlement))
            .collect();
        lines.sort_unstable_by_key(order);
        let start = listing.after.as_ref().map(|cursor| {
            let processor = cursor.processor.as_ref().map(name_in_order);
            (cursor.at, cursor.id, processor)
        });
        let after = lines
            .into_iter()
            .filter(|line| start.as_ref().is_none_or(|start| order(line) > *start));
        Ok(listing::page(after.collect(), listing.limit))
    }

    /// Closes what is older than single payments are to be kept, and forgets the oldest. Returns
    /// from when on they are kept.
    pub(crate) fn retire(&mut self, now: i64, retention: i64) -> i64 {
        let target = Horizon::since(now - retention);
        let shorter = self.horizon_retention.unwrap_or(retention) - retention;
        let moved = self.horizon_moved;
        let (horizon, step) = self.horizon.next(target, now, moved, shorter);
        self.horizon = horizon;
        self.horizon_moved = step.then_some(now).or(moved);
        if horizon == target {
            self.horizon_retention = Some(retention);
        }
        let grace = i64::try_from(GRACE.as_micros()).expect("a day");
        let kept_from = self.horizon.micros() - grace;
        let known: BTreeSet<_> = self.late.keys().cloned().collect();
        let late = &mut self.late;
        let forgotten = &mut self.forgotten;
        self.settled.retain(|id, of_id| {
            of_id.retain(|settlement| {
                let key = (*id, settlement.processor.clone());
                let requested_at = settlement.requested_at.micros();
                let listed_at = late.get(&key).copied().unwrap_or(requested_at);
                if hour_of(listed_at) * HOUR_MICROS >= kept_from {
                    return true;
                }
                late.remove(&key);
                if !known.contains(&key) {
                    let of_hour = (hour_of(requested_at), settlement.processor.clone());
                    let cents = i128::from(settlement.payment.amount.cents());
                    forgotten.entry(of_hour).or_default().add(1, cents);
                }
                false
            });
            !of_id.is_empty()
        });
        kept_from
    }
}

fn line_of(listed: Listed, settlement: &Settlement) -> Line {
    let (payment, processor) = (settlement.payment, settlement.processor.clone());
    let (requested_at, fee) = (settlement.requested_at, settlement.fee);
    listing::settled_line(
        listed,
        payment.id,
        payment.amount,
        processor,
        requested_at,
        fee,
    )
}

type Order = (feeway_domain::JournalTime, CorrelationId, Option<String>);

fn order(line: &Line) -> Order {
    let processor = line.state.status.processor().map(name_in_order);
    (line.at, line.state.id, processor)
}

/// In the ledger of Redis a colon follows the name.
fn name_in_order(processor: &ProcessorName) -> String {
    format!("{processor}:")
}
