//! The header and the directory of a block: what stands where in it, and what is known without decoding.

use super::cursor::{Cursor, put_addr, put_varint};
use super::header::{rule_code, rule_from_code};
use super::layout::{BLOCK_HEADER_LEN, BLOCK_MAGIC, CHECKSUM_LEN, Class, MAX_DIRECTORY, MAX_FILTER};
use super::layout::{checksum, max_number, verify};
use crate::columnar::codec;
use crate::error::Damage;
use flow_model::{CountRule, Field, FieldSet, MAX_BATCH_ROWS, Range, Totals, field_info};

/// The fixed part at the start of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockHeader {
    pub(crate) rows: u32,
    /// Octets of the directory with its checksum.
    pub(crate) directory_len: u32,
    /// Octets of the whole block.
    pub(crate) len: u64,
}

impl BlockHeader {
    pub(crate) fn to_bytes(self) -> [u8; BLOCK_HEADER_LEN] {
        let mut out = [0; BLOCK_HEADER_LEN];
        out[..4].copy_from_slice(&BLOCK_MAGIC);
        out[4..8].copy_from_slice(&self.rows.to_le_bytes());
        out[8..16].copy_from_slice(&self.len.to_le_bytes());
        out[16..20].copy_from_slice(&self.directory_len.to_le_bytes());
        let sum = checksum(&out[..24]);
        out[24..].copy_from_slice(&sum.to_le_bytes());
        out
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<BlockHeader, Damage> {
        let mut cursor = Cursor::new(bytes);
        if cursor.take(4)? != BLOCK_MAGIC {
            return Err(Damage::Inconsistent("no block starts here"));
        }
        let header = BlockHeader { rows: cursor.u32()?, len: cursor.u64()?, directory_len: cursor.u32()? };
        cursor.take(4)?;
        let found = cursor.u64()?;
        verify(&bytes[..BLOCK_HEADER_LEN - CHECKSUM_LEN], found)?;
        header.check()?;
        Ok(header)
    }

    /// Refuses sizes that cannot be.
    pub(crate) fn check(self) -> Result<(), Damage> {
        let too_large = |what, found, limit| Err(Damage::TooLarge { what, found, limit });
        if self.rows == 0 {
            return Err(Damage::Inconsistent("a block has no rows"));
        }
        if self.rows as usize > MAX_BATCH_ROWS {
            return too_large("count of rows", self.rows.into(), MAX_BATCH_ROWS as u64);
        }
        if u64::from(self.directory_len) > MAX_DIRECTORY {
            return too_large("length of the directory", self.directory_len.into(), MAX_DIRECTORY);
        }
        // A reader goes from block to block by their lengths, and must get on.
        let Some(rest) = self.len.checked_sub(BLOCK_HEADER_LEN as u64) else {
            return Err(Damage::Inconsistent("a block is shorter than its header"));
        };
        if u64::from(self.directory_len) > rest {
            return too_large("length of the directory", self.directory_len.into(), rest);
        }
        Ok(())
    }
}

/// One column of a block.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chunk {
    /// Number of the field.
    pub(crate) id: u16,
    pub(crate) class: Class,
    pub(crate) encoding: u8,
    pub(crate) compression: u8,
    /// Where its octets start, from the start of the block.
    pub(crate) offset: u64,
    /// Octets in the file.
    pub(crate) stored_len: u64,
    /// Octets when decompressed.
    pub(crate) len: u64,
    /// Of the octets in the file; 0 when there are none.
    pub(crate) checksum: u64,
    pub(crate) range: Option<Range>,
}

impl Chunk {
    /// The field; `None` for a field of a later catalogue.
    pub(crate) fn field(&self) -> Option<Field> {
        Field::from_id(self.id)
    }
}

/// A membership filter of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FilterPlace {
    pub(crate) kind: u8,
    /// Where it starts, from the start of the block.
    pub(crate) offset: u64,
    /// Octets with its checksum.
    pub(crate) len: u64,
    /// The fields whose addresses it holds.
    pub(crate) fields: FieldSet,
}

