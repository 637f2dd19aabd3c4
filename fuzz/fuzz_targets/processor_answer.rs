//! What a processor answers to a look-up and to the question for its health.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| feeway_fuzz::processor_answer::check(bytes));
