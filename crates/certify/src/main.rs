//! The process that certifies a processor.

use std::io::{BufWriter, stderr, stdout};
use std::process::ExitCode;

use feeway_certify::{Ending, Options, Usage, run};
use feeway_options::{EX_USAGE, or_exit_code};
use feeway_processor::SetUpError;
use tracing_subscriber::filter::LevelFilter;

const EX_DOES_NOT_FIT: u8 = 1;
const EX_NOT_RUN: u8 = 2;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = match or_exit_code(Options::read(std::env::args_os())) {
        Ok(options) => options,
        Err(code) => return code,
    };
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::WARN)
        .with_writer(stderr)
        .init();
    match run(&options, &mut BufWriter::new(stdout().lock())).await {
        Ok(Ending::Fits) => ExitCode::SUCCESS,
        Ok(Ending::DoesNotFit) => ExitCode::from(EX_DOES_NOT_FIT),
        Ok(Ending::NotRun) => {
            eprintln!("nothing was done");
            ExitCode::from(EX_NOT_RUN)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            let is_usage = error.is::<Usage>() || error.is::<SetUpError>();
            ExitCode::from(if is_usage { EX_USAGE } else { EX_NOT_RUN })
        }
    }
}