/// What stands where in a block.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Directory {
    pub(crate) rule: CountRule,
    /// Totals over the rows of the block.
    pub(crate) totals: Totals,
    /// In the order of their fields' numbers, which is the order in the file too.
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) filters: Vec<FilterPlace>,
}

impl Directory {
    /// The octets of the directory with its checksum. Offsets follow from lengths and are not stored.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + 32 * self.chunks.len());
        out.push(rule_code(self.rule));
        put_totals(&self.totals, &mut out);
        put_varint(self.chunks.len() as u64, &mut out);
        let mut ids = Ids::default();
        for chunk in &self.chunks {
            ids.put(chunk.id, &mut out);
            out.extend_from_slice(&[chunk.class as u8, chunk.encoding, chunk.compression]);
            put_varint(chunk.stored_len, &mut out);
            if chunk.compression != super::layout::compression::NONE {
                put_varint(chunk.len, &mut out);
            }
            if chunk.stored_len > 0 {
                out.extend_from_slice(&chunk.checksum.to_le_bytes());
            }
            put_range(chunk.range, &mut out);
        }
        put_varint(self.filters.len() as u64, &mut out);
        for filter in &self.filters {
            out.push(filter.kind);
            put_varint(filter.len, &mut out);
            put_fields(filter.fields, &mut out);
        }
        out.extend_from_slice(&checksum(&out).to_le_bytes());
        out
    }

    /// Reads the directory of the block with this header.
    pub(crate) fn parse(header: BlockHeader, bytes: &[u8]) -> Result<Directory, Damage> {
        let Some((checked, sum)) = bytes.split_last_chunk::<CHECKSUM_LEN>() else {
            return Err(Damage::Short { needed: CHECKSUM_LEN as u64, available: bytes.len() as u64 });
        };
        verify(checked, u64::from_le_bytes(*sum))?;
        let mut cursor = Cursor::new(checked);
        let rule = rule_from_code(cursor.u8()?)?;
        let totals = totals(&mut cursor)?;
        let mut offset = (BLOCK_HEADER_LEN + bytes.len()) as u64;
        let mut place = |len: u64| {
            let start = offset;
            let end = start.checked_add(len).filter(|&end| end <= header.len);
            offset = end.ok_or(Damage::TooLarge {
                what: "length of a chunk",
                found: len,
                limit: header.len - start,
            })?;
            Ok(start)
        };
        let count = cursor.bounded("count of chunks", MAX_DIRECTORY)?;
        let mut chunks = Vec::with_capacity(count.min(Field::COUNT));
        let mut ids = Ids::default();
        for _ in 0..count {
            let id = ids.next(&mut cursor)?;
            let class = Class::from_code(cursor.u8()?)?;
            let (encoding, compression) = (cursor.u8()?, cursor.u8()?);
            let stored_len = cursor.varint()?;
            let plain = compression == super::layout::compression::NONE;
            let len = if plain { stored_len } else { cursor.varint()? };
            let limit = codec::max_len(class, header.rows as usize);
            if Field::from_id(id).is_some() && (len > limit || stored_len > limit) {
                return Err(Damage::TooLarge {
                    what: "length of a chunk",
                    found: len.max(stored_len),
                    limit,
                });
            }
            let checksum = if stored_len > 0 { cursor.u64()? } else { 0 };
            let range = range(id, class, &mut cursor)?;
            let offset = place(stored_len)?;
            chunks.push(Chunk { id, class, encoding, compression, offset, stored_len, len, checksum, range });
        }
        let count = cursor.bounded("count of filters", MAX_DIRECTORY)?;
        let mut filters = Vec::new();
        for _ in 0..count {
            let kind = cursor.u8()?;
            let len = cursor.bounded("length of a filter", MAX_FILTER)? as u64;
            let fields = fields(&mut cursor)?;
            filters.push(FilterPlace { kind, offset: place(len)?, len, fields });
        }
        Ok(Directory { rule, totals, chunks, filters })
    }
}

/// Ascending field numbers, each stored as the difference to the one before.
#[derive(Default)]
pub(crate) struct Ids {
    next: u64,
}

impl Ids {
    pub(crate) fn put(&mut self, id: u16, out: &mut Vec<u8>) {
        put_varint(u64::from(id) - self.next, out);
        self.next = u64::from(id) + 1;
    }

