//! Test support for the other crates: never part of a program.
//!
//! * [`conditions`]: tests that need another program or the corpus.
//! * [`fixture`]: the flows that nfdump was measured on.
//! * [`generate`]: random flows, repeatable from a seed, and as proptest strategies.
//! * [`naive`]: what aggregation, statistics and sorting mean, row by row and without any cleverness.
//! * [`traffic`]: flows as exporters send them.
#![forbid(unsafe_code)]

pub mod conditions;
pub mod fixture;
pub mod generate;
pub mod mmdb;
pub mod naive;
pub mod traffic;
