//! Numbers of the layout: magics, versions, sizes, codes, limits.

use crate::error::Damage;
use flow_model::Kind;
use twox_hash::XxHash3_64;

/// What every file starts with. The first octet is not ASCII, and both line ends and a control-Z follow, so that a
/// transfer in text mode shows at once.
pub(crate) const FILE_MAGIC: [u8; 8] = *b"\x89RDF\r\n\x1a\n";
/// What every block starts with.
pub(crate) const BLOCK_MAGIC: [u8; 4] = *b"RDBk";
/// What the footer starts with.
pub(crate) const FOOTER_MAGIC: [u8; 4] = *b"RDFt";
/// What a finished file ends with.
pub(crate) const END_MAGIC: [u8; 8] = *b"\x89RDFend\n";

/// Readers refuse a file of a larger major version.
pub(crate) const VERSION_MAJOR: u16 = 1;
/// Readers accept any minor version and ignore what they do not know.
pub(crate) const VERSION_MINOR: u16 = 1;

/// Fixed part of the file header; the ident and a checksum follow.
pub(crate) const FILE_HEADER_LEN: usize = 32;
/// Fixed header of a block; its directory follows.
pub(crate) const BLOCK_HEADER_LEN: usize = 32;
/// The last octets of a finished file.
pub(crate) const TRAILER_LEN: usize = 32;
/// Checksums.
pub(crate) const CHECKSUM_LEN: usize = 8;

/// Longest ident, octets.
pub(crate) const MAX_IDENT: usize = 1024;
/// Longest directory of a block. The catalogue of today needs at most 8 KiB; the rest is for fields to come.
pub(crate) const MAX_DIRECTORY: u64 = 64 * 1024;
/// Longest footer: 15,000 blocks (a thousand million flows) with all fields.
pub(crate) const MAX_FOOTER: u64 = 64 * 1024 * 1024;
/// Most octets one chunk of octet strings may have, decompressed.
pub(crate) const MAX_OCTETS: usize = 64 * 1024 * 1024;
/// Longest membership filter: four distinct addresses per row.
pub(crate) const MAX_FILTER: u64 = 1024 * 1024;
/// Most exporters and samplers a file may list.
pub(crate) const MAX_LISTED: u64 = 1 << 20;

/// Longest list of names, decompressed.
pub(crate) const MAX_NAMES: u64 = 64 * 1024 * 1024;

/// Values of one class have their range and their encodings in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Number = 0,
    Address = 1,
    Octets = 2,
}

impl Class {
    pub(crate) fn of(kind: Kind) -> Class {
        match kind {
            Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 => Class::Number,
            Kind::Ip => Class::Address,
            Kind::Bytes => Class::Octets,
        }
    }

    pub(crate) fn from_code(code: u8) -> Result<Class, Damage> {
        match code {
            0 => Ok(Class::Number),
            1 => Ok(Class::Address),
            2 => Ok(Class::Octets),
            _ => Err(Damage::Unknown { what: "class of values", found: code.into() }),
        }
    }
}

/// The largest number a field of this kind can hold.
pub(crate) fn max_number(kind: Kind) -> u64 {
    match kind {
        Kind::U8 => u8::MAX.into(),
        Kind::U16 => u16::MAX.into(),
        Kind::U32 => u32::MAX.into(),
        Kind::U64 | Kind::Ip | Kind::Bytes => u64::MAX,
    }
}

/// How a chunk holds its values.
pub(crate) mod encoding {
    /// Every row has the same value; numbers and addresses stand in the range, octets are the chunk.
    pub(crate) const CONSTANT: u8 = 0;
    /// Numbers as one packed sequence.
    pub(crate) const PACKED: u8 = 1;
    /// Numbers as differences to the row before.
    pub(crate) const DELTA: u8 = 2;
    /// Numbers as differences to another field of the same row.
    pub(crate) const RELATIVE: u8 = 3;
    /// Sorted distinct values and a code per row.
    pub(crate) const DICTIONARY: u8 = 4;
    /// Octet strings end to end.
    pub(crate) const STRINGS: u8 = 5;
}

/// How the octets of a chunk are compressed.
pub(crate) mod compression {
    pub(crate) const NONE: u8 = 0;
    pub(crate) const LZ4: u8 = 1;
    pub(crate) const ZSTD: u8 = 2;
}

/// Sections of the footer. A reader must know those below [`OPTIONAL`](section::OPTIONAL) and skips others.
pub(crate) mod section {
    pub(crate) const GENERAL: u8 = 1;
    pub(crate) const BLOCKS: u8 = 2;
    pub(crate) const EXPORTERS: u8 = 3;
    pub(crate) const SAMPLERS: u8 = 4;
    pub(crate) const OPTIONAL: u8 = 64;
    pub(crate) const NAMES: u8 = 64;
    pub(crate) const EXPORTED: u8 = 65;
}

/// The kind of membership filter this version writes: split-block Bloom filter over address hashes.
pub(crate) const FILTER_SPLIT_BLOCK: u8 = 1;

/// XXH3, 64 bits, seed 0.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}

/// Compares a stored checksum.
pub(crate) fn verify(bytes: &[u8], expected: u64) -> Result<(), Damage> {
    let found = checksum(bytes);
    if found == expected { Ok(()) } else { Err(Damage::Checksum { expected, found }) }
}
