//! The queries of the summary and of the listing.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| feeway_fuzz::query::check(bytes));
