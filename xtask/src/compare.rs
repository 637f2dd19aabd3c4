//! Feeway against the floor: two servers behind the same HAProxy that read a payment and
//! answer 202. Nothing behind HAProxy can be faster, so the ratio says what keeping a payment
//! costs, whatever the machine.
//!
//! ```text
//! pair ──► Feeway ──► load ──► posts that reached the simulators
//!   │                                   │ the same rate
//!   └────► floor  ──► load  +  poster ◄─┘
//!                      │
//!                   figures ──► ratios: min, median, max, bound
//! ```
//!
//! They run in turn, Feeway first: the poster that keeps the machine as busy beside the floor
//! repeats the rate at which Feeway has just posted to each simulator in the same part.

mod figures;
mod generator;
mod loads;
mod measure;
mod report;
mod settled;
mod tools;
mod turn;
mod usage;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use self::figures::Figures;
use self::measure::{Measured, measure};
use self::tools::Tools;
use self::turn::{Side, Turn};
use crate::binaries::Profile;
use crate::clock;
use crate::interrupt::Interrupt;
use crate::private_stack::check_unused;
use crate::stack_dir::{StackDir, repository};
use crate::up::Intake;

/// What Feeway is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Yardstick {
    /// Servers that answer 202 and keep nothing.
    Floor,
}

/// One kind of load, with what is looked at under it. They run in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Part {
    /// 300 payments a second at absolute times, by a client of our own.
    Paced,
    /// The load of the contest's preview, by k6 without its garbage collector.
    Preview,
    /// As many payments as are to be posted, processed and settled: Feeway alone.
    Throughput,
    /// Saturation while both processors fail.
    Failing,
    /// Saturation while both processors work.
    Healthy,
    /// Saturation while both processors fail, with `--intake memory`.
    Memory,
}

impl Part {
    const ALL: [Self; 6] = [
        Self::Paced,
        Self::Preview,
        Self::Throughput,
        Self::Failing,
        Self::Healthy,
        Self::Memory,
    ];
}

#[derive(Args, Debug)]
pub(crate) struct CompareOptions {
    /// What Feeway is compared with
    #[arg(value_enum)]
    with: Yardstick,

    /// How often each runs, in turn
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=100))]
    pairs: u32,

    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',')]
    parts: Vec<Part>,

    /// Where payments are kept before they are answered; the part `memory` is always in memory
    #[arg(long, value_enum, default_value = "durable")]
    intake: Intake,

    /// How long the evenly paced client sends
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=600))]
    paced_seconds: u32,

    /// How long k6 takes to reach its 550 users; the contest's preview takes 60
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(5..=600))]
    preview_seconds: u32,

    /// How long each saturation lasts
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(3..=100))]
    saturation_seconds: u32,

    /// How the programs are compiled
    #[arg(long, value_enum, default_value = "release")]
    profile: Profile,

    /// An empty folder for programs and logs [default: one in target/compare]
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl CompareOptions {
    fn parts(&self) -> Vec<Part> {
        let mut parts = match &self.parts[..] {
            [] => Part::ALL.to_vec(),
            parts => parts.to_vec(),
        };
        parts.sort_unstable();
        parts.dedup();
        parts
    }

    fn length(&self, part: Part) -> Duration {
        let seconds = match part {
            Part::Paced => self.paced_seconds,
            Part::Preview => self.preview_seconds,
            Part::Throughput => loads::THROUGHPUT_SECONDS,
            Part::Failing | Part::Healthy | Part::Memory => self.saturation_seconds,
        };
        Duration::from_secs(seconds.into())
    }
}

/// Measures and prints. Returns whether every bound is met.
pub(crate) fn run(options: &CompareOptions) -> Result<bool> {
    let Yardstick::Floor = options.with;
    let name = format!("floor-{}", clock::unix_seconds());
    let folder = match &options.dir {
        Some(folder) => std::path::absolute(folder)?,
        None => repository().join("target/compare").join(name),
    };
    check_unused(&folder)?;
    let interrupt = Interrupt::catch()?;
    let dir = StackDir::new(Some(&folder))?;
    let tools = Tools::prepare(&dir, options.profile, &options.parts())?;
    let mut figures = Figures::default();
    for pair in 1..=options.pairs {
        println!("\n== pair {pair} of {} ==", options.pairs);
        run_pair(options, &dir, &tools, &interrupt, &mut figures)?;
    }
    let met = report::print(&figures, options.pairs);
    for data in [dir.binaries(), dir.redis_data()] {
        fs::remove_dir_all(data)?;
    }
    println!("\nlogs of the last pair: {}", dir.logs().display());
    Ok(met)
}

fn run_pair(
    options: &CompareOptions,
    dir: &StackDir,
    tools: &Tools,
    interrupt: &Interrupt,
    figures: &mut Figures,
) -> Result<()> {
    let (memory, durable): (Vec<_>, Vec<_>) = options
        .parts()
        .into_iter()
        .partition(|part| *part == Part::Memory);
    let mut posted = Vec::new();
    for (parts, intake) in [(durable, options.intake), (memory, Intake::Memory)] {
        if parts.is_empty() {
            continue;
        }
        let mut turn = Turn::start(dir, tools, Side::Feeway, intake, options.profile)?;
        turn.warm_up(tools, interrupt)?;
        for part in parts {
            let measured = measure(
                &mut turn,
                part,
                options.length(part),
                tools,
                None,
                interrupt,
            )?;
            note(part, &measured, figures, Side::Feeway);
            posted.push((part, measured.posts_per_second));
        }
        turn.stop()?;
    }
    posted.retain(|(part, _)| *part != Part::Throughput);
    if posted.is_empty() {
        return Ok(());
    }
    let mut turn = Turn::start(dir, tools, Side::Floor, options.intake, options.profile)?;
    turn.warm_up(tools, interrupt)?;
    for (part, rates) in posted {
        let length = options.length(part);
        let measured = measure(&mut turn, part, length, tools, Some(rates), interrupt)?;
        if measured.load.ok == 0 {
            bail!("the floor answered nothing: see {}", dir.logs().display());
        }
        note(part, &measured, figures, Side::Floor);
    }
    turn.stop()
}

fn note(part: Part, measured: &Measured, figures: &mut Figures, side: Side) {
    report::print_line(part, side, measured);
    figures.add(part, side, measured);
}
