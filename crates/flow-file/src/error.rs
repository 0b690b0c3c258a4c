//! What can be wrong with a file, and where.

use flow_model::Field;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file, or a part of it, that cannot be used. Always names the path; offsets are octets from the start of the file.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The operating system refused.
    #[error("{}: cannot {action}: {cause}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried, as a verb with its object.
        action: &'static str,
        /// Why it failed; it stands in the text, so it is no `source()`.
        cause: Arc<io::Error>,
    },
    /// The file has no octet at all.
    #[error("{}: file is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The path names a directory, a device or the like.
    #[error("{}: not a regular file", path.display())]
    NotRegular {
        /// The path.
        path: PathBuf,
    },
    /// The first octets are not those of a flow file.
    #[error("{}: not a flow file: starts with {}", path.display(), Hex(first))]
    NotAFlowFile {
        /// The file.
        path: PathBuf,
        /// Its first octets, at most eight.
        first: Vec<u8>,
    },
    /// A flow file of another program.
    #[error("{}: {layout} cannot be read", path.display())]
    ForeignLayout {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        layout: ForeignLayout,
    },
    /// A file that can be read, but is not of our format, which what was asked for needs.
    #[error("{}: this cannot be done with a file of {layout}", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        layout: ForeignLayout,
    },
    /// A file of our format, of a version to come.
    #[error(
        "{}: written by a newer rdump: format version {major}.{minor}, this one reads up to {}",
        path.display(), crate::columnar::layout::VERSION_MAJOR
    )]
    NewerVersion {
        /// The file.
        path: PathBuf,
        /// Major version of the file.
        major: u16,
        /// Minor version of the file.
        minor: u16,
    },
    /// What a collector knew of its exporters cannot be used.
    #[error("{}: {damage}", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        damage: Damage,
    },
    /// The file header is damaged.
    #[error("{}: file header: {damage}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        damage: Damage,
    },
    /// The footer is damaged; blocks are found without it.
    #[error("{}: footer at byte {offset}: {damage}", path.display())]
    Footer {
        /// The file.
        path: PathBuf,
        /// Where the footer starts, or should.
        offset: u64,
        /// What is wrong.
        damage: Damage,
    },
    /// The appendix of a file of nfdump's is damaged; blocks are found without it.
    #[error("{}: appendix at byte {offset}: {damage}", path.display())]
    Appendix {
        /// The file.
        path: PathBuf,
        /// Where the header says that it starts.
        offset: u64,
        /// What is wrong.
        damage: Damage,
    },
    /// Records of a block of nfdump's are damaged or unknown; the others were read.
    #[error(
        "{}: block {block} at byte {offset}: in {records} record{}: {damage}",
        path.display(), if *records == 1 { "" } else { "s" }
    )]
    Records {
        /// The file.
        path: PathBuf,
        /// Number of the block, from 0.
        block: usize,
        /// Where it starts.
        offset: u64,
        /// How many records are concerned.
        records: u64,
        /// What is wrong.
        damage: Damage,
    },
    /// A block, or one column of it, is damaged.
    #[error("{}: block {block} at byte {offset}: {}{damage}", path.display(), Column(*field))]
    Block {
        /// The file.
        path: PathBuf,
        /// Number of the block, from 0.
        block: usize,
        /// Where the damaged part starts.
        offset: u64,
        /// The column concerned, if it is only one.
        field: Option<Field>,
        /// What is wrong.
        damage: Damage,
    },
    /// The last block was never written to its end; what stands before it is whole.
    #[error(
        "{}: block {block} at byte {offset} is incomplete: {available} bytes of it are there",
        path.display()
    )]
    Torn {
        /// The file.
        path: PathBuf,
        /// Number the block would have, from 0.
        block: usize,
        /// Where it starts.
        offset: u64,
        /// How much of it there is.
        available: u64,
    },
    /// A file that cannot be written anew without losing something; it was left as it is.
    #[error("{}: cannot be rewritten: {reason}", path.display())]
    NotRewritable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// A batch or a text that the format cannot hold was to be written.
    #[error("{}: cannot write: {what} is {found}, at most {limit} is possible", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What is too large.
        what: &'static str,
        /// How large it is.
        found: u64,
        /// How large it may be.
        limit: u64,
    },
}

impl FileError {
    /// The file concerned.
    pub fn path(&self) -> &Path {
        match self {
            FileError::Io { path, .. }
            | FileError::Empty { path }
            | FileError::NotRegular { path }
            | FileError::NotAFlowFile { path, .. }
            | FileError::ForeignLayout { path, .. }
            | FileError::NotOurs { path, .. }
            | FileError::NewerVersion { path, .. }
            | FileError::State { path, .. }
            | FileError::Header { path, .. }
            | FileError::Footer { path, .. }
            | FileError::Appendix { path, .. }
            | FileError::Records { path, .. }
            | FileError::Block { path, .. }
            | FileError::Torn { path, .. }
            | FileError::NotRewritable { path, .. }
            | FileError::Unwritable { path, .. } => path,
        }
    }

