//! nfdump's own files.

mod element;
mod layout;
mod read;
mod stored;
mod write;

pub(crate) use read::{Layout, NfdumpBlock, NfdumpFile};
pub(crate) use write::Writer;
pub use write::{BlockCompression, NfdumpRelease, UnknownCompression};
