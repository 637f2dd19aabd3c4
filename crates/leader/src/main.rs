//! The leader's process.

use std::process::ExitCode;

use anyhow::Context;
use feeway_leader::{Leader, Options};
use feeway_options::one_line;
use feeway_telemetry::start_log;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The exit code of a wrong command line (EX_USAGE).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let options = match Options::read(std::env::args_os()) {
        Ok(options) => options,
        Err(error) if error.use_stderr() => {
            eprintln!("{}", one_line(&error));
            return ExitCode::from(USAGE);
        }
        Err(asked_for) => asked_for.exit(),
    };
    start_log(&options.log);
    if let Err(error) = run(options) {
        eprintln!("error: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

#[tokio::main(flavor = "current_thread")]
async fn run(options: Options) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
    let leader = Leader::bind(options).await?;
    info!(admin = %format_args!("http://{}", leader.admin_address()?), "listening");
    let shutdown = async {
        tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
    };
    Ok(leader.run(shutdown).await?)
}
