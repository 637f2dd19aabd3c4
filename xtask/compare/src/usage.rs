use std::collections::BTreeMap;

use feeway_machine::process_id::ProcessId;

/// Kinds of processes, in the order of a payment's way.
pub(super) const KINDS: [&str; 6] = ["haproxy", "front", "redis", "nats", "leader", "simulator"];

/// Seconds of CPU that each kind of process has used.
#[derive(Clone, Debug, Default)]
pub(super) struct Usage(BTreeMap<&'static str, f64>);

impl Usage {
    /// Since their start.
    pub(super) fn of_processes(processes: &[(String, ProcessId)]) -> Self {
        let used = |(name, id): &(String, ProcessId)| (kind(name), id.cpu_seconds().unwrap_or(0.0));
        Self::sum(processes.iter().map(used))
    }

    /// Since their start: services, and nanoseconds.
    pub(super) fn of_containers(containers: &[(String, u64)]) -> Self {
        let used = |(service, nanos): &(String, u64)| {
            let kind = match service.starts_with("payment-processor-") {
                true => Some("simulator"),
                false => kind(service),
            };
            (kind, *nanos as f64 / 1e9)
        };
        Self::sum(containers.iter().map(used))
    }

    fn sum(used: impl Iterator<Item = (Option<&'static str>, f64)>) -> Self {
        let mut usage = BTreeMap::new();
        for (kind, seconds) in used {
            if let Some(kind) = kind {
                *usage.entry(kind).or_insert(0.0) += seconds;
            }
        }
        Self(usage)
    }

    /// Since then, for each 10 000 payments.
    pub(super) fn since(&self, earlier: &Self, payments: u64) -> Self {
        let per_ten_thousand = |(kind, seconds): (&&'static str, &f64)| {
            let before = earlier.0.get(kind).unwrap_or(&0.0);
            (*kind, (seconds - before) * 1e4 / payments.max(1) as f64)
        };
        Self(self.0.iter().map(per_ten_thousand).collect())
    }

    pub(super) fn get(&self, kind: &str) -> Option<f64> {
        self.0.get(kind).copied()
    }

    /// Of all but the simulators: they stand for the world outside.
    pub(super) fn own(&self) -> f64 {
        let own = self.0.iter().filter(|(kind, _)| **kind != "simulator");
        own.map(|(_, seconds)| seconds).sum()
    }
}

/// The largest that any process of a kind has ever been, in MB.
pub(super) fn peak_mb(processes: &[(String, ProcessId)], wanted: &str) -> Option<f64> {
    let peak = processes
        .iter()
        .filter(|(name, _)| kind(name) == Some(wanted))
        .filter_map(|(_, id)| id.peak_resident_kib())
        .max();
    peak.map(|kib| kib as f64 * 1024.0 / 1e6)
}

fn kind(name: &str) -> Option<&'static str> {
    KINDS.into_iter().find(|kind| {
        name.strip_prefix(kind)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_go_by_the_kinds_of_what_they_run() {
        let used = [
            ("front-1", 1_000_000_000),
            ("front-2", 500_000_000),
            ("payment-processor-default", 2_000_000_000),
        ];
        let usage = Usage::of_containers(&used.map(|(name, nanos)| (name.to_owned(), nanos)));
        assert_eq!(usage.get("front"), Some(1.5));
        assert_eq!(usage.get("simulator"), Some(2.0));
        assert_eq!(usage.own(), 1.5);
    }

    #[test]
    fn processes_of_a_kind_are_added_and_others_left_out() {
        let own = ProcessId::of(std::process::id()).unwrap();
        let named = ["front-1", "front-2", "frontier", "haproxy"];
        let processes: Vec<_> = named.map(|name| (name.to_owned(), own)).into();
        let usage = Usage::of_processes(&processes);
        let one = usage.get("haproxy").unwrap();
        assert!((usage.get("front").unwrap() - 2.0 * one).abs() <= 0.02 + one);
        assert_eq!(usage.get("redis"), None);
        assert_eq!(usage.since(&usage, 10).own(), 0.0);
        assert!(peak_mb(&processes, "front").unwrap() > 0.0);
    }
}
