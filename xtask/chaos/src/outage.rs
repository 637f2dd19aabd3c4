//! Every processor fails for the whole time: intake must not notice, memory must not grow,
//! and all must settle once the processors are back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use feeway_machine::clock;
use feeway_stack::simulators::Switch;

use super::register::Register;
use super::trial::{Acted, Trial};

/// Memory is sampled so often.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// Until then a front fills what it may fill; of short runs a third.
const WARM_UP: Duration = Duration::from_secs(30);

/// Memory after the warm-up is the middle one of so many samples.
const BASE_SAMPLES: usize = 5;

/// By how much memory may grow beyond that, in a hundred.
const GROWTH_PERCENT: u64 = 10;

/// A line of progress is printed every so many samples.
const SAMPLES_A_LINE: u32 = 10;

/// Resident KiB with the time of each sample.
type Samples = Vec<(Duration, u64)>;

pub(super) fn run(trial: &Trial) -> Result<Acted> {
    for simulator in &trial.simulators {
        simulator.set(&Switch::Failing(true))?;
    }
    let register = Arc::new(Register::default());
    let load = trial.start_load(0..trial.tickets(), &register)?;
    let memory = sample(trial, &register)?;
    load.stop();
    load.join()?;
    let sightings = register.sightings();
    let mut acted = Acted::default();
    let setbacks: u64 = sightings.setbacks.values().sum();
    if setbacks > 0 {
        let text = format!("{setbacks} requests failed while the processors did");
        acted.failures.push(text);
    }
    let warm_up = WARM_UP.min(trial.length / 3);
    for (front, samples) in &memory {
        let growth = Growth::of(samples, warm_up);
        acted.measured.push(match growth {
            Some(growth) => format!("{front}: {growth}"),
            None => format!("{front}: too few samples"),
        });
        if growth.is_none_or(Growth::is_too_much) {
            let text = format!("{front} did not stay within {GROWTH_PERCENT} % of its memory");
            acted.failures.push(text);
        }
    }
    *acted.done.counts.entry("outage".to_owned()).or_default() += 1;
    acted.sightings = sightings;
    println!("The processors recover …");
    trial.heal()?;
    Ok(acted)
}

fn sample(trial: &Trial, register: &Register) -> Result<BTreeMap<String, Samples>> {
    let begin = clock::now();
    let mut memory: BTreeMap<String, Samples> = BTreeMap::new();
    for number in 1.. {
        let due = SAMPLE_EVERY * number;
        if due > trial.length {
            break;
        }
        thread::sleep(due.saturating_sub(begin.elapsed()));
        trial.interrupt.check()?;
        let mut shown = String::new();
        for front in trial.stack.fronts() {
            let process = trial.stack.process(&front)?;
            if let Some(kib) = process.and_then(|id| id.resident_kib()) {
                shown.push_str(&format!("  {front} {:.1} MiB", kib as f64 / 1024.0));
                memory.entry(front).or_default().push((due, kib));
            }
        }
        if number % SAMPLES_A_LINE == 0 {
            let (accepted, setbacks) = register.progress();
            println!(
                "{:8} s  {accepted} accepted, {setbacks} set back{shown}",
                due.as_secs()
            );
        }
    }
    Ok(memory)
}

/// How a front's memory went after the warm-up, in KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Growth {
    base: u64,
    least: u64,
    most: u64,
    last: u64,
}

impl Growth {
    fn of(samples: &[(Duration, u64)], warm_up: Duration) -> Option<Self> {
        let warm = samples.iter().filter(|(at, _)| *at >= warm_up);
        let warm: Vec<u64> = warm.map(|(_, kib)| *kib).collect();
        let mut first: Vec<u64> = warm.iter().take(BASE_SAMPLES).copied().collect();
        first.sort_unstable();
        Some(Self {
            base: *first.get(first.len() / 2)?,
            least: *warm.iter().min()?,
            most: *warm.iter().max()?,
            last: *warm.last()?,
        })
    }

    fn is_too_much(self) -> bool {
        self.most * 100 > self.base * (100 + GROWTH_PERCENT)
    }
}

impl std::fmt::Display for Growth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} KiB after the warm-up, then {} to {}, {} at the end ({:+.1} % at most)",
            self.base,
            self.least,
            self.most,
            self.last,
            (self.most as f64 / self.base as f64 - 1.0) * 100.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kib: &[u64], expected: Option<bool>) {
        let samples = (0..).map(Duration::from_secs).zip(kib.iter().copied());
        let samples: Vec<_> = samples.collect();
        let growth = Growth::of(&samples, Duration::from_secs(2));
        assert_eq!(growth.map(Growth::is_too_much), expected, "{kib:?}");
    }

    #[test]
    fn memory_may_grow_by_a_tenth_after_the_warm_up() {
        check(&[1, 1, 100, 100, 100, 110], Some(false));
        check(&[1, 1, 100, 100, 100, 111, 100], Some(true));
        check(&[1, 1, 100, 90, 80, 70], Some(true));
        check(&[500, 500, 100, 100, 90], Some(false));
        check(&[1, 1], None);
    }
}
