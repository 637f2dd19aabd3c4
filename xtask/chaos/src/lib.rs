//! Breaks a stack under load in every way there is, heals it, and audits every payment
//! against the processors' books.
//!
//! ```text
//! seed ──► schedule ──► faults ──► stack, simulators
//!   └────► traffic ───► load ────► HAProxy          (clients that send again after 503)
//!                         │
//!                      register ──► audit ◄── dumps, GET /payments/{id}, summaries
//! ```

mod audit;
mod books;
mod faults;
mod front_backlog;
mod kill_all;
mod load;
mod mixed;
mod operator;
mod outage;
mod register;
mod report;
mod sabotage;
mod schedule;
mod settling;
mod simulators;
mod store_faults;
mod takeovers;
mod traffic;
mod trial;
mod windows;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use feeway_machine::binaries::Profile;
use feeway_machine::clock;
use feeway_stack::up::Fsync;

use self::trial::Trial;

/// The usual rates, in payments a second.
const RATE: u64 = 300;
const KILL_ALL_RATE: u64 = 500;

const MAX_MINUTES: f64 = 24.0 * 60.0;

/// What is done to the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Processes are killed and paused, processors go wrong, all of it at random.
    Mixed,
    /// Every process is killed at once, and the stack is started again with its data.
    KillAll,
    /// Every processor fails for the whole time.
    Outage,
    /// A front is killed with 5000 open payments and stays dead.
    FrontBacklog,
    /// The store comes back empty or older, is flushed, demoted, full or without functions, and a
    /// front's clock goes wrong; an operator does what only a person may do.
    Store,
    /// A test of the audit itself: in a sound stack one payment is lost and another charged twice
    /// on purpose, and the audit must find exactly these.
    Sabotage,
}

/// What is broken, for how long, and where the report goes.
#[derive(Args, Debug)]
pub struct ChaosOptions {
    /// How long to send payments, in minutes
    #[arg(long, default_value = "2", value_parser = minutes)]
    minutes: Duration,

    /// The seed of faults and payments; the same seed gives the same ones [default: from the clock]
    #[arg(long)]
    seed: Option<u64>,

    /// Payments a second, a tenth of them duplicates [default: 300; for kill-all 500]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    rate: Option<u64>,

    /// How the programs are compiled
    #[arg(long, value_enum, default_value = "release")]
    profile: Profile,

    /// An empty folder for the stack, which is kept [default: in target/chaos, deleted on success]
    #[arg(long)]
    dir: Option<PathBuf>,

    /// The port for payments [default: a free one]
    #[arg(long)]
    port: Option<u16>,

    /// The port of the first simulated processor; the second uses the next one [default: free ones]
    #[arg(long)]
    simulator_port: Option<u16>,

    /// When Redis syncs its file to the disk; with `everysec` Redis and a front are never broken
    /// together [default: everysec; for kill-all always]
    #[arg(long, value_enum)]
    fsync: Option<Fsync>,

    /// What is done to the stack
    #[arg(long, value_enum, default_value = "mixed")]
    scenario: Scenario,
}

fn minutes(text: &str) -> Result<Duration, String> {
    let minutes: f64 = text.parse().map_err(|_bad| "not a number".to_owned())?;
    if !(0.1..=MAX_MINUTES).contains(&minutes) {
        return Err(format!("must be from 0.1 to {MAX_MINUTES}"));
    }
    Ok(Duration::from_secs_f64(minutes * 60.0))
}

impl ChaosOptions {
    fn length(&self) -> Duration {
        self.minutes
    }

    fn rate(&self) -> u64 {
        self.rate.unwrap_or(match self.scenario {
            Scenario::KillAll => KILL_ALL_RATE,
            Scenario::Mixed
            | Scenario::Outage
            | Scenario::FrontBacklog
            | Scenario::Store
            | Scenario::Sabotage => RATE,
        })
    }

    fn fsync(&self) -> Fsync {
        self.fsync.unwrap_or(match self.scenario {
            Scenario::KillAll => Fsync::Always,
            Scenario::Mixed
            | Scenario::Outage
            | Scenario::FrontBacklog
            | Scenario::Store
            | Scenario::Sabotage => Fsync::Everysec,
        })
    }
}

/// Runs one scenario. Returns whether nothing was lost, twice, mismatched, left open or
/// answered against the contract.
pub fn run(options: &ChaosOptions) -> Result<bool> {
    if options.scenario == Scenario::KillAll && options.fsync() == Fsync::Everysec {
        bail!(
            "kill-all needs --fsync always: with everysec nothing is guaranteed when Redis and the fronts end together"
        );
    }
    let seed = options.seed.unwrap_or_else(clock::unix_seconds);
    println!("Seed {seed}");
    let trial = Trial::begin(options, seed)?;
    let acted = match options.scenario {
        Scenario::Mixed => mixed::run(&trial),
        Scenario::KillAll => kill_all::run(&trial),
        Scenario::Outage => outage::run(&trial),
        Scenario::FrontBacklog => front_backlog::run(&trial),
        Scenario::Store => store_faults::run(&trial),
        Scenario::Sabotage => sabotage::run(&trial),
    }?;
    let judgement = trial.judge(&acted)?;
    let sound = report::print(&acted, &judgement);
    let passed = match &acted.sabotage {
        None => sound,
        Some(sabotage) => {
            let twice_at = trial.last_processor()?.name;
            sabotage.is_all_of(&judgement.audit, twice_at)
        }
    };
    println!(
        "\nseed {seed}: {}",
        if passed { "passed" } else { "FAILED" }
    );
    trial.end(passed)?;
    Ok(passed)
}
