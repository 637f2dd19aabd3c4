//! Plays the contest that Feeway is measured by, scenario by scenario, with the real k6.
//!
//! ```text
//! scenario ──► plan.json ──► k6 (deploy/k6) ──► result.json ──► score
//!     │                       │  load, stages, audits             ▲
//!     │                  stack, simulators ──► dumps ─────────────┤
//!     └──► oracle, onlooker: what could have been earned ─────────┘
//! ```

mod arrivals;
mod audits;
mod contest;
mod figures;
mod flips;
mod held_twice;
mod k6_run;
mod onlooker;
mod oracle;
mod outcome;
mod report;
mod restless;
mod scenario;
mod score;
mod storm;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use feeway_machine::binaries::Profile;
use feeway_machine::clock;
use feeway_machine::files::repository;
use feeway_machine::interrupt::Interrupt;
use feeway_machine::k6::K6;
use feeway_stack::private_stack::check_unused;
use feeway_stack::stack_dir::StackDir;
use feeway_stack::up::{Engine, LoadBalancer};

use self::scenario::Scenario;

/// What is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Play {
    /// The contest's preliminary round: a minute.
    Preview,
    /// The contest's last round: five minutes.
    Final,
    /// Our own: two minutes in which both processors change at random.
    Storm,
    /// Our own: five minutes in which the books are compared every second.
    Audits,
    /// How soon a failing processor is left, and used again once it has recovered.
    Flips,
}

/// What is played, and on which stack.
#[derive(Args, Debug)]
pub struct RinhaOptions {
    /// What is played
    #[arg(value_enum)]
    play: Play,

    /// The seed of storm and audits; the same seed gives the same run, and each further run uses
    /// the next [default: from the clock]
    #[arg(long)]
    seed: Option<u64>,

    /// How many runs, each with a stack of its own
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20))]
    runs: u32,

    /// How long to send payments in `audits`, in seconds [default: 300]
    #[arg(long, value_parser = clap::value_parser!(u32).range(5..=86_400))]
    seconds: Option<u32>,

    /// How long a payment waits for a cheaper processor that fails [default: 60s; for audits 1s]
    #[arg(long, value_name = "DURATION")]
    patience: Option<String>,

    /// The expected latency above which a processor counts as slow [default: 1200ms; for audits
    /// 500ms]
    #[arg(long, value_name = "DURATION")]
    max_latency: Option<String>,

    /// Kill NATS before the load begins, and do not restart it
    #[arg(long)]
    without_nats: bool,

    /// Kill this process or container in the middle of the load, like `front-1`
    #[arg(long, value_name = "NAME")]
    kill: Option<String>,

    /// What the stack runs on
    #[arg(long, value_enum, default_value = "native")]
    engine: Engine,

    /// Put the floor in the fronts' places (containers only): latencies, and no books
    #[arg(long, hide = true)]
    floor: bool,

    /// What stands between clients and fronts
    #[arg(long, value_enum, default_value = "haproxy")]
    lb: LoadBalancer,

    /// How the programs are compiled
    #[arg(long, value_enum, default_value = "release")]
    profile: Profile,

    /// An empty folder for stack and report [default: one in target/rinha]
    #[arg(long)]
    dir: Option<PathBuf>,

    /// The port for payments [default: a free one]
    #[arg(long)]
    port: Option<u16>,

    /// The port of the first simulated processor; the second uses the next one [default: free ones]
    #[arg(long)]
    simulator_port: Option<u16>,

    /// Play with the programs in this folder instead of building them
    #[arg(long, hide = true, value_name = "FOLDER")]
    programs: Option<PathBuf>,

    /// Take the configuration of HAProxy, Redis and NATS from this tree
    #[arg(long, hide = true, value_name = "TREE")]
    configuration_of: Option<PathBuf>,
}

/// Plays it. Returns whether nothing was lost, twice, unasked for, refused or inconsistent.
pub fn run(options: &RinhaOptions) -> Result<bool> {
    if options.seconds.is_some() && options.play != Play::Audits {
        bail!("--seconds works only with audits: the others have a fixed length");
    }
    let folder = folder(options)?;
    check_unused(&folder)?;
    let interrupt = Interrupt::catch()?;
    let k6 = K6::find_or_install()?;
    let sound = match options.play {
        Play::Flips => flips::run(options, &k6, &folder, &interrupt)?,
        Play::Preview | Play::Final | Play::Storm | Play::Audits => {
            play(options, &k6, &folder, &interrupt)?
        }
    };
    println!("\nreport and logs: {}", folder.display());
    Ok(sound)
}

fn folder(options: &RinhaOptions) -> Result<PathBuf> {
    if let Some(folder) = &options.dir {
        return Ok(std::path::absolute(folder)?);
    }
    let play = options.play.to_possible_value();
    let play = play.as_ref().map_or("", |play| play.get_name());
    let name = format!("{play}-{}", clock::unix_seconds());
    Ok(repository().join("target/rinha").join(name))
}

fn play(options: &RinhaOptions, k6: &K6, folder: &Path, interrupt: &Interrupt) -> Result<bool> {
    let seed = options.seed.unwrap_or_else(clock::unix_seconds);
    let mut runs = Vec::new();
    for number in 0..options.runs {
        let seed = seed.wrapping_add(number.into());
        let scenario = scenario(options, seed);
        let own = if options.runs == 1 {
            folder.to_owned()
        } else {
            println!("\n== run {} of {} ==", number + 1, options.runs);
            folder.join(format!("run-{}", number + 1))
        };
        if matches!(options.play, Play::Storm | Play::Audits) {
            println!("Seed {seed}");
        }
        let outcome = contest::run(&scenario, options, k6, &own, interrupt)?;
        discard_data(&own)?;
        let figures = outcome.figures(&scenario);
        figures::write(&own, &outcome, &figures)?;
        if options.floor {
            report::print_floor(&outcome);
        } else if options.play == Play::Audits {
            report::print_audits(&scenario, &outcome, &figures);
        } else {
            report::print(&scenario, &outcome, &figures);
            report::print_goals(&scenario, &figures);
        }
        runs.push((outcome, figures));
    }
    if runs.len() > 1 {
        report::print_spread(&runs);
    }
    // The floor has no books that could be wrong.
    Ok(runs.iter().all(|(outcome, figures)| {
        if options.floor {
            outcome.counted.failed == 0
        } else {
            outcome.is_sound(figures)
        }
    }))
}

fn scenario(options: &RinhaOptions, seed: u64) -> Scenario {
    match options.play {
        Play::Preview | Play::Flips => Scenario::preview(),
        Play::Final => Scenario::finals(),
        Play::Storm => storm::storm(seed),
        Play::Audits => audits::audits(seed, options.seconds.unwrap_or(audits::SECONDS)),
    }
}

/// Programs and payments are of no use after a run; logs and reports are.
fn discard_data(folder: &Path) -> Result<()> {
    let dir = StackDir::new(Some(folder))?;
    for data in [dir.binaries(), dir.redis_data()] {
        fs::remove_dir_all(&data)?;
    }
    Ok(())
}
