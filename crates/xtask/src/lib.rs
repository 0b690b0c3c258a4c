//! What the project does with itself: `cargo xtask demo`, `bench`, checks, and the tools which its tests share.
//!
//! * [`programs`]: building and finding `rcapd`, `rdump` and `rexpire`.
//! * [`process`]: running them, as daemons on loopback or measured.
//! * [`counts`]: instructions of the hottest kernels.
//! * [`demo`] and [`bench`](mod@bench): the two long commands.
//! * [`answers`]: comparing what rdump and nfdump print.
//! * [`dist`]: the release and its packages; [`licences`] of what is in it.
//! * [`mod@reference`]: the tables of docs/reference.md.
//! * [`arrows`], [`words`]: checks of the source tree.
//! * [`capture`]: making and replaying captures.
//!
//! Everything here runs on loopback and in directories of its own, and ends only what it started.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks")]

pub mod answers;
pub mod arrows;
pub mod bench;
pub mod capture;
pub mod counts;
pub mod demo;
pub mod dist;
pub mod licences;
pub mod process;
pub mod programs;
pub mod reference;
pub mod words;
