//! The operator's process.

use std::io::{BufWriter, ErrorKind, stdout};
use std::process::ExitCode;

use feeway_ctl::{Ending, Options, run};
use feeway_options::or_exit_code;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A difference, a refusal, or an unknown payment.
const EX_NOT: u8 = 1;
const EX_ERROR: u8 = 2;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = match or_exit_code(Options::read(std::env::args_os())) {
        Ok(options) => options,
        Err(code) => return code,
    };
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::ERROR)
        .with_writer(std::io::stderr)
        .init();
    match run(&options, &mut BufWriter::new(stdout().lock())).await {
        Ok(Ending::Fine) => ExitCode::SUCCESS,
        Ok(Ending::Not) => ExitCode::from(EX_NOT),
        // Whoever read has read enough, as `head` does.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(EX_ERROR)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
