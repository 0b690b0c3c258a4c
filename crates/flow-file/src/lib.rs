//! THE on-disk format crate: every octet of a flow file is read and written here.
//!
//! Three types carry everything else:
//!
//! * [`FlowFile`]: a file open for reading, finished or not. It knows totals, exporters and the ranges of every
//!   block without decoding any, and decodes the columns asked for into a batch.
//! * [`FileWriter`]: a file being written, a batch a block.
//! * [`FileSet`]: the files that a command line means.
//!
//! ```
//! use flow_file::{Compression, FileTail, FileWriter, FlowFile, WriteOptions};
//! use flow_model::{BatchBuilder, CountRule, Field, FieldSet};
//!
//! let dir = tempfile::tempdir()?;
//! let path = dir.path().join("nfcapd.current.1");
//! let options = WriteOptions {
//!     ident: "border".into(),
//!     format: Compression::Lz4.into(),
//!     rule: CountRule::Collected,
//!     created_ms: 1_700_000_000_000,
//! };
//! let mut writer = FileWriter::create(&path, options)?;
//! let mut builder = BatchBuilder::new();
//! builder.set(Field::Proto, 17);
//! builder.finish_row();
//! writer.write(&builder.finish())?;
//! writer.finish(FileTail::default())?;
//!
//! let file = FlowFile::open(&path)?;
//! let batch = file.block(0)?.to_batch(FieldSet::of(&[Field::Proto]))?;
//! assert_eq!(batch.column(Field::Proto).num(0), 17);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The layout is described, octet by octet, in `docs/format.md`. This crate knows no protocol, no query and no clock.

mod columnar;
mod error;
mod file;
mod fileset;
mod gather;
mod live;
mod map;
mod merge;
mod name;
mod nfdump;
mod numbers;
mod replace;
mod rewrite;
mod state;
mod verify;
mod writer;

pub use columnar::Compression;
pub use error::{Damage, FileError, ForeignLayout};
pub use file::{Block, FileCompression, FileLayout, FlowFile, NfdumpHeader, RowCount};
pub use fileset::{FileSelection, FileSet, SelectionError, SelectionWarning};
pub use gather::BatchGatherer;
pub use live::{HeldFile, Journaled, LiveDirectory, LiveFile, journal_of, journal_path, journaled};
pub use merge::merge_files;
pub use name::{
    COLLECTOR_LOCK, SLOT_PREFIX, SlotName, SubDir, WORKING_PREFIX, is_data_file, slot_start_s, working_name,
    working_pid,
};
pub use nfdump::{BlockCompression, ExtensionMap, NfdumpRelease, UnknownCompression};
pub use numbers::ExporterNumbers;
pub use rewrite::{Change, rewrite_file};
pub use state::{COLLECTOR_STATE, StateImage, take_state};
pub use verify::{Counts, Verification};
pub use writer::{FileFormat, FileTail, FileWriter, Finished, Omitted, UnknownFormat, WriteOptions};
