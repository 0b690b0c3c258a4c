//! The pieces of a file: blocks, records, numbers.

use crate::error::Damage;
pub(super) use crate::nfdump::layout::{BLOCK_HEADER_LEN, block, creator, record, record_len};

/// Which of nfdump's layouts a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Of 1.6.
    One,
    /// Of 1.7.
    Two,
}

/// Length of the header of any record: its type and its size.
pub(crate) const RECORD_PREFIX_LEN: usize = 4;

/// The header of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockHeader {
    /// How many records it says to have.
    pub(crate) records: u32,
    /// Octets of the payload as it is stored.
    pub(crate) len: u32,
    /// Its type.
    pub(crate) kind: u16,
    /// Means nothing.
    pub(crate) flags: u16,
}

impl BlockHeader {
    pub(crate) fn parse(bytes: &[u8; BLOCK_HEADER_LEN]) -> BlockHeader {
        BlockHeader {
            records: u32_at(bytes, 0),
            len: u32_at(bytes, 4),
            kind: u16_at(bytes, 8),
            flags: u16_at(bytes, 10),
        }
    }

    pub(crate) fn to_octets(self) -> [u8; BLOCK_HEADER_LEN] {
        let mut out = [0; BLOCK_HEADER_LEN];
        out[0..4].copy_from_slice(&self.records.to_le_bytes());
        out[4..8].copy_from_slice(&self.len.to_le_bytes());
        out[8..10].copy_from_slice(&self.kind.to_le_bytes());
        out[10..12].copy_from_slice(&self.flags.to_le_bytes());
        out
    }
}

/// A number in a structure; 0 behind its end.
#[inline]
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    array_at(bytes, at).map_or(0, u16::from_le_bytes)
}

/// A number in a structure; 0 behind its end.
#[inline]
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    array_at(bytes, at).map_or(0, u32::from_le_bytes)
}

/// A number in a structure; 0 behind its end.
#[inline]
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    array_at(bytes, at).map_or(0, u64::from_le_bytes)
}

/// An IPv6 address as nfdump has it in memory: two numbers, the more significant one first.
#[inline]
pub(crate) fn v6_at(bytes: &[u8], at: usize) -> std::net::Ipv6Addr {
    (u128::from(u64_at(bytes, at)) << 64 | u128::from(u64_at(bytes, at + 8))).into()
}

#[inline]
fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// Text up to the first NUL.
pub(crate) fn text(bytes: &[u8]) -> &[u8] {
    bytes.split(|&octet| octet == 0).next().unwrap_or_default()
}

/// The records of a block, one after the other, and what ends them early.
pub(crate) struct Records<'a> {
    data: &'a [u8],
    at: usize,
}

/// A record with its type; the octets are all of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) kind: u16,
    pub(crate) at: usize,
    pub(crate) octets: &'a [u8],
}

impl<'a> Records<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Records<'a> {
        Records { data, at: 0 }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Damage>;

    #[inline]
    fn next(&mut self) -> Option<Result<Record<'a>, Damage>> {
        let rest = &self.data[self.at..];
        if rest.is_empty() {
            return None;
        }
        let (kind, len) = (u16_at(rest, 0), usize::from(u16_at(rest, 2)));
        let at = self.at;
        match rest.get(..len) {
            Some(octets) if len >= RECORD_PREFIX_LEN => {
                self.at += len;
                Some(Ok(Record { kind, at, octets }))
            }
            _ => {
                self.at = self.data.len();
                Some(Err(Damage::RecordSize {
                    at: at as u64,
                    found: len as u64,
                    available: rest.len() as u64,
                }))
            }
        }
    }
}
