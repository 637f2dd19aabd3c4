use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use feeway_domain::Processor;
use metrics::{Gauge, gauge};

use crate::tenure::Unconfigured;

const METRIC: &str = "feeway_unconfigured_payments";

/// The most processors that are told of by name; a configuration has 8.
const NAMED_MAX: usize = 16;

/// All others together. No processor can have this name.
const OTHERS: &str = "(others)";

/// Payments that are open at processors which are not configured, by their names. Those that
/// are configured are told of as 0, so that the metric is there before it is needed.
#[derive(Debug)]
pub(crate) struct UnconfiguredMeters(Mutex<BTreeMap<String, Gauge>>);

impl UnconfiguredMeters {
    pub(crate) fn new(processors: &[Processor]) -> Self {
        let names = processors.iter().map(|processor| &processor.name);
        let gauges = names.map(|name| (name.to_string(), gauge_of(name.as_str())));
        Self(Mutex::new(gauges.collect()))
    }

    /// What was found of each owner.
    pub(crate) fn set(&self, found: impl Iterator<Item = Unconfigured>) {
        let mut sums: BTreeMap<String, usize> = BTreeMap::new();
        for (name, count) in found.flatten() {
            *sums.entry(name.to_string()).or_default() += count;
        }
        let mut gauges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut others = 0;
        for (name, count) in &sums {
            let is_named = gauges.contains_key(name) || gauges.len() < NAMED_MAX;
            if is_named {
                gauges.entry(name.clone()).or_insert_with(|| gauge_of(name));
            } else {
                others += count;
            }
        }
        if others > 0 {
            gauges
                .entry(OTHERS.to_owned())
                .or_insert_with(|| gauge_of(OTHERS));
        }
        for (name, gauge) in &*gauges {
            let count = if name == OTHERS {
                others
            } else {
                sums.get(name).copied().unwrap_or(0)
            };
            gauge.set(count as f64);
        }
    }
}

fn gauge_of(processor: &str) -> Gauge {
    gauge!(METRIC, "processor" => processor.to_owned())
}
