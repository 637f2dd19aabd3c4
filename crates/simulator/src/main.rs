//! The simulator's process.

use std::io::{IsTerminal, stdout};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use feeway_simulator::{Simulator, SimulatorConfig};
use tokio::signal::unix::{SignalKind, signal};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The exit code of a wrong command line (EX_USAGE).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let config = match SimulatorConfig::try_parse() {
        Ok(config) => config,
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => {
            // What is wrong ends with an empty line; a document may have several lines.
            let text = error.to_string();
            let lines = text.lines().map(str::trim);
            let lines: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
            eprintln!("{}", lines.join(" "));
            return ExitCode::from(USAGE);
        }
    };
    log();
    if let Err(error) = run(config) {
        eprintln!("error: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn log() {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .from_env_lossy();
    let log = tracing_subscriber::fmt().with_env_filter(filter);
    if stdout().is_terminal() {
        log.init();
    } else {
        log.json().flatten_event(true).init();
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run(config: SimulatorConfig) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
    let simulator = Simulator::bind(config).await?;
    let shutdown = async {
        tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
    };
    simulator.run(shutdown).await;
    Ok(())
}
