//! Whole leaders, as processes, with private servers and stub processors.
#![expect(clippy::unwrap_used, reason = "a test fails where its set-up fails")]

mod command_line;
mod faults;
mod leader_process;
mod nats_creds;
mod private_servers;
mod processor_stub;
mod reports;
mod secrets;
mod take_over;
mod terminal;

use std::time::Duration;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(15);
