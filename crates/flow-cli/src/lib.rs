//! What the three binaries share at the command line.
//!
//! * [`parse`] reads an argument vector with clap after [`normalise`] has removed getopt's habits from it:
//!   clustered letters, glued values, options behind operands, and each program's own irregularities as
//!   [`Quirk`]s.
//! * [`configured`] does the same and completes it from the environment and the configuration file.
//! * [`configured`] does the same, and adds what the environment and the configuration file say.
//! * [`ByteSize`], [`Age`], [`Span`] and [`TimeSpec`] are the arguments that have a grammar of their own.
//! * [`Describe`] are the options by which a program prints its manual page and completions.
//! * [`Paint`] colours reports on terminals.
//! * [`run`] is the frame of a `main`: errors to stderr as `rdump: what: cause`, one [`ExitCode`], and a quiet
//!   end when whoever reads our output has gone.
//!
//! ```
//! use flow_cli::{Age, ByteSize};
//!
//! assert_eq!("1w2d12H".parse::<Age>().unwrap().seconds(), 820_800);
//! assert_eq!("1.5G".parse::<ByteSize>().unwrap().bytes(), 1_610_612_736);
//! ```
//!
//! This crate knows clap, anyhow and exit codes, which no library does; it knows nothing of flows and
//! reads no clock.
#![forbid(unsafe_code)]

mod age;
mod compression;
mod config;
mod describe;
mod exit;
mod normalise;
mod paint;
mod parse;
mod run;
mod size;
mod span;
mod time;
mod version;

pub use age::{Age, AgeError};
pub use compression::{CompressionError, compression_argument};
pub use config::{ConfigArgs, Configuration, Configured, configured};
pub use describe::Describe;
pub use exit::{ExitCode, WithExitCode, exit_code_of};
pub use normalise::{Quirk, normalise};
pub use paint::{Emphasis, Paint};
pub use parse::{parse, usage_error};
pub use run::{Messages, is_closed_pipe, run};
pub use size::{ByteSize, SizeError};
pub use span::{Span, SpanError};
pub use time::{TimeError, TimePart, TimeSpec};
pub use version::version_text;
