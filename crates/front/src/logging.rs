//! How this process logs.

use std::io::{IsTerminal as _, stdout};

use tracing_subscriber::EnvFilter;

/// Starts to log: text on a terminal, else JSON lines.
pub fn start(filter: &str) {
    let subscriber = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(filter));
    if stdout().is_terminal() {
        subscriber.init();
    } else {
        subscriber.json().flatten_event(true).init();
    }
}
