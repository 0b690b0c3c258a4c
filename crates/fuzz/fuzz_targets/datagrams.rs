//! See `flow_fuzz::datagrams`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| flow_fuzz::datagrams(input));
