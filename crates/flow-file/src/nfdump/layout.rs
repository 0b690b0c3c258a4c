//! Sizes and codes.

/// The first two octets of a file, as a number.
pub(crate) const MAGIC: u16 = 0xa50c;

/// Layout of nfdump 1.7.
pub(crate) const VERSION: u16 = 2;

/// Octets of the file header of layout 2.
pub(crate) const FILE_HEADER_LEN: usize = 40;

/// Octets of a block header.
pub(crate) const BLOCK_HEADER_LEN: usize = 12;

/// Types of blocks.
pub(crate) mod block {
    /// Records of nfdump 1.5.
    pub(crate) const RECORDS_1_5: u16 = 1;
    /// Records of layout 1.
    pub(crate) const RECORDS_1: u16 = 2;
    /// Records of layout 2.
    pub(crate) const RECORDS_2: u16 = 3;
    /// Histograms, in layout 1.
    pub(crate) const HISTOGRAMS: u16 = 3;
    /// Arrays of databases, in layout 2.
    pub(crate) const ARRAYS: u16 = 4;
}

/// Octets of a block before compression, at most: what 1.7.1 writes, and all releases read.
pub(crate) const MAX_BLOCK: usize = 1 << 20;

/// Octets of a record, at most: its length is a 16-bit number.
pub(crate) const MAX_RECORD: usize = u16::MAX as usize;

/// Octets of an ident, at most: readers take records below 128 octets, which are four of header, the ident, a NUL and
/// one more to make it even.
pub(crate) const MAX_IDENT: usize = 121;

/// Types of records.
pub(crate) mod record {
    /// A flow, up to 1.6.11.
    pub(crate) const FLOW_V0: u16 = 1;
    pub(crate) const EXTENSION_MAP: u16 = 2;
    /// Exporters and samplers of a test release.
    pub(crate) const TEST_EXPORTER: u16 = 5;
    pub(crate) const TEST_SAMPLER: u16 = 6;
    pub(crate) const EXPORTER: u16 = 7;
    pub(crate) const EXPORTER_STATISTICS: u16 = 8;
    pub(crate) const SAMPLER_LEGACY: u16 = 9;
    /// A flow, from 1.6.12 on.
    pub(crate) const FLOW_COMMON: u16 = 10;
    /// A flow of layout 2.
    pub(crate) const FLOW: u16 = 11;
    pub(crate) const NBAR: u16 = 12;
    pub(crate) const INTERFACE_NAMES: u16 = 13;
    pub(crate) const VRF_NAMES: u16 = 14;
    pub(crate) const SAMPLER: u16 = 15;
    /// Left free by whoever changed a file in place.
    pub(crate) const SLACK: u16 = 256;
    pub(crate) const IDENT: u16 = 0x8001;
    pub(crate) const STATISTICS: u16 = 0x8002;
}

/// Octets of records of layout 2.
pub(crate) mod record_len {
    pub(crate) const EXPORTER: u16 = 32;
    pub(crate) const SAMPLER_LEGACY: u16 = 16;
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