    pub(crate) fn next(&mut self, cursor: &mut Cursor<'_>) -> Result<u16, Damage> {
        let id = cursor.varint()?.saturating_add(self.next);
        let limit = u16::MAX.into();
        if id > limit {
            return Err(Damage::TooLarge { what: "number of a field", found: id, limit });
        }
        self.next = id + 1;
        Ok(id as u16)
    }
}

pub(crate) fn put_fields(fields: FieldSet, out: &mut Vec<u8>) {
    put_varint(fields.len() as u64, out);
    let mut ids = Ids::default();
    fields.iter().for_each(|field| ids.put(field.id(), out));
}

/// A set of fields; those of a later catalogue are left out.
pub(crate) fn fields(cursor: &mut Cursor<'_>) -> Result<FieldSet, Damage> {
    let count = cursor.bounded("count of fields", MAX_DIRECTORY)?;
    let mut ids = Ids::default();
    let mut set = FieldSet::EMPTY;
    for _ in 0..count {
        if let Some(field) = Field::from_id(ids.next(cursor)?) {
            set.insert(field);
        }
    }
    Ok(set)
}

pub(crate) fn put_range(range: Option<Range>, out: &mut Vec<u8>) {
    match range {
        None => {}
        Some(Range::Num { min, max }) => {
            put_varint(min, out);
            put_varint(max - min, out);
        }
        Some(Range::Ip { min, max }) => {
            put_addr(min, out);
            put_addr(max, out);
        }
    }
}

/// The range of a chunk of this class; a field of our catalogue must be of that class.
pub(crate) fn range(id: u16, class: Class, cursor: &mut Cursor<'_>) -> Result<Option<Range>, Damage> {
    let kind = Field::from_id(id).map(|field| field_info(field).kind);
    if kind.is_some_and(|kind| Class::of(kind) != class) {
        return Err(Damage::Inconsistent("a chunk is not of its field's class"));
    }
    match class {
        Class::Octets => Ok(None),
        Class::Number => {
            let min = cursor.varint()?;
            let max = min.checked_add(cursor.varint()?);
            let fits = |max: &u64| kind.is_none_or(|kind| *max <= max_number(kind));
            let max =
                max.filter(fits).ok_or(Damage::Inconsistent("the largest value does not fit its field"))?;
            Ok(Some(Range::Num { min, max }))
        }
        Class::Address => {
            let (min, max) = (cursor.addr()?, cursor.addr()?);
            if min > max {
                return Err(Damage::Inconsistent("the smallest address is above the largest"));
            }
            Ok(Some(Range::Ip { min, max }))
        }
    }
}

pub(crate) fn put_totals(totals: &Totals, out: &mut Vec<u8>) {
    let Totals {
        flows_by,
        packets_by,
        bytes_by,
        flows,
        packets,
        bytes,
        first_ms,
        last_ms,
        sequence_failures,
    } = *totals;
    let by_protocol = [flows_by, packets_by, bytes_by].into_iter().flatten();
    by_protocol
        .chain([flows, packets, bytes, first_ms, last_ms, sequence_failures])
        .for_each(|num| put_varint(num, out));
}

