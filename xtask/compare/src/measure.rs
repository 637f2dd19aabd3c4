//! One part on one side.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use feeway_machine::clock;
use feeway_machine::interrupt::Interrupt;
use feeway_stack::containers::gauge::{Gauge, Reading};
use feeway_stack::simulators::{fails, works};

use super::generator::{Generator, Load};
use super::loads;
use super::options::Part;
use super::settled::Settled;
use super::tools::Tools;
use super::turn::{Side, Turn};
use super::usage::Usage;

/// What one part came to on one side.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) load: Load,
    pub(super) usage: Usage,
    /// What reached each simulator.
    pub(super) posts_per_second: [f64; 2],
    /// The largest front and the largest leader, in MB, where they are processes of this
    /// machine.
    pub(super) peaks_mb: [Option<f64>; 2],
    /// How near each container came to its limits, where there are some.
    pub(super) readings: Vec<Reading>,
    /// Nothing of the floor.
    pub(super) end: Option<End>,
}

/// What became of the payments that Feeway accepted.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) settled: Settled,
    /// From the first payment until the last one was settled.
    pub(super) settled_per_second: f64,
    /// In each second of the load.
    pub(super) by_second: Vec<f64>,
    /// What the processors hold and the summary does not count, or the other way round.
    pub(super) differ: u64,
}

/// Runs one part. The floor gets posters beside it at these rates.
pub(super) fn measure(
    turn: &mut Turn,
    part: Part,
    length: Duration,
    tools: &Tools,
    posters: Option<[f64; 2]>,
    interrupt: &Interrupt,
) -> Result<Measured> {
    let failing = matches!(part, Part::Failing | Part::Memory);
    for processor in &turn.processors {
        processor.set(if failing { fails(0) } else { works(0) })?;
    }
    let posts_before = posts(turn)?;
    let _posters = start_posters(turn, part, length, tools, posters)?;
    let begin = clock::now();
    let before = turn.usage()?;
    let gauge = turn.gauge()?;
    let command = loads::command(part, tools, turn.target, length)?;
    let generator = turn.generate("load", command, length)?;
    let (load, by_second) = watched(turn, generator, interrupt)?;
    let readings = gauge.map_or_else(|| Ok(Vec::new()), Gauge::finish)?;
    let usage = turn.usage()?.since(&before, load.ok);
    let peaks_mb = [turn.peak_mb("front")?, turn.peak_mb("leader")?];
    let posts_per_second = rates(posts_before, posts(turn)?, &load);
    let accepted_before = turn.accepted;
    turn.count(&load);
    for processor in &turn.processors {
        processor.set(works(0))?;
    }
    let end = match turn.side {
        Side::Floor => None,
        Side::Feeway | Side::New | Side::Old | Side::Again => {
            let settled = turn.books().await_all(turn.accepted, interrupt)?;
            let took = begin.elapsed().as_secs_f64();
            let new = settled.payments.saturating_sub(accepted_before);
            let held = held(turn)?;
            // What a client did not see accepted was accepted all the same.
            turn.accepted = settled.payments.max(turn.accepted);
            Some(End {
                settled,
                settled_per_second: new as f64 / took,
                by_second,
                differ: held.abs_diff(settled.payments),
            })
        }
    };
    Ok(Measured {
        load,
        usage,
        posts_per_second,
        peaks_mb,
        readings,
        end,
    })
}

fn start_posters(
    turn: &Turn,
    part: Part,
    length: Duration,
    tools: &Tools,
    rates: Option<[f64; 2]>,
) -> Result<Vec<Generator>> {
    let rates = rates.into_iter().flatten();
    // They end with the load at the latest, but no sooner.
    let length = length + loads::WARM_UP;
    turn.simulators
        .iter()
        .zip(rates)
        .enumerate()
        .filter_map(|(place, (simulator, rate))| {
            let command = loads::poster(part, tools, *simulator, rate, length)?;
            Some(turn.generate(&format!("poster-{}", place + 1), command, length))
        })
        .collect()
}

/// Waits for the load's end, and unless it is the floor's counts meanwhile what settles.
fn watched(turn: &Turn, generator: Generator, interrupt: &Interrupt) -> Result<(Load, Vec<f64>)> {
    if !turn.side.keeps_payments() {
        return Ok((generator.finish(interrupt)?, Vec::new()));
    }
    let stop = AtomicBool::new(false);
    let mut books = turn.books();
    thread::scope(|scope| {
        let watcher = scope.spawn(|| books.watch(&stop));
        let load = generator.finish(interrupt);
        stop.store(true, Ordering::Relaxed);
        let by_second = watcher.join().ok().context("the watcher panicked")?;
        Ok((load?, by_second?))
    })
}

/// POSTs that have come to each simulator.
fn posts(turn: &Turn) -> Result<[u64; 2]> {
    let mut posts = [0; 2];
    for (posts, processor) in posts.iter_mut().zip(&turn.processors) {
        *posts = processor.stats()?.posts;
    }
    Ok(posts)
}

/// How many a second of the load's own length there were: its generator takes a while to start
/// and to end, in which nothing is posted.
fn rates(before: [u64; 2], after: [u64; 2], load: &Load) -> [f64; 2] {
    let mut rates = [0.0; 2];
    for (rate, (before, after)) in rates.iter_mut().zip(before.into_iter().zip(after)) {
        *rate = after.saturating_sub(before) as f64 / load.seconds;
    }
    rates
}

fn held(turn: &Turn) -> Result<u64> {
    let mut held = 0;
    for processor in &turn.processors {
        held += processor.stats()?.payments;
    }
    Ok(held)
}
