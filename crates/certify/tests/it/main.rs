//! The program against simulators of every kind.
#![expect(clippy::unwrap_used, reason = "a test fails where its set-up fails")]

mod document;
mod openapi;
mod process;
mod recorder;
mod running;
mod table;
mod vouching;
