//! `cargo xtask …`: builds, starts, watches, stops and tests a Feeway stack.
//!
//! Does: read the command line and call the crate that does it.
//!
//! Does not: know any product crate, and neither do the tools: they talk to processes by their
//! command lines and their ports only.
//!
//! ```text
//! cli ──► stack                               up, down, status, logs, restart, stop, start, image
//!    ├──► chaos, contest, hostile, compare    each on stacks of its own
//!    └──► checks                              test
//! all of them ──► stack ──► machine
//! ```

mod reference;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use feeway_chaos::ChaosOptions;
use feeway_checks::TestOptions;
use feeway_compare::CompareOptions;
use feeway_contest::RinhaOptions;
use feeway_hostile::HostileOptions;
use feeway_stack::image::{self, ImageOptions};
use feeway_stack::logs::{self, LogsOptions};
use feeway_stack::stack_dir::StackDir;
use feeway_stack::up::{self, UpOptions};
use feeway_stack::{down, halt, restart, status, supervisor};

use crate::reference::DocsOptions;

/// The exit code for a command line that cannot be understood.
const EXIT_USAGE: u8 = 64;

/// Builds, starts, watches, stops and tests a Feeway stack.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the stack: Redis, NATS, processors, leaders, fronts, HAProxy
    Up {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        options: Box<UpOptions>,
    },
    /// Stop the stack; accepted payments are kept and settle after the next `up`
    Down {
        #[command(flatten)]
        place: Place,
        /// Also delete all payments and all logs
        #[arg(long)]
        wipe: bool,
    },
    /// Show each process of the stack; fail unless all are ready
    Status {
        #[command(flatten)]
        place: Place,
    },
    /// Print the stack's logs
    Logs {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        options: LogsOptions,
    },
    /// Stop one process and wait until it is ready again
    Restart {
        #[command(flatten)]
        place: Place,
        /// The name of the process, as in `status`
        name: String,
    },
    /// Stop some processes and leave the others running
    Stop {
        #[command(flatten)]
        place: Place,
        /// The names of the processes, as in `status`
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Start processes that were stopped, and wait until they are ready
    Start {
        #[command(flatten)]
        place: Place,
        /// The names of the processes, as in `status`
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Break a private stack under load, heal it, and audit every payment
    Chaos(ChaosOptions),
    /// Measure how much hostile clients slow down normal ones
    Hostile(HostileOptions),
    /// Play a scenario of the contest with k6, and print what it earned
    Rinha(RinhaOptions),
    /// Compare Feeway with an earlier build, or with servers that do nothing but answer 202
    Compare(CompareOptions),
    /// Build the container image
    Image(ImageOptions),
    /// Run every check and every test
    Test(TestOptions),
    /// Write docs/commands.md from the --help of the programs
    Docs(DocsOptions),
    /// Own the processes of a planned stack; `up` starts this
    #[command(hide = true)]
    Supervise {
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Args)]
struct Place {
    /// The folder of the stack: run state, logs and data [default: target/stack]
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Place {
    fn stack_dir(&self) -> Result<StackDir> {
        StackDir::new(self.dir.as_deref())
    }
}

impl Command {
    fn run(&self) -> Result<ExitCode> {
        let done = match self {
            Self::Up { place, options } => up::run(&place.stack_dir()?, options),
            Self::Down { place, wipe } => down::run(&place.stack_dir()?, *wipe),
            Self::Status { place } => status::run(&place.stack_dir()?),
            Self::Logs { place, options } => logs::run(&place.stack_dir()?, options),
            Self::Restart { place, name } => restart::run(&place.stack_dir()?, name),
            Self::Stop { place, names } => halt::stop(&place.stack_dir()?, names),
            Self::Start { place, names } => halt::start(&place.stack_dir()?, names),
            Self::Chaos(options) if feeway_chaos::run(options)? => Ok(()),
            Self::Hostile(options) if feeway_hostile::run(options)? => Ok(()),
            Self::Rinha(options) if feeway_contest::run(options)? => Ok(()),
            Self::Compare(options) if feeway_compare::run(options)? => Ok(()),
            Self::Test(options) if feeway_checks::run(options)? => Ok(()),
            Self::Chaos(_)
            | Self::Hostile(_)
            | Self::Rinha(_)
            | Self::Compare(_)
            | Self::Test(_) => {
                return Ok(ExitCode::FAILURE);
            }
            Self::Image(options) => image::run(options),
            Self::Docs(options) => reference::run(options),
            Self::Supervise { place } => supervisor::run(&place.stack_dir()?),
        };
        done.map(|()| ExitCode::SUCCESS)
    }
}

fn main() -> ExitCode {
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(error) => {
            let shown = error.print().is_ok();
            return if shown && !error.use_stderr() {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(EXIT_USAGE)
            };
        }
    };
    match line.command.run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
