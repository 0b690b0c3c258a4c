//! nfdump's own files.

mod element;
mod layout;
mod read;
mod rewrite;
mod stored;
mod write;

pub use read::ExtensionMap;
pub(crate) use read::{Layout, NfdumpBlock, NfdumpFile};
pub(crate) use write::Writer;
pub use write::{BlockCompression, NfdumpRelease, UnknownCompression};
