//! The simulator's process.

use std::io::{IsTerminal, stdout};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use feeway_options::or_exit_code;
use feeway_process::StopSignal;
use feeway_simulator::{Simulator, SimulatorConfig};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let config = match or_exit_code(SimulatorConfig::try_parse()) {
        Ok(config) => config,
        Err(code) => return code,
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
    let mut stop = StopSignal::catch().context("cannot catch SIGTERM")?;
    let simulator = Simulator::bind(config).await?;
    simulator.run(stop.wait()).await;
    Ok(())
}
