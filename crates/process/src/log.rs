use std::io::{IsTerminal as _, stdout};

use clap::Args;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// The NATS client tells every attempt to connect; the report channel tells the changes.
const DEFAULT_FILTER: &str = "info,async_nats=off";

/// What a program logs.
#[derive(Clone, Debug, Args)]
pub struct LogOptions {
    /// What is logged: error, warn, info, debug or trace, also per crate, such as
    /// info,feeway_health=debug. The log is text on a terminal, and JSON lines otherwise.
    #[arg(
        id = "log",
        long = "log",
        env = "RUST_LOG",
        value_name = "FILTER",
        default_value = DEFAULT_FILTER,
        value_parser = check_filter
    )]
    filter: String,
}

/// Starts to log: text on a terminal, else JSON lines.
///
/// # Panics
/// When the process logs already.
pub fn start_log(options: &LogOptions) {
    let filter = EnvFilter::new(&options.filter);
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter);
    if stdout().is_terminal() {
        subscriber.init();
    } else {
        subscriber.json().flatten_event(true).init();
    }
}

fn check_filter(text: &str) -> Result<String, ParseError> {
    EnvFilter::try_new(text).map(|_| text.to_owned())
}
