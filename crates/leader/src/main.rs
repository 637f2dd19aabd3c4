//! The leader's process.

use std::process::ExitCode;

use anyhow::Context;
use feeway_leader::{Leader, Options};
use feeway_options::or_exit_code;
use feeway_process::{StopSignal, start_log};
use tracing::info;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let options = match or_exit_code(Options::read(std::env::args_os())) {
        Ok(options) => options,
        Err(code) => return code,
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
    let mut stop = StopSignal::catch().context("cannot catch SIGTERM")?;
    let leader = Leader::bind(options).await?;
    info!(admin = %format_args!("http://{}", leader.admin_address()?), "listening");
    Ok(leader.run(stop.wait()).await?)
}
