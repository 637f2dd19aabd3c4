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
//!
//! With `--engine docker` both are stacks in containers within the limits of `compose.yaml`,
//! the floor in two with the fronts' limits.

mod figures;
mod generator;
mod limits;
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
use crate::up::{Engine, Intake, word};

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

    /// What makes sense within quotas; saturation would only measure these.
    const IN_CONTAINERS: [Self; 2] = [Self::Paced, Self::Preview];
}

#[derive(Args, Debug)]
pub(crate) struct CompareOptions {
    /// What Feeway is compared with
    #[arg(value_enum)]
    with: Yardstick,

    /// How often each runs, in turn
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=100))]
    pairs: u32,

    /// What both run on; in containers there are the parts `preview` and `paced`
    #[arg(long, value_enum, default_value = "native")]
    engine: Engine,

    /// Only these parts [default: all; in containers `preview`]
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
        let mut parts = match (&self.parts[..], self.engine) {
            ([], Engine::Native) => Part::ALL.to_vec(),
            ([], Engine::Docker) => vec![Part::Preview],
            (parts, _) => parts.to_vec(),
        };
        parts.sort_unstable();
        parts.dedup();
        parts
    }

    fn check(&self) -> Result<()> {
        let fits =
            |part: &Part| self.engine == Engine::Native || Part::IN_CONTAINERS.contains(part);
        if let Some(part) = self.parts().into_iter().find(|part| !fits(part)) {
            bail!(
                "{} saturates what it measures, which in containers is their quotas: leave it out of --parts, or leave out --engine docker",
                word(part)
            );
        }
        Ok(())
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
    options.check()?;
    let name = format!("floor-{}", clock::unix_seconds());
    let folder = match &options.dir {
        Some(folder) => std::path::absolute(folder)?,
        None => repository().join("target/compare").join(name),
    };
    check_unused(&folder)?;
    let interrupt = Interrupt::catch()?;
    let dir = StackDir::new(Some(&folder))?;
    let tools = Tools::prepare(&dir, options.profile, options.engine, &options.parts())?;
    let mut figures = Figures::default();
    for pair in 1..=options.pairs {
        println!("\n== pair {pair} of {} ==", options.pairs);
        run_pair(options, &dir, &tools, &interrupt, &mut figures)?;
    }
    let met = report::print(&figures, options.pairs, options.engine);
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
        let mut turn = Turn::start(dir, tools, Side::Feeway, intake)?;
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
    let mut turn = Turn::start(dir, tools, Side::Floor, options.intake)?;
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: CompareOptions,
    }

    #[test]
    fn what_saturates_a_machine_is_not_compared_in_containers() {
        let check = |line: &str, expected: Option<&[Part]>| {
            let words = format!("compare floor {line}");
            let options = Line::try_parse_from(words.split_whitespace())
                .unwrap()
                .options;
            let parts = options.check().map(|()| options.parts());
            assert_eq!(parts.ok().as_deref(), expected, "{line}");
        };
        check("", Some(&Part::ALL));
        check("--parts healthy,paced", Some(&[Part::Paced, Part::Healthy]));
        check("--engine docker", Some(&[Part::Preview]));
        check(
            "--engine docker --parts preview,paced",
            Some(&Part::IN_CONTAINERS),
        );
        check("--engine docker --parts paced,healthy", None);
    }
}
