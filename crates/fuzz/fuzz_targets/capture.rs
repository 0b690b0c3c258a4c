//! See `flow_fuzz::capture`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| flow_fuzz::capture(input));