    /// What the user can do, beside doing without the file.
    pub fn hint(&self) -> Option<&'static str> {
        let FileError::ForeignLayout { layout, .. } = self else { return None };
        match layout {
            ForeignLayout::Nfdump(3) => {
                Some("that layout is still changing; of nfdump's files those of 1.6 and 1.7 can be read")
            }
            ForeignLayout::Nfdump(_) => None,
            ForeignLayout::Nfdump15 => Some(
                "an nfdump 1.6 that was built to read files of 1.5 can write them anew: `nfdump -r OLD -w NEW`",
            ),
            ForeignLayout::NfdumpEncrypted => {
                Some("nfdump, which has the key, can write it anew without encryption")
            }
            ForeignLayout::NfdumpSwapped => {
                Some("it was written on a machine of the other byte order; only such a machine can read it")
            }
        }
    }

    /// What records of a file of nfdump's have that this version does not know, and its number. Other blocks of the file
    /// are likely to have it too.
    pub fn unknown(&self) -> Option<(&'static str, u64)> {
        match self {
            FileError::Records { damage: Damage::Unknown { what, found }, .. } => Some((what, *found)),
            _ => None,
        }
    }

    pub(crate) fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> FileError {
        let path = path.to_path_buf();
        move |cause| FileError::Io { path, action, cause: Arc::new(cause) }
    }
}

/// What is wrong with a piece of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The piece is not what was written.
    #[error("checksum is {found:016x}, expected {expected:016x}")]
    Checksum {
        /// The stored checksum.
        expected: u64,
        /// The checksum of what is there.
        found: u64,
    },
    /// The piece ends too early.
    #[error("{needed} bytes are needed, {available} are there")]
    Short {
        /// Octets needed.
        needed: u64,
        /// Octets there.
        available: u64,
    },
    /// A size or count exceeds what is possible.
    #[error("{what} is {found}, at most {limit} is possible")]
    TooLarge {
        /// What is counted.
        what: &'static str,
        /// What the file says.
        found: u64,
        /// What is possible.
        limit: u64,
    },
    /// A code that this version does not know.
    #[error("unknown {what} {found}")]
    Unknown {
        /// What the code stands for.
        what: &'static str,
        /// The code.
        found: u64,
    },
    /// A record that is impossibly long or short; what comes behind it in the block cannot be found.
    #[error(
        "the record at {at} has {found} bytes of the {available} that are left; the rest of the block is not read"
    )]
    RecordSize {
        /// Where it starts in the decompressed block.
        at: u64,
        /// How long it says to be.
        found: u64,
        /// What is left of the block.
        available: u64,
    },
    /// A count that does not agree with what is there.
    #[error("{announced} {what} are announced, {found} are there")]
    Count {
        /// What is counted.
        what: &'static str,
        /// The count.
        announced: u64,
        /// What is there.
        found: u64,
    },
    /// The parts contradict each other.
    #[error("{0}")]
    Inconsistent(&'static str),
    /// Compressed data that does not decompress to the stated length.
    #[error("{0} data does not decompress")]
    Compressed(&'static str),
}

/// A layout that this crate recognises by its first octets and does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignLayout {
    /// nfdump's, with the layout version of the file.
    Nfdump(u16),
    /// nfdump 1.5's records in layout 1.
    Nfdump15,
    /// nfdump's, encrypted.
    NfdumpEncrypted,
    /// nfdump's, written by a machine of the other byte order.
    NfdumpSwapped,
}

impl fmt::Display for ForeignLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ForeignLayout::Nfdump(1) => f.write_str("nfdump 1.6's layout (version 1)"),
            ForeignLayout::Nfdump(2) => f.write_str("nfdump 1.7's layout (version 2)"),
            ForeignLayout::Nfdump(3) => f.write_str("nfdump 1.8's layout (version 3)"),
            ForeignLayout::Nfdump15 => f.write_str("nfdump 1.5's records (layout version 1)"),
            ForeignLayout::NfdumpEncrypted => f.write_str("nfdump's encrypted layout"),
            ForeignLayout::Nfdump(version) => write!(f, "nfdump's unknown layout version {version}"),
            ForeignLayout::NfdumpSwapped => f.write_str("nfdump's layout in the other byte order"),
        }
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, octet) in self.0.iter().enumerate() {
            write!(f, "{}{octet:02x}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

struct Column(Option<Field>);

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |field| write!(f, "column `{}`: ", flow_model::field_info(field).name))
    }
}
