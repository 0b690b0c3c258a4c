//! nfdump's own files.

#[allow(dead_code, reason = "what is only read comes before its reader")]
mod element;
#[allow(dead_code, reason = "what is only read comes before its reader")]
mod stored;
mod write;

pub(crate) use write::Writer;
pub use write::{BlockCompression, NfdumpRelease, UnknownCompression};
