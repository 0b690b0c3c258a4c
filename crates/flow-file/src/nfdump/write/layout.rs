//! Sizes and codes of layout 2.

/// The first two octets of a file, as a number.
pub(crate) const MAGIC: u16 = 0xa50c;

/// Layout of nfdump 1.7.
pub(crate) const VERSION: u16 = 2;

/// Octets of the file header.
pub(crate) const FILE_HEADER_LEN: usize = 40;

/// Octets of a block header.
pub(crate) const BLOCK_HEADER_LEN: usize = 12;

/// A block of records.
pub(crate) const BLOCK_OF_RECORDS: u16 = 3;

/// Octets of a block before compression, at most: what 1.7.1 writes, and all releases read.
pub(crate) const MAX_BLOCK: usize = 1 << 20;

/// Octets of a record, at most: its length is a 16-bit number.
pub(crate) const MAX_RECORD: usize = u16::MAX as usize;

/// Octets of an ident, at most: readers take records below 128 octets, which are four of header, the ident, a NUL and
/// one more to make it even.
pub(crate) const MAX_IDENT: usize = 121;

/// Types of records.
pub(crate) mod record {
    pub(crate) const EXPORTER: u16 = 7;
    pub(crate) const EXPORTER_STATISTICS: u16 = 8;
    pub(crate) const SAMPLER: u16 = 15;
    pub(crate) const IDENT: u16 = 0x8001;
    pub(crate) const STATISTICS: u16 = 0x8002;
}

/// Octets of records.
pub(crate) mod record_len {
    pub(crate) const EXPORTER: u16 = 32;
    pub(crate) const SAMPLER: u16 = 24;
    pub(crate) const STATISTICS: u16 = 148;
    /// The header of a record of exporter statistics, and each of its entries.
    pub(crate) const EXPORTER_STATISTICS: (u16, u16) = (8, 24);
}

/// Who wrote a file.
pub(crate) mod creator {
    pub(crate) const NFCAPD: u32 = 1;
    pub(crate) const NFDUMP: u32 = 4;
}

/// nfdump's number for its release 1.7.1; nobody checks it.
pub(crate) const RELEASE_1_7_1: u32 = 0x0107_0100;

/// nfdump's number for its release 1.7.8.
pub(crate) const RELEASE_1_7_8: u32 = 0x0107_0800;
