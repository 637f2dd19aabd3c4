//! A report on NATS: its subject, a line feed, its payload.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| feeway_fuzz::nats_message::check(bytes));
