//! The body of `POST /payments`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| feeway_fuzz::payment_body::check(bytes));
