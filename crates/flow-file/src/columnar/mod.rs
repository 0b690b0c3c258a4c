//! Our own layout, format version 1: columns in independent blocks. `docs/format.md` describes every octet.

mod bitpack;
mod codec;
mod compress;
pub(crate) mod cursor;
mod dictionary;
mod directory;
mod footer;
mod header;
mod index;
pub(crate) mod layout;
mod membership;
mod names;
mod reader;
mod rewrite;
mod scratch;
mod sequence;
mod verify;
mod writer;

pub use compress::Compression;
pub(crate) use reader::{ColumnarFile, Opened};
pub(crate) use writer::Writer;
