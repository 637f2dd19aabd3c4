use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, bail};
use feeway_machine::clock::{self, Deadline};
use feeway_machine::docker::{Container, Engine, Usage};

use super::stack::ContainerStack;

/// What is used while a stack gets warm does not count.
const WARM_UP: Duration = Duration::from_secs(5);

/// Each look costs the machine about a millisecond a container.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const NAP: Duration = Duration::from_millis(50);

/// How much of its limits a service may use: in these shares of thousand, periods in which
/// it was stopped, and memory.
const THROTTLED_MOST: u64 = 10;
const MEMORY_MOST: u64 = 800;

/// Looks at a stack's containers for as long as a run takes.
pub struct Gauge {
    done: Arc<AtomicBool>,
    watch: Option<JoinHandle<Result<Vec<Reading>>>>,
}

/// What one container has used after the warm-up.
#[derive(Clone, Debug)]
pub struct Reading {
    service: String,
    cpu_limit_millis: u64,
    memory_limit_bytes: u64,
    /// Thousandths of a processor, on average.
    cpu_millis: u64,
    periods: u64,
    throttled: u64,
    memory_last_bytes: u64,
    memory_most_bytes: u64,
}

impl Gauge {
    /// Begins to look. Only containers with limits count: simulators are not the stack's.
    pub fn start(stack: &ContainerStack) -> Result<Self> {
        let engine = Engine::find()?;
        let mut containers = stack.containers(&engine)?;
        containers.retain(|each| each.cpu_limit_millis.is_some() && each.running);
        let done = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&done);
        let watch = thread::spawn(move || watch(&engine, &containers, &until));
        Ok(Self {
            done,
            watch: Some(watch),
        })
    }

    /// What was seen until now.
    pub fn finish(mut self) -> Result<Vec<Reading>> {
        self.done.store(true, Ordering::Relaxed);
        match self.watch.take().map(JoinHandle::join) {
            Some(Ok(readings)) => readings,
            Some(Err(_)) | None => bail!("the gauge failed"),
        }
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
    }
}

/// From where a container is counted, and what it has used since.
struct Track {
    first: Usage,
    last: Usage,
    memory_most_bytes: u64,
}

fn watch(engine: &Engine, containers: &[Container], done: &AtomicBool) -> Result<Vec<Reading>> {
    let mut tracks: BTreeMap<&str, Track> = BTreeMap::new();
    nap(WARM_UP, done);
    let begin = clock::now();
    loop {
        let last_look = done.load(Ordering::Relaxed);
        for container in containers {
            let usage = engine.usage(&container.id)?;
            // One that is killed meanwhile has no figures any more.
            if usage.cpu_nanos == 0 {
                continue;
            }
            let track = tracks.entry(&container.service).or_insert(Track {
                first: usage,
                last: usage,
                memory_most_bytes: 0,
            });
            track.last = usage;
            track.memory_most_bytes = track.memory_most_bytes.max(usage.memory_bytes);
        }
        if last_look {
            break;
        }
        nap(LOOK_EVERY, done);
    }
    let took_us = u64::try_from(begin.elapsed().as_micros())?.max(1);
    let readings = containers.iter().filter_map(|container| {
        let track = tracks.get(&*container.service)?;
        let (first, last) = (&track.first, &track.last);
        Some(Reading {
            service: container.service.clone(),
            cpu_limit_millis: container.cpu_limit_millis?,
            memory_limit_bytes: container.memory_limit_bytes?,
            cpu_millis: last.cpu_nanos.saturating_sub(first.cpu_nanos) / took_us,
            periods: last.periods.saturating_sub(first.periods),
            throttled: last.throttled.saturating_sub(first.throttled),
            memory_last_bytes: last.memory_bytes,
            memory_most_bytes: track.memory_most_bytes,
        })
    });
    Ok(readings.collect())
}

fn nap(length: Duration, done: &AtomicBool) {
    let deadline = Deadline::after(length);
    while !deadline.passed() && !done.load(Ordering::Relaxed) {
        thread::sleep(NAP);
    }
}

impl Reading {
    /// What came together over several runs: stops and periods of all, memory at its most and
    /// at the last end, the mean of the CPU.
    pub fn of_runs<'a>(runs: impl Iterator<Item = &'a Self>) -> Vec<Self> {
        let mut together: Vec<(Self, u64)> = Vec::new();
        for run in runs {
            let known = together
                .iter_mut()
                .find(|(known, _)| known.service == run.service);
            let Some((known, runs)) = known else {
                together.push((run.clone(), 1));
                continue;
            };
            *runs += 1;
            known.cpu_millis += run.cpu_millis;
            known.periods += run.periods;
            known.throttled += run.throttled;
            known.memory_last_bytes = run.memory_last_bytes;
            known.memory_most_bytes = known.memory_most_bytes.max(run.memory_most_bytes);
        }
        let mean = |(reading, runs): (Self, u64)| Self {
            cpu_millis: reading.cpu_millis / runs,
            ..reading
        };
        together.into_iter().map(mean).collect()
    }

    fn throttled_share(&self) -> u64 {
        (self.throttled * 1000)
            .checked_div(self.periods)
            .unwrap_or(0)
    }

    fn memory_share(&self) -> u64 {
        self.memory_most_bytes * 1000 / self.memory_limit_bytes.max(1)
    }
}

