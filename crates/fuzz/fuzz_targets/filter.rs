//! See `flow_fuzz::filter`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| flow_fuzz::filter(input));
