//! What fuzzing feeds to the libraries, and what must hold whatever it is.
//!
//! Each function is one target: [`datagrams`], [`capture`], [`file`], [`filter`]. It takes any octets and panics where a
//! promise is broken. [`sequence`] is the input format of datagrams, [`seeds`] makes inputs to start from.
#![forbid(unsafe_code)]

mod capture;
mod datagrams;
mod file;
mod filter;
mod resign;
mod scratch;
pub mod seeds;
pub mod sequence;

pub use capture::capture;
pub use datagrams::datagrams;
pub use file::file;
pub use filter::filter;

/// A target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its program and its directories.
    pub name: &'static str,
    /// What it does with an input.
    pub check: fn(&[u8]),
}

/// Every target.
pub const TARGETS: [Target; 5] = [
    Target { name: "datagrams", check: datagrams },
    Target { name: "sflow", check: datagrams },
    Target { name: "capture", check: capture },
    Target { name: "file", check: file },
    Target { name: "filter", check: filter },
];
