//! Whether a file is what it says of itself.

use crate::error::FileError;
use std::collections::BTreeMap;

/// What verifying a file found.
#[derive(Debug)]
pub struct Verification {
    /// What the file has.
    pub counts: Counts,
    /// Everything that is not as it should be, in file order; what opening found comes first.
    pub problems: Vec<FileError>,
    /// Octets behind all that the file tells of.
    pub surplus: u64,
}

/// What a file has, counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counts {
    /// Of our format.
    Columnar {
        /// Columns, over all blocks.
        columns: u64,
        /// Rows, over all blocks.
        rows: u64,
    },
    /// Of nfdump's.
    Nfdump {
        /// Blocks, the appendix's included, by their type.
        blocks: BTreeMap<u16, u64>,
        /// Records in all of them, as their headers count.
        records: u64,
    },
}