/// Prints a line for each container, and whether they kept well within their limits.
pub fn print(readings: &[Reading]) {
    println!();
    print_table(readings);
    print_goals(readings);
}

/// Prints a line for each container, and their sum.
pub fn print_table(readings: &[Reading]) {
    println!(
        "{:10} {:>10} {:>10} {:>9} {:>9} {:>7} {:>11} {:>11} {:>9} {:>7}",
        "SERVICE",
        "CPU LIMIT",
        "CPU USED",
        "PERIODS",
        "THROTTLED",
        "SHARE",
        "MEM LIMIT",
        "MEM AT END",
        "MEM MOST",
        "SHARE"
    );
    for reading in readings {
        println!(
            "{:10} {:>10} {:>10} {:>9} {:>9} {:>7} {:>11} {:>11} {:>9} {:>7}",
            reading.service,
            thousandths(reading.cpu_limit_millis),
            thousandths(reading.cpu_millis),
            reading.periods,
            reading.throttled,
            percent(reading.throttled_share()),
            mebibytes(reading.memory_limit_bytes),
            mebibytes(reading.memory_last_bytes),
            mebibytes(reading.memory_most_bytes),
            percent(reading.memory_share()),
        );
    }
    let sum = |value: fn(&Reading) -> u64| readings.iter().map(value).sum::<u64>();
    println!(
        "{:10} {:>10} {:>10} {:>40} {:>21}",
        "all",
        thousandths(sum(|reading| reading.cpu_limit_millis)),
        thousandths(sum(|reading| reading.cpu_millis)),
        mebibytes(sum(|reading| reading.memory_limit_bytes)),
        mebibytes(sum(|reading| reading.memory_most_bytes)),
    );
}

/// Prints and returns whether every container kept well within its limits.
pub fn print_goals(readings: &[Reading]) -> bool {
    let throttled = goal(
        "throttled",
        readings,
        Reading::throttled_share,
        THROTTLED_MOST,
    );
    let memory = goal("memory", readings, Reading::memory_share, MEMORY_MOST);
    throttled && memory
}

fn goal(name: &str, readings: &[Reading], share: fn(&Reading) -> u64, most: u64) -> bool {
    let Some(worst) = readings.iter().max_by_key(|reading| share(reading)) else {
        return true;
    };
    let found = share(worst);
    let met = found <= most;
    let verdict = if met { "met" } else { "MISSED" };
    println!(
        "{verdict:22} {name}: {} of at most {} ({})",
        percent(found),
        percent(most),
        worst.service
    );
    met
}

fn thousandths(value: u64) -> String {
    format!("{}.{:03}", value / 1000, value % 1000)
}

fn percent(share: u64) -> String {
    format!("{}.{} %", share / 10, share % 10)
}

fn mebibytes(bytes: u64) -> String {
    let tenths = bytes * 10 / (1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_periods_and_of_the_limit() {
        let reading = Reading {
            service: "front-1".to_owned(),
            cpu_limit_millis: 300,
            memory_limit_bytes: 64 << 20,
            cpu_millis: 51,
            periods: 600,
            throttled: 6,
            memory_last_bytes: 10 << 20,
            memory_most_bytes: 16 << 20,
        };
        assert_eq!(percent(reading.throttled_share()), "1.0 %");
        assert_eq!(percent(reading.memory_share()), "25.0 %");
        assert_eq!(thousandths(reading.cpu_millis), "0.051");
        assert_eq!(mebibytes(reading.memory_most_bytes + (1 << 19)), "16.5 MiB");
        let later = Reading {
            cpu_millis: 49,
            throttled: 0,
            memory_last_bytes: 9 << 20,
            memory_most_bytes: 12 << 20,
            ..reading.clone()
        };
        let both = Reading::of_runs([&reading, &later].into_iter());
        let [both] = &*both else {
            panic!("one service: {both:?}");
        };
        assert_eq!((both.cpu_millis, both.throttled_share()), (50, 5));
        assert_eq!(
            (both.memory_last_bytes, both.memory_most_bytes),
            (9 << 20, 16 << 20)
        );
        let idle = Reading {
            periods: 0,
            ..reading
        };
        assert_eq!(idle.throttled_share(), 0);
    }
}
