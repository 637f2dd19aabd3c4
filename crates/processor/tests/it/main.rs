//! The client against a scripted server: what arrives there, and what comes of it.
#![expect(clippy::unwrap_used, reason = "a test fails where its set-up fails")]

mod bare;
mod connection_use;
mod head;
mod health;
mod look_up;
mod misdelivery;
mod post;
mod scripted_server;
mod tls;
