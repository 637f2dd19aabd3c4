use std::io::{IsTerminal as _, stdout};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// Starts to log: text on a terminal, else JSON lines.
///
/// # Panics
/// When the process logs already.
pub fn start_log(filter: &str) {
    let subscriber = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(filter));
    if stdout().is_terminal() {
        subscriber.init();
    } else {
        subscriber.json().flatten_event(true).init();
    }
}

/// Checks a filter such as `info,feeway_worker=debug`, and gives it back.
pub fn check_filter(text: &str) -> Result<String, ParseError> {
    EnvFilter::try_new(text).map(|_| text.to_owned())
}
