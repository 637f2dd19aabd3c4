//! The health messages over a private NATS server.
#![expect(clippy::unwrap_used, reason = "a test fails where its set-up fails")]

mod access;
mod nats_server;
mod report_channel;
