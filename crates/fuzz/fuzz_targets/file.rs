//! See `flow_fuzz::file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| flow_fuzz::file(input));