pub(crate) fn totals(cursor: &mut Cursor<'_>) -> Result<Totals, Damage> {
    let mut totals = Totals::default();
    let Totals {
        flows_by,
        packets_by,
        bytes_by,
        flows,
        packets,
        bytes,
        first_ms,
        last_ms,
        sequence_failures,
    } = &mut totals;
    let by_protocol = [flows_by, packets_by, bytes_by].into_iter().flatten();
    for slot in by_protocol.chain([flows, packets, bytes, first_ms, last_ms, sequence_failures]) {
        *slot = cursor.varint()?;
    }
    Ok(totals)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columnar::index::Index;
    use crate::columnar::layout::{FILTER_SPLIT_BLOCK, compression, encoding};
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    fn chunk(id: u16, class: Class, range: Option<Range>, stored_len: u64) -> Chunk {
        let checksum = if stored_len > 0 { 77 } else { 0 };
        Chunk {
            id,
            class,
            encoding: encoding::DICTIONARY,
            compression: compression::NONE,
            offset: 0,
            stored_len,
            len: stored_len,
            checksum,
            range,
        }
    }

    /// A block with a known number, an address over both families, octets, and three fields of a later catalogue.
    fn block() -> (BlockHeader, Directory) {
        let addrs = Range::Ip { min: Ipv4Addr::LOCALHOST.into(), max: IpAddr::V6(Ipv6Addr::LOCALHOST) };
        let numbers = Range::Num { min: 5, max: 300 };
        let mut directory = Directory {
            rule: CountRule::Written,
            totals: Totals { flows: 3, ..Totals::default() },
            chunks: vec![
                chunk(Field::SrcAddr.id(), Class::Address, Some(addrs), 10),
                chunk(Field::SrcPort.id(), Class::Number, Some(numbers), 0),
                chunk(Field::UserName.id(), Class::Octets, None, 3),
                chunk(1000, Class::Number, Some(Range::Num { min: 0, max: u64::MAX }), 20),
                chunk(1001, Class::Octets, None, 1 << 30),
                chunk(u16::MAX, Class::Address, Some(addrs), 1),
            ],
            filters: vec![FilterPlace {
                kind: FILTER_SPLIT_BLOCK,
                offset: 0,
                len: 40,
                fields: FieldSet::of(&[Field::SrcAddr, Field::DstAddr]),
            }],
        };
        let directory_len = directory.to_bytes().len() as u64;
        let mut offset = BLOCK_HEADER_LEN as u64 + directory_len;
        for chunk in &mut directory.chunks {
            chunk.offset = offset;
            offset += chunk.stored_len;
        }
        directory.filters[0].offset = offset;
        let header = BlockHeader { rows: 3, directory_len: directory_len as u32, len: offset + 40 };
        (header, directory)
    }

    #[test]
    fn comes_back_with_fields_of_a_later_catalogue() {
        let (header, directory) = block();
        assert_eq!(BlockHeader::parse(&header.to_bytes()), Ok(header));
        let back = Directory::parse(header, &directory.to_bytes()).unwrap();
        assert_eq!(back, directory);
        assert_eq!(back.chunks[3].field(), None);
    }

    #[test]
    fn a_block_that_does_not_reach_behind_its_header_is_refused() {
        for len in [0, 1, BLOCK_HEADER_LEN as u64 - 1] {
            let header = BlockHeader { rows: 1, directory_len: 0, len };
            let refused = Damage::Inconsistent("a block is shorter than its header");
            assert_eq!(BlockHeader::parse(&header.to_bytes()), Err(refused));
        }
    }

    #[test]
    fn the_index_says_the_same_and_counts_unknown_fields() {
        let (header, directory) = block();
        let mut index = Index::default();
        index.push(100, header, &directory);
        let mut copied = Index::default();
        copied.push_copy(100, &index, 0);
        let read = Index::parse(copied.bytes().to_vec(), u64::MAX).unwrap();
        assert_eq!(read.entries(), index.entries());
        let entry = &read.entries()[0];
        assert_eq!((entry.offset, entry.header, entry.unknown_fields), (100, header, 3));
        assert_eq!(entry.fields, FieldSet::of(&[Field::SrcAddr, Field::SrcPort, Field::UserName]));
        assert_eq!(read.stats(0).range(Field::SrcPort), Some(Range::Num { min: 5, max: 300 }));
        assert_eq!(read.stats(0).range(Field::UserName), None);
        assert_eq!(read.filters(0), directory.filters);
        assert!(Index::parse(copied.bytes().to_vec(), 100 + header.len - 1).is_err());
    }

    #[test]
    fn a_value_that_does_not_fit_its_field_is_refused() {
        let (header, mut directory) = block();
        directory.chunks[1].range = Some(Range::Num { min: 5, max: 65_536 });
        assert!(Directory::parse(header, &directory.to_bytes()).is_err());
        let (header, mut directory) = block();
        directory.chunks[1].class = Class::Octets;
        directory.chunks[1].range = None;
        assert!(Directory::parse(header, &directory.to_bytes()).is_err());
    }
}
