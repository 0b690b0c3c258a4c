//! Reading files of nfdump 1.6 (layout 1) and 1.7 (layout 2).
//!
//! Nothing in these files tells how many flows a block has or what they are like, so a block is decompressed to be known.
//! [`NfdumpFile::block`] does that once: it finds every flow record and its [shape](shape::Shape); columns are then
//! read from the records whenever they are asked for.

mod columns;
mod decompress;
mod extension;
mod file;
mod findings;
mod header;
mod inspect;
mod layout;
mod maps;
mod memory;
mod one;
mod records;
mod shape;
mod two;

pub(crate) use decompress::Method;
pub(crate) use file::{NfdumpBlock, NfdumpFile, Part, RawBlock};
pub use inspect::ExtensionMap;
pub(crate) use layout::{BlockHeader, Layout, Records};
